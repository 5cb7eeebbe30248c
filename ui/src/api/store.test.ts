import { expect, it } from "vitest";
import { touchedBy } from "./store";

it.each([
  ["workloads", ["/projects", "/projects/demo", "/projects/demo/audit", "/projects/demo/workloads"]],
  ["members", ["/me", "/projects", "/projects/demo", "/projects/demo/audit", "/projects/demo/members"]],
  ["tokens", ["/tokens"]],
] as const)("a change of %s touches what shows them, and no more", (kind, paths) => {
  expect(touchedBy({ kind, project: "demo" })).toEqual(paths);
});

it("leaves a change that it does not know alone", () => {
  expect(touchedBy({ kind: "novelty" as "users", project: "demo" })).toEqual([]);
});
