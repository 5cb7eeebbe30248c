import { expect, it } from "vitest";
import { lineDiff } from "./lines";

const shown = (old: string, now: string) => lineDiff(old, now).map((l) => l.mark + l.text);

it("marks what goes and what comes", () => {
  expect(shown("a\nb\nc\n", "a\nx\nc\nd\n")).toEqual([" a", "−b", "+x", " c", "+d"]);
});

it("has nothing to mark in equal texts, but for a missing end of line", () => {
  expect(shown("a\nb", "a\nb\n")).toEqual([" a", " b"]);
  expect(shown("", "")).toEqual([]);
});

it("takes all of a text that was empty", () => {
  expect(shown("", "a\n")).toEqual(["+a"]);
  expect(shown("a\n", "")).toEqual(["−a"]);
});
