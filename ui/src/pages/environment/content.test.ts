import { expect, it } from "vitest";
import { isComplete, requestOf, starterText, type Content } from "./content";

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
