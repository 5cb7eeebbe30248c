import { expect, it } from "vitest";
import type { AuditEntry } from "../api/types";
import { deedOf } from "./audit";

const entry = (action: string, resource: string, detail: string): AuditEntry => ({ id: "1", time: "", user: "mira", action, resource, detail });

it.each([
  ["environment_activated", "environment python", "build 2 is ready", "made build 2 of the environment python the active one"],
  ["environment_rolled_back", "environment python", "build 1", "rolled the environment python back to build 1"],
  ["environment_build", "environment python", "build 3 of revision 2", "asked for build 3 of the environment python"],
  ["environment_edited", "environment python", "add numpy", "changed the environment python: add numpy"],
  ["start", "w1", "python build 3", "started build 3 of the environment python"],
  ["start", "w1", "weather.ipynb", "started weather.ipynb"],
  ["an_act_of_tomorrow", "thing", "x", "an act of tomorrow · thing · x"],
])("says %s of %s (%s) as a sentence", (action, resource, detail, deed) => {
  expect(deedOf(entry(action, resource, detail))).toBe(deed);
});
