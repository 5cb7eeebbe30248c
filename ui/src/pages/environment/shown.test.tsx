import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";
import type { Build, Environment } from "../../api/environments";
import { BuildProgress } from "./BuildProgress";
import { DiffView } from "./DiffView";
import { FailureNote } from "./FailureNote";
import { LineDiff } from "./LineDiff";
import { Notes } from "./Notes";
import { nothingYet, withEvents } from "./progress";

/** What a person reads. */
const words = (html: string) => html.replace(/<[^>]+>/g, " ").replace(/\s+/g, " ").replaceAll("&gt;", ">").replaceAll("&lt;", "<").trim();

const build: Build = { project: "demo", environment: "python", build: 13, revision: 3, state: "building", active: false, by: "mira", created: "2026-06-15T12:00:00Z" };
const environment: Environment = {
  project: "demo",
  name: "python",
  kind: "conda",
  why: "",
  default: true,
  revision: 3,
  created: "",
  created_by: "mira",
  exclusive_bytes: 0,
  shared_bytes: 0,
};

describe("a failure", () => {
  it("names the rule that refused", () => {
    const html = renderToStaticMarkup(<FailureNote failure={{ cause: "policy_denied", message: "the licence AGPL-3.0 is not allowed here", rule: "deny_licenses" }} />);
    expect(words(html)).toBe("The licence AGPL-3.0 is not allowed here. The rule is deny_licenses .");
    expect(html).toContain('role="alert"');
  });

  it("offers near names as buttons where one can be taken", () => {
    const failure = { cause: "package_missing", message: "there is no package nunpy", near: ["numpy", "numba"] };
    expect(renderToStaticMarkup(<FailureNote failure={failure} onTake={() => {}} />).match(/<button/g)).toHaveLength(2);
    expect(words(renderToStaticMarkup(<FailureNote failure={failure} />))).toBe("There is no package nunpy. Did you mean numpy numba ?");
  });

  it("keeps the lines of a conflict's tree, and takes nothing in it for markup", () => {
    const tree = "├─ a <2\n│  └─ <script>";
    expect(renderToStaticMarkup(<FailureNote failure={{ cause: "unsatisfiable", message: "no", tree }} />)).toContain("├─ a &lt;2\n│  └─ &lt;script&gt;</pre>");
  });
});

it("says of each change what it is, in words too", () => {
  const html = renderToStaticMarkup(<DiffView diff={{ added: [{ name: "a", from: "conda", new: "1", bytes: 2048 }], removed: [{ name: "b", from: "pip", old: "2" }], unchanged: 3, bytes: 2048 }} />);
  expect(words(html)).toBe("1 added, 1 removed · 3 stay as they are + added a 1 2.0 kB − removed b PyPI 2");
});

it("marks the lines of two texts", () => {
  expect(renderToStaticMarkup(<LineDiff old={"a\nb\n"} now={"a\nc\n"} label="" />)).toContain('<span data-mark="−">− b\n</span><span data-mark="+">+ c\n</span>');
});

describe("an environment's notes", () => {
  const active = { build: 12, id: "", revision: 2, packages: 1, prefix: "", since: "", by: "" };
  const note = (more: Partial<Environment>) => words(renderToStaticMarkup(<Notes environment={{ ...environment, active, ...more }} />));

  it("tell how far a build is", () => {
    expect(note({ latest: { ...build, progress: { seq: 1, time: "", type: "progress", phase: "fetch", done: 12, total: 40 } } })).toBe("Building 13… Fetching packages, 12 of 40 Show");
  });
  it("tell why the newest one failed", () => {
    expect(note({ latest: { ...build, state: "failed", failure: { cause: "disk_full", message: "the disk is full" } } })).toBe("Build 13 failed. The disk is full. Show why");
  });
  it("tell who should restart", () => {
    expect(note({ in_use: [{ build: 11, workloads: ["a"] }] })).toBe("Build 11 is in use by 1 program, 12 is active: restart to use. Show them");
  });
  it("are silent when all is well", () => {
    expect(note({ latest: { ...build, state: "ready", active: true } })).toBe("");
  });
});

it("shows the steps of a build, with what is counted", () => {
  const progress = withEvents(nothingYet, [
    { seq: 1, time: "", type: "state", state: "solving", phase: "solve" },
    { seq: 2, time: "", type: "progress", phase: "fetch", done: 3, total: 10, bytes: 1024, total_bytes: 4096, package: "numpy" },
  ]);
  const html = renderToStaticMarkup(<BuildProgress build={build} progress={progress} stream={{ kind: "live" }} />);
  expect(words(html)).toBe(
    "building Fetching packages: numpy Solve : done Fetch : under way 3 of 10 · 1.0 kB of 4.1 kB Link : not begun Pip : not begun Finish : not begun",
  );
  expect(html).toContain('<progress class="bar" max="100" value="20"');
});
