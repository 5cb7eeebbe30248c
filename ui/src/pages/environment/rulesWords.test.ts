import { expect, it } from "vitest";
import { daysWords, gigabytes, rulesWords, savedWords } from "./rulesWords";

it("says only what an environment adds", () => {
  expect(rulesWords({})).toEqual([]);
  expect(rulesWords({ deny_packages: [], deny_unknown_licenses: false })).toEqual([]);
  expect(rulesWords({ deny_packages: ["a", "b*"], minimum_age: "7d", deny_unknown_age: true, max_packages: 1, max_artifact_bytes: 2.5e9 })).toEqual([
    "Refused packages: a, b*.",
    "Packages must have been released 7 days ago or earlier. Those that do not say when are refused.",
    "At most 1 package.",
    "The files of its packages have at most 2.5 GB together.",
  ]);
});

it("tells none that are allowed from nothing said", () => {
  expect(rulesWords({ allowed_channels: [], allowed_indexes: ["https://a.example"] })).toEqual(["No conda channel is allowed.", "Wheels come only from https://a.example."]);
});

it("says times and sizes as people do", () => {
  expect([1, 1.5, 1 / 48].map(daysWords)).toEqual(["1 day", "36 hours", "30 minutes"]);
  expect([5e9, 512e6].map(gigabytes)).toEqual(["5 GB", "512 MB"]);
});

it("says whom a change of rules affects", () => {
  expect(savedWords("python", 3)).toBe("The rules of python are saved. New solves and builds keep to them; build 3 stays in use.");
  expect(savedWords("python", undefined)).toBe("The rules of python are saved. New solves and builds keep to them.");
});
