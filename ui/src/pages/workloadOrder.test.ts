import { expect, it } from "vitest";
import type { Workload } from "../api/types";
import { found, sorted } from "./workloadOrder";

function workload(id: string, over: Partial<Workload>): Workload {
  return {
    id,
    project: "demo",
    kind: "kernel",
    name: id,
    owner: "mira",
    state: "running",
    activity: "idle",
    started: "2026-06-15T12:00:00Z",
    last_activity: "2026-06-15T12:00:00Z",
    memory_bytes: 0,
    cpu_seconds: 0,
    connections: 0,
    isolation: "",
    ...over,
  };
}

const list = [
  workload("c", { name: "part 10", memory_bytes: 5 }),
  workload("a", { name: "part 9", owner: "jonas", last_activity: "2026-06-15T13:00:00Z" }),
  workload("b", { name: "part 9", kind: "terminal", activity: "", memory_bytes: 9 }),
  workload("d", { name: "part 1", state: "ended" }),
];
const ids = (workloads: Workload[]) => workloads.map((w) => w.id).join("");

it("sorts numbers in names by value, equal names by id, and what has ended last", () => {
  expect(ids(sorted(list, { column: "name", down: false }))).toBe("abcd");
  expect(ids(sorted(list, { column: "name", down: true }))).toBe("cabd");
});

it("sorts by memory and by activity", () => {
  expect(ids(sorted(list, { column: "memory_bytes", down: true }))).toBe("bcad");
  expect(ids(sorted(list, { column: "last_activity", down: false }))).toBe("abcd");
});

it("finds by all words, over name, person, kind and state", () => {
  expect(ids(found(list, "PART jonas"))).toBe("a");
  expect(ids(found(list, "terminal"))).toBe("b");
  expect(ids(found(list, "idle"))).toBe("ca");
  expect(ids(found(list, "  "))).toBe("cabd");
  expect(found(list, "nobody")).toEqual([]);
});
