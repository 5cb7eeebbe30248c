import { expect, it } from "vitest";
import { binarySize } from "./size";

it.each([
  [0, "–"],
  [-1, "–"],
  [Number.NaN, "–"],
  [1, "1 B"],
  [999, "999 B"],
  [1000, "1.0 KiB"],
  [1024, "1.0 KiB"],
  [9.94 * 1024, "9.9 KiB"],
  [9.96 * 1024, "10 KiB"],
  [212 * 2 ** 20, "212 MiB"],
  [1023 * 2 ** 20, "1.0 GiB"],
  [1.43 * 2 ** 30, "1.4 GiB"],
  [2 ** 60, "1024 PiB"],
])("writes %d bytes as %s", (bytes, text) => {
  expect(binarySize(bytes)).toBe(text);
});
