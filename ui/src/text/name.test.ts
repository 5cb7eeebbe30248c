import { describe, expect, it } from "vitest";
import { checkName, suggestName } from "./name";

// The gateway's own rule: projects.CheckProjectName.
const rule = /^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$/;

describe("checkName", () => {
  it.each(["a", "demo", "churn-model", "weather_2026", "a-b_c9", "a".repeat(40)])("takes %s", (name) => {
    expect(checkName("project", name, [])).toEqual({ ok: true });
  });

  it.each([
    ["Demo", "Small letters, digits, - and _ only.", "demo"],
    ["2fast", "Begins with a letter.", "fast"],
    ["_a", "Begins with a letter.", "a"],
    ["a__b", "Only one - or _ at a time.", "a_b"],
    ["a-_b", "Only one - or _ at a time.", "a_b"],
    ["a-", "Ends with a letter or a digit.", "a"],
    ["My First Project", "Small letters, digits, - and _ only.", "my-first-project"],
    ["Müller & Söhne", "Small letters, digits, - and _ only.", "muller-sohne"],
    ["a".repeat(41), "At most 40 characters; this has 41.", "a".repeat(40)],
  ])("refuses %s and offers what would do", (name, why, suggestion) => {
    expect(checkName("project", name, [])).toEqual({ ok: false, why, suggestion });
  });

  it("refuses a name that is taken", () => {
    expect(checkName("project", "demo", ["demo"])).toEqual({ ok: false, why: "There is a project called demo already." });
  });

  it("offers nothing that is taken or empty", () => {
    expect(checkName("project", "Demo", ["demo"])).not.toHaveProperty("suggestion");
    expect(checkName("project", "123", [])).not.toHaveProperty("suggestion");
  });

  it("gives users shorter names", () => {
    expect(checkName("user", "a".repeat(32), [])).toEqual({ ok: true });
    expect(checkName("user", "a".repeat(33), [])).toMatchObject({ why: "At most 32 characters; this has 33.", suggestion: "a".repeat(32) });
  });
});

it("suggests only names that the rule allows", () => {
  const letters = "aZ09-_ .é/ß";
  for (let n = 0; n < 5000; n++) {
    const name = Array.from({ length: (n % 60) + 1 }, (_, i) => letters[(n * 31 + i * i * 7 + i * n) % letters.length]).join("");
    const suggestion = suggestName(name, 40);
    if (suggestion !== "") expect(suggestion, name).toMatch(rule);
    expect(suggestion.length).toBeLessThanOrEqual(40);
  }
});
