import { expect, it } from "vitest";
import type { WorkloadState } from "../api/types";
import { isolationWords, stateWords } from "./state";

it.each<[WorkloadState, string, string, string]>([
  ["starting", "", "waiting", "starting"],
  ["running", "busy", "busy", "busy"],
  ["running", "idle", "idle", "idle"],
  ["running", "restarting", "waiting", "restarting"],
  ["running", "dead", "bad", "died"],
  ["running", "", "idle", "running"],
  ["running", "a word of tomorrow", "idle", "a word of tomorrow"],
  ["stopping", "busy", "waiting", "stopping"],
  ["ended", "", "ended", "ended"],
  ["ended", "dead", "bad", "died"],
])("a workload that is %s (%s) means %s and reads %s", (state, activity, tone, word) => {
  expect(stateWords({ state, activity })).toEqual({ tone, word });
});

it("says in short how far a program is isolated", () => {
  expect(isolationWords("none: runs as the gateway's own user")).toBe("not isolated");
  expect(isolationWords("")).toBe("not isolated");
  expect(isolationWords("sandbox: own user, no network")).toBe("isolated: sandbox");
});
