import { expect, it } from "vitest";
import type { Diff } from "../../api/environments";
import { activationWords, countOf, downloadWords, rowsOf, summaryOf } from "./diffWords";

const diff: Diff = {
  added: [{ name: "pandas", from: "conda", new: "2.2.3", bytes: 15_000_000 }],
  removed: [{ name: "six", from: "pip", old: "1.16" }],
  changed: [
    { name: "numpy", from: "conda", old: "1.26.4", new: "2.4.6", direction: "up" },
    { name: "zlib", from: "conda", old: "1.3", new: "1.2", direction: "down" },
    { name: "openssl", from: "conda", old: "3.5", new: "3.5", old_build: "h1_0", new_build: "h1_1", direction: "build" },
  ],
  unchanged: 40,
  bytes: 15_000_000,
};
const none: Diff = { unchanged: 40, bytes: 0 };

it("counts and sums up what differs", () => {
  expect(countOf(diff)).toBe(5);
  expect(summaryOf(diff)).toBe("1 added, 1 removed, 1 upgraded, 1 downgraded, 1 rebuilt");
  expect(summaryOf(none)).toBe("Nothing changes");
});

it("says what an activation changes", () => {
  expect(activationWords(diff)).toBe("5 packages change: 1 added, 1 removed, 1 upgraded, 1 downgraded, 1 rebuilt.");
  expect(activationWords({ ...none, added: diff.added! })).toBe("1 package changes: 1 added.");
  expect(activationWords(none)).toBe("Both builds have the same packages.");
});

it("says what is to be downloaded, and what is there", () => {
  expect(downloadWords(0, 5000)).toBe("Nothing to download: all of it is in the cache.");
  expect(downloadWords(0, 0)).toBe("Nothing to download.");
  expect(downloadWords(1e6, 4e6)).toBe("1.0 MB to download of 4.0 MB; the rest is in the cache.");
  expect(downloadWords(1e6, 1e6)).toBe("1.0 MB to download.");
});

it("writes every change as one row", () => {
  expect(rowsOf(diff).map((r) => `${r.mark} ${r.change.name} ${r.versions}`)).toEqual([
    "+ pandas 2.2.3",
    "− six 1.16",
    "↑ numpy 1.26.4 → 2.4.6",
    "↓ zlib 1.3 → 1.2",
    "≈ openssl 3.5 h1_0 → h1_1",
  ]);
});
