import { describe, expect, it } from "vitest";
import type { RuleSet } from "../../api/environments";
import { complaintsIn, complaintsOf, daysOf, draftOf, entriesIn, rulesOf, siteChannels, siteIndexes } from "./rulesDraft";

const everyRule: RuleSet = {
  channels: ["conda-forge"],
  allowed_channels: ["conda-forge", "bioconda"],
  denied_channels: ["defaults"],
  index: "https://b.example/simple",
  allowed_indexes: ["https://a.example/simple", "https://b.example/simple"],
  wheel_hosts: [],
  deny_packages: ["tensorflow*"],
  deny_licenses: ["AGPL*"],
  deny_unknown_licenses: true,
  minimum_age: "1h7m0s",
  deny_unknown_age: true,
  max_packages: 123_456,
  max_artifact_bytes: 1_234_567_891,
};

describe("a draft of rules", () => {
  it("that nobody touched changes nothing", () => {
    expect(rulesOf(draftOf(everyRule), everyRule)).toEqual(everyRule);
    expect(rulesOf(draftOf({}), {})).toEqual({});
    expect(rulesOf(draftOf({ index: "https://b.example/simple" }), { index: "https://b.example/simple" })).toEqual({ index: "https://b.example/simple" });
  });

  it("says what was typed, in the gateway's units", () => {
    const draft = { ...draftOf({}), days: "3", maxPackages: "200", maxGigabytes: "1.5", denyPackages: ["left-pad"] };
    expect(rulesOf(draft, {})).toEqual({ minimum_age: "3d", max_packages: 200, max_artifact_bytes: 1_500_000_000, deny_packages: ["left-pad"] });
    expect(rulesOf({ ...draft, days: "1.5" }, {}).minimum_age).toBe("129600s");
  });

  it("takes away what was emptied, and keeps what it does not show", () => {
    const draft = { ...draftOf({}), allowedChannels: undefined };
    expect(rulesOf(draft, everyRule)).toEqual({ channels: ["conda-forge"], wheel_hosts: [] });
  });

  it("tells none from all", () => {
    expect(rulesOf({ ...draftOf({}), allowedChannels: [] }, {})).toEqual({ allowed_channels: [] });
  });

  it("uses an index that is allowed", () => {
    const used = (allowedIndexes: string[] | undefined) => rulesOf({ ...draftOf(everyRule), allowedIndexes }, everyRule).index;
    expect([used(["*", "https://a.example/simple"]), used(everyRule.allowed_indexes), used([]), used(undefined)]).toEqual(["https://a.example/simple", everyRule.index, undefined, undefined]);
  });
});

it("complains of what is no number, or too large", () => {
  expect(complaintsOf(draftOf(everyRule))).toEqual({});
  expect(Object.keys(complaintsOf({ ...draftOf({}), days: "-1", maxPackages: "1.5", maxGigabytes: "a lot" }))).toEqual(["minimum_age", "max_packages", "max_artifact_bytes"]);
  expect(Object.keys(complaintsOf({ ...draftOf({}), days: "99999" }))).toEqual(["minimum_age"]);
});

it("puts what the gateway says at the fields, or says that it cannot", () => {
  expect(complaintsIn({ deny_packages: "no", index: "which?" })).toEqual({ deny_packages: "no", allowed_indexes: "which?" });
  expect(complaintsIn({ deny_packages: "no", channel_urls: "not yours" })).toBeUndefined();
  expect(complaintsIn({})).toBeUndefined();
});

it("knows what a site allows where it does not say", () => {
  expect(siteChannels({})).toEqual(["conda-forge"]);
  expect(siteChannels({ channels: ["a"], channel_urls: { c: "https://c.example", a: "https://a.example" }, denied_channels: ["c"] })).toEqual(["a"]);
  expect(siteChannels({ allowed_channels: [] })).toEqual([]);
  expect([siteIndexes({}), siteIndexes({ index: "i" }), siteIndexes({ index: "i", allowed_indexes: ["*"] })]).toEqual([undefined, ["i"], ["*"]]);
});

it("cuts what is pasted", () => {
  expect(entriesIn(" a, b\nc;b a ", ["c"])).toEqual(["a", "b"]);
});

it("reads durations", () => {
  expect(["3d", "36h0m0s", "1h30m", "90s", undefined].map(daysOf)).toEqual([3, 1.5, 1.5 / 24, 90 / 86_400, 0]);
});
