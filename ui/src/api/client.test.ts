import { expect, it } from "vitest";
import { sentence } from "./client";

it("makes sentences, and leaves the names of files as they are", () => {
  const said = ["there is none", "seven.ipynb (kernel of ada) runs on build 2", "work/a.ipynb is open", "what now?", "e.g. this"].map(sentence);
  expect(said).toEqual(["There is none.", "seven.ipynb (kernel of ada) runs on build 2.", "work/a.ipynb is open.", "What now?", "e.g. this."]);
});
