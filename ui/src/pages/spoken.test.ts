import { expect, it } from "vitest";
import type { Workload } from "../api/types";
import { changesBetween } from "./spoken";

const kernel: Workload = {
  id: "k1",
  project: "demo",
  kind: "kernel",
  name: "a.ipynb",
  owner: "mira",
  state: "running",
  activity: "idle",
  started: "2026-06-15T12:00:00Z",
  last_activity: "2026-06-15T12:00:00Z",
  memory_bytes: 0,
  cpu_seconds: 0,
  connections: 0,
  isolation: "",
};

it("says what started, with its reason", () => {
  expect(changesBetween([], [{ ...kernel, state: "starting", reason: "waiting for memory" }])).toEqual(["a.ipynb: starting, waiting for memory"]);
});

it("says what ended, whether it stays in the list or leaves it", () => {
  expect(changesBetween([kernel], [])).toEqual(["a.ipynb: ended"]);
  expect(changesBetween([kernel], [{ ...kernel, state: "ended" }])).toEqual(["a.ipynb: ended"]);
  expect(changesBetween([{ ...kernel, state: "ended" }], [])).toEqual([]);
});

it("keeps quiet about idle, busy and memory", () => {
  expect(changesBetween([kernel], [{ ...kernel, activity: "busy", memory_bytes: 5 }])).toEqual([]);
});
