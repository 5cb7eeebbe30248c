import { expect, it } from "vitest";
import { isComplete, kindWords, requestOf, starterText, type Content } from "./content";

const empty: Content = { source: "text", text: "", file: undefined, from: { project: "demo", environment: "" }, notebook: "" };

it("wants the source that is chosen", () => {
  expect(isComplete({ ...empty, text: starterText("venv") })).toBe(true);
  expect(isComplete({ ...empty, source: "copy", text: "x" })).toBe(false);
  expect(isComplete({ ...empty, source: "file", file: { name: "a", text: " " } })).toBe(false);
  expect(isComplete({ ...empty, source: "notebook", notebook: "a.ipynb" })).toBe(true);
});

it.each([
  ["environment.yml", "name: x\n", "text"],
  ["requirements.txt", "numpy\n", "requirements"],
  ["linux.lock", "@EXPLICIT\n", "lock"],
])("sends %s as what it is", (name, text, field) => {
  expect(requestOf("e", { ...empty, source: "file", file: { name, text } })).toEqual({ name: "e", [field]: text, message: `from ${name}` });
});

it("copies another environment, at a build where one is chosen", () => {
  const from = { project: "demo", environment: "python", build: 3 };
  expect(requestOf("e", { ...empty, source: "copy", from })).toEqual({ name: "e", from, message: "copy of python, build 3" });
});

it("takes a notebook's path from the project's top", () => {
  expect(requestOf("e", { ...empty, source: "notebook", notebook: " /work/a.ipynb " })).toMatchObject({ notebook: "work/a.ipynb" });
});

const wheels = { kind: "venv", why: "packages come from the package index: forge answers, but lacks one" } as const;

it.each([
  ["channels: [ours]\ndependencies: []", "Made of conda packages: it names channels."],
  ["dependencies: []\nchannels:\n  - ours\n", "Made of conda packages: it names channels."],
  ["dependencies: [numpy]", "Made of Python wheels, as all that names no channels. Packages come from the package index: forge answers, but lacks one."],
  ["channels: []\ndependencies: [numpy]", "Made of Python wheels, as all that names no channels. Packages come from the package index: forge answers, but lacks one."],
  [" ", ""],
])("says what %j becomes and why", (text, words) => {
  expect(kindWords({ ...empty, text }, wheels)).toBe(words);
  if (text.trim()) expect(kindWords({ ...empty, source: "file", file: { name: "environment.yml", text } }, wheels)).toBe(words);
});

it("says nothing of what is not known yet, or is copied", () => {
  expect(kindWords({ ...empty, text: "dependencies: []" }, undefined)).toBe("");
  expect(kindWords({ ...empty, text: "dependencies: []" }, { kind: "", why: "it is being found out" })).toBe("");
  expect(kindWords({ ...empty, source: "file", file: { name: "linux.lock", text: "@EXPLICIT" } }, wheels)).toBe("");
  expect(kindWords({ ...empty, source: "copy", text: "dependencies: []" }, wheels)).toBe("");
});
