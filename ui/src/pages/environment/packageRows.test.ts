import { describe, expect, it } from "vitest";
import type { Item } from "../../api/environments";
import { found, needers, sorted, sourceOf, whyHere, type Order } from "./packageRows";

const items: Item[] = [
  { name: "numpy", version: "2.10.0", from: "conda", channel: "https://example.org/conda-forge/", license: "BSD-3-Clause", size: 7_000_000, requested: true },
  { name: "Markdown", version: "3.8", from: "pip", license: "BSD", size: 100 },
  { name: "libblas", version: "2.9.0", from: "conda", channel: "conda-forge", size: 5000 },
  { name: "pandas", version: "2.2", from: "conda", requested: true, requires: ["numpy", "libblas"] },
  { name: "scipy", version: "1.15", from: "conda", requires: ["libblas"] },
];

const names = (list: Item[]) => list.map((i) => i.name).join(" ");
const by = (column: Order["column"], down = false) => names(sorted(items, { column, down }));

describe("sorted", () => {
  it("goes by name without regard to case, and by version as numbers", () => {
    expect(by("name")).toBe("libblas Markdown numpy pandas scipy");
    expect(by("version")).toBe("scipy pandas libblas numpy Markdown");
  });
  it("goes by size from either end", () => {
    expect(by("size", true)).toBe("numpy libblas Markdown pandas scipy");
  });
  it("keeps equal rows in the order of their names, whichever way", () => {
    expect(by("license")).toBe("libblas pandas scipy Markdown numpy");
    expect(by("from", true)).toBe("Markdown libblas numpy pandas scipy");
  });
});

describe("found", () => {
  it("wants every word, in any of what is shown", () => {
    expect(names(found(items, "bsd NUM", false))).toBe("numpy");
    expect(names(found(items, "pypi", false))).toBe("Markdown");
    expect(names(found(items, "nowhere", false))).toBe("");
  });
  it("leaves out what was brought along, when asked to", () => {
    expect(names(found(items, "", true))).toBe("numpy pandas");
  });
  it("gives the same list where nothing is asked", () => {
    expect(found(items, " ", false)).toBe(items);
  });
});

it("calls a channel by its name, and an address without one by its last part", () => {
  expect([sourceOf(items[0]!), sourceOf(items[1]!), sourceOf(items[3]!)]).toEqual(["conda-forge", "PyPI", "conda"]);
  expect(sourceOf({ from: "conda", channel: "ours/label/dev" })).toBe("ours/label/dev");
});

it("says who brought a package along", () => {
  const needed = needers(items);
  expect(items.map((i) => whyHere(i, needed))).toEqual(["requested", "brought along", "for pandas and 1 more", "requested", "brought along"]);
});

it("sorts and filters ten thousand packages at once", () => {
  const many = Array.from({ length: 10_000 }, (_, i): Item => ({ name: `package-${(i * 7919) % 10_000}`, version: `${i % 9}.${i % 17}`, from: i % 3 ? "conda" : "pip", size: i }));
  const start = performance.now();
  expect(sorted(found(many, "package 99", false), { column: "version", down: true }).length).toBeGreaterThan(100);
  expect(performance.now() - start).toBeLessThan(500);
});
