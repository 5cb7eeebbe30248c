import { expect, it } from "vitest";
import { adding, editWords, isEmpty, messageOf, noEdit, notAdding, renaming, toggled } from "./draft";

const pandas = { name: "pandas", from: "conda" } as const;

it("adds a package once, the last wish counting", () => {
  const twice = adding(adding(noEdit, pandas), { ...pandas, version: "==2" });
  expect(twice.add).toEqual([{ ...pandas, version: "==2" }]);
  expect(isEmpty(notAdding(twice, "pandas"))).toBe(true);
});

it("does not remove what it adds", () => {
  expect(adding({ ...noEdit, remove: ["pandas"] }, pandas)).toEqual({ add: [pandas], remove: [], upgrade: [] });
});

it("marks a package for one thing at a time, and takes the mark away", () => {
  const removed = toggled(noEdit, "remove", "six");
  expect(toggled(removed, "upgrade", "six")).toEqual({ add: [], remove: [], upgrade: ["six"] });
  expect(toggled(removed, "remove", "six")).toEqual(noEdit);
});

it("takes a better name for one that does not exist, without its version", () => {
  expect(renaming(adding(noEdit, { name: "Nunpy", from: "pip", version: "==1" }), "nunpy", "numpy").add).toEqual([{ name: "numpy", from: "pip" }]);
  expect(renaming(noEdit, "nunpy", "numpy")).toEqual({ add: [{ name: "numpy", from: "conda" }], remove: ["nunpy"], upgrade: [] });
});

it("says what it holds", () => {
  const edit = { add: [pandas], remove: ["six"], upgrade: ["a", "b", "c", "d", "e"] };
  expect(editWords(edit)).toBe("1 to add, 1 to remove, 5 to upgrade");
  expect(messageOf(edit)).toBe("add pandas, remove six, upgrade 5 packages");
});
