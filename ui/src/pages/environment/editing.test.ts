import { describe, expect, it } from "vitest";
import { broken, indented, kindOfFile, lineCount, offsetOf, outdented, type Selected } from "./editing";

/** Text with [ and ] where the selection begins and ends, or | where the caret is. */
function at(marked: string): Selected {
  const from = marked.search(/[|[]/);
  const to = marked.includes("|") ? from : marked.indexOf("]") - 1;
  return { text: marked.replace(/[|[\]]/g, ""), from, to };
}

const shown = ({ text, from, to }: Selected) =>
  from === to ? `${text.slice(0, from)}|${text.slice(from)}` : `${text.slice(0, from)}[${text.slice(from, to)}]${text.slice(to)}`;

describe("keys", () => {
  it.each([
    ["|a", "  |a"],
    ["a\nxyz|", "a\nxyz |"],
    ["a\n  - [x\n  - y]\nb", "a\n    - [x\n    - y]\nb"],
  ])("Tab: %j becomes %j", (before, after) => {
    expect(shown(indented(at(before)))).toBe(after);
  });

  it.each([
    ["    a|", "  a|"],
    [" |a", "|a"],
    ["|a", "|a"],
    ["a\n    [x\n  y]\nb", "a\n  [x\ny]\nb"],
  ])("Shift+Tab: %j becomes %j", (before, after) => {
    expect(shown(outdented(at(before)))).toBe(after);
  });

  it.each([
    ["name: x|", "name: x\n|"],
    ["dependencies:|", "dependencies:\n  - |"],
    ["  - numpy|", "  - numpy\n  - |"],
    ["  - pip:|", "  - pip:\n      - |"],
    ["a:\n  - |", "a:\n\n|"],
  ])("Enter: %j becomes %j", (before, after) => {
    expect(shown(broken(at(before)))).toBe(after);
  });
});

describe("places", () => {
  const text = "name: x\ndependencies:\n  - numpy ==\n";
  it.each([
    [1, 1, 0],
    [3, 5, 26],
    [3, 99, 34],
    [99, 1, 35],
    [0, 0, 0],
  ])("line %i, column %i is at %i", (line, column, offset) => {
    expect(offsetOf(text, line, column)).toBe(offset);
  });
  it("counts lines", () => {
    expect([lineCount(""), lineCount("a"), lineCount("a\n")]).toEqual([1, 1, 2]);
  });
});

it.each([
  ["environment.yml", "name: x\ndependencies: [python]", "environment"],
  ["pasted", "channels:\n  - conda-forge", "environment"],
  ["linux-64.txt", "# platform\n@EXPLICIT\nhttps://x/y.conda#abc", "lock"],
  ["conda-lock.yml", "version: 1\nmetadata: {}\npackage:\n- name: a", "lock"],
  ["lock.json", '{"version":1}', "lock"],
  ["requirements.txt", "numpy==2\n# name: x", "requirements"],
] as const)("takes %s as it is", (name, text, kind) => {
  expect(kindOfFile(name, text)).toBe(kind);
});
