import { expect, it } from "vitest";
import type { Environment } from "../api/environments";
import { buildWords, durationWords, failureWords, restartWords, runsOnWords, spanWords, staleWords } from "./environment";

const active = { build: 13, id: "x", revision: 3, packages: 9, prefix: "/p", since: "", by: "mira" };
const environments = [{ name: "python", active }] as Environment[];

it("says when a program should be restarted, and nothing when not", () => {
  expect(runsOnWords({ name: "python", build: 12, id: "a" })).toBe("python, build 12");
  expect(restartWords({ name: "python", build: 12, id: "a" }, environments)).toBe("13 is active: restart to use");
  expect(restartWords({ name: "python", build: 13, id: "x" }, environments)).toBe("");
  expect(restartWords({ name: "other", build: 1, id: "x" }, environments)).toBe("");
  expect(restartWords(undefined, environments)).toBe("");
  expect(restartWords({ name: "python", build: 12, id: "a" }, undefined)).toBe("");
});

it("tells of programs on other builds than the active one", () => {
  const inUse = [
    { build: 12, workloads: ["a", "b"] },
    { build: 13, workloads: ["c"] },
    { build: 9, workloads: ["d"] },
  ];
  expect(staleWords({ active, in_use: inUse })).toEqual([
    "Build 12 is in use by 2 programs, 13 is active: restart to use.",
    "Build 9 is in use by 1 program, 13 is active: restart to use.",
  ]);
  expect(staleWords({ in_use: inUse })).toEqual([]);
});

it("tells an active build from one that is only ready", () => {
  expect([buildWords({ state: "ready", active: true }).word, buildWords({ state: "ready", active: false }).word]).toEqual(["active", "ready"]);
});

it.each([
  [0, "0.0 s"],
  [1234, "1.2 s"],
  [9_960, "10 s"],
  [42_400, "42 s"],
  [60_000, "1 min"],
  [185_000, "3 min 5 s"],
])("writes %i ms as %s", (ms, text) => {
  expect(spanWords(ms)).toBe(text);
});

it("says how long a build took once that is known", () => {
  expect(durationWords("2026-06-15T12:00:00Z", "2026-06-15T12:00:42Z")).toBe("42 s");
  expect(durationWords("2026-06-15T12:00:00Z", undefined)).toBe("");
});

it.each([
  [{ message: "there is no package nunpy" }, "There is no package nunpy."],
  [{ message: "numpy >=2 does not fit with python 3.11." }, "numpy >=2 does not fit with python 3.11."],
  [{ message: "line 7, column 5: no list" }, "Line 7, column 5: no list."],
  [{ message: "nunpy is not known", package: "nunpy" }, "nunpy is not known."],
])("makes a sentence of %o", (failure, words) => {
  expect(failureWords(failure)).toBe(words);
});
