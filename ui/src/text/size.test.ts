import { expect, it } from "vitest";
import { byteSize } from "./size";

it.each([
  [0, "–"],
  [-1, "–"],
  [Number.NaN, "–"],
  [1, "1 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [1024, "1.0 kB"],
  [9940, "9.9 kB"],
  [9960, "10 kB"],
  [212e6, "212 MB"],
  [999_499_999, "999 MB"],
  [999_500_000, "1.0 GB"],
  [1.43e9, "1.4 GB"],
  [2e18, "2000 PB"],
])("writes %d bytes as %s", (bytes, text) => {
  expect(byteSize(bytes)).toBe(text);
});
