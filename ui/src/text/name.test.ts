import { describe, expect, it } from "vitest";
import { checkName, suggestName } from "./name";

// The gateway's own rule: projects.CheckProjectName.
const rule = /^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$/;

describe("checkName", () => {
  it.each(["a", "demo", "churn-model", "weather_2026", "a-b_c9", "a".repeat(40)])("takes %s", (name) => {
    expect(checkName(name, [])).toEqual({ ok: true });
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
    expect(checkName(name, [])).toEqual({ ok: false, why, suggestion });
  });

  it("refuses a name that is taken", () => {
    expect(checkName("demo", ["demo"])).toEqual({ ok: false, why: "You already have a project called demo." });
  });

  it("offers nothing that is taken or empty", () => {
    expect(checkName("Demo", ["demo"])).not.toHaveProperty("suggestion");
    expect(checkName("123", [])).not.toHaveProperty("suggestion");
  });
});

it("suggests only names that the rule allows", () => {
  const letters = "aZ09-_ .é/ß";
  for (let n = 0; n < 5000; n++) {
    const name = Array.from({ length: (n % 60) + 1 }, (_, i) => letters[(n * 31 + i * i * 7 + i * n) % letters.length]).join("");
    const suggestion = suggestName(name);
    if (suggestion !== "") expect(suggestion, name).toMatch(rule);
    expect(suggestion.length).toBeLessThanOrEqual(40);
  }
});
