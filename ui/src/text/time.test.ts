import { describe, expect, it } from "vitest";
import { counted, relativeTime } from "./time";

const now = Date.UTC(2026, 5, 15, 12);
const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

describe("relativeTime", () => {
  it.each([
    [0, "just now"],
    [29 * second, "just now"],
    [31 * second, "1 min ago"],
    [89 * second, "1 min ago"],
    [5 * minute, "5 min ago"],
    [59 * minute, "59 min ago"],
    [59.9 * minute, "1 h ago"],
    [23 * hour, "23 h ago"],
    [23.9 * hour, "1 day ago"],
    [3 * day, "3 days ago"],
    [29 * day, "29 days ago"],
    [45 * day, "1 May 2026"],
    [-10 * minute, "in 10 min"],
    [-3 * day, "in 3 days"],
    [-90 * day, "in 3 months"],
    [-900 * day, "1 Dec 2028"],
    [-3 * second, "just now"],
    [-20 * second, "in a moment"],
  ])("says %i ms before now as %s", (before, words) => {
    expect(relativeTime(now - before, now)).toBe(words);
  });

  it("says nothing of what is no time", () => {
    expect(relativeTime(Number.NaN, now)).toBe("");
  });
});

it("counts things in the right number", () => {
  expect([counted(0, "row"), counted(1, "row"), counted(2, "row")]).toEqual(["0 rows", "1 row", "2 rows"]);
});
