import { describe, expect, it } from "vitest";
import type { BuildEvent } from "../../api/environments";
import { nothingYet, share, shareOf, withEvents, type Progress } from "./progress";

let seq = 0;
const event = (e: Partial<BuildEvent>): BuildEvent => ({ seq: ++seq, time: "2026-06-15T12:00:00Z", type: "log", ...e });

function after(...events: Partial<BuildEvent>[]): Progress {
  seq = 0;
  return withEvents(nothingYet, events.map(event));
}

const states = (p: Progress) => p.steps.map((s) => s.state).join(" ");

describe("withEvents", () => {
  it("goes through the phases", () => {
    expect(states(nothingYet)).toBe("waiting waiting waiting waiting waiting");
    expect(states(after({ type: "state", state: "solving", phase: "solve" }))).toBe("now waiting waiting waiting waiting");
    expect(states(after({ type: "state", phase: "solve" }, { type: "state", state: "building", phase: "link" }))).toBe("done skipped now waiting waiting");
  });

  it("counts packages and bytes", () => {
    const p = after({ type: "progress", phase: "fetch", done: 3, total: 10, bytes: 50, total_bytes: 200, package: "numpy" });
    expect(p.steps[1]).toMatchObject({ state: "now", done: 3, total: 10, bytes: 50, totalBytes: 200, package: "numpy" });
  });

  it("keeps counts when a log line comes between", () => {
    const p = after({ type: "progress", phase: "fetch", done: 3, total: 10 }, { phase: "fetch", text: "a line" });
    expect(p.steps[1]).toMatchObject({ done: 3, total: 10 });
    expect(p.log.map((l) => l.text)).toEqual(["a line"]);
  });

  it("counts an event once, however often it comes", () => {
    seq = 0;
    const all = [event({ text: "a" }), event({ text: "b" }), event({ text: "c" }), event({ text: "d" })];
    const first = withEvents(nothingYet, all.slice(0, 3));
    const again = withEvents(first, all.slice(1));
    expect(again.log.map((l) => l.text)).toEqual(["a", "b", "c", "d"]);
    expect(withEvents(again, all)).toBe(again);
  });

  it("is the same however the events are cut", () => {
    seq = 0;
    const all = [
      event({ type: "state", state: "solving", phase: "solve" }),
      event({ text: "solving" }),
      event({ type: "progress", phase: "fetch", done: 1, total: 2 }),
      event({ type: "progress", phase: "fetch", done: 2, total: 2 }),
      event({ type: "state", phase: "link" }),
      event({ type: "result", state: "ready" }),
    ];
    const whole = withEvents(nothingYet, all);
    expect(all.reduce((p, e) => withEvents(p, [e]), nothingYet)).toEqual(whole);
    expect(states(whole)).toBe("done done done skipped skipped");
  });

  it("marks the phase that failed and keeps the cause", () => {
    const failure = { cause: "unsatisfiable", message: "no", tree: "└─ a" };
    const p = after({ type: "state", phase: "solve" }, { type: "result", state: "failed", failure });
    expect(states(p)).toBe("failed waiting waiting waiting waiting");
    expect(p).toMatchObject({ ended: true, state: "failed", failure });
  });

  it("leaves a build that was canceled where it was", () => {
    const p = after({ type: "progress", phase: "fetch", done: 1, total: 4 }, { type: "result", state: "canceled" });
    expect(states(p)).toBe("skipped stopped waiting waiting waiting");
    expect(shareOf(p.steps[1]!)).toBe(0.25);
  });

  it("begins anew when a build is restored", () => {
    const failure = { cause: "canceled", message: "no" };
    const p = after({ type: "state", state: "building", phase: "link", text: "a" }, { type: "result", state: "canceled", failure }, { type: "state", state: "building", phase: "fetch", text: "b" });
    expect(states(p)).toBe("skipped now waiting waiting waiting");
    expect(p).toMatchObject({ ended: false, failure: undefined, state: "building" });
    expect(p.log.map((l) => l.text)).toEqual(["a", "b"]);
  });

  it("keeps the last lines of a log that is too long, and says how many are gone", () => {
    const p = after(...Array.from({ length: 5003 }, (_, i) => ({ text: `line ${i}` })));
    expect(p.log).toHaveLength(5000);
    expect([p.dropped, p.log[0]?.text]).toEqual([3, "line 3"]);
  });
});

describe("share", () => {
  it("grows with every phase and is whole at the end", () => {
    const stages = [
      after({ type: "state", phase: "solve" }),
      after({ type: "progress", phase: "fetch", bytes: 50, total_bytes: 100 }),
      after({ type: "progress", phase: "link", done: 1, total: 2 }),
      after({ type: "progress", phase: "finish", done: 9, total: 10 }),
      after({ type: "result", state: "ready" }),
    ].map(share);
    expect(stages).toEqual(stages.toSorted((a, b) => a - b));
    expect(stages[0]).toBe(0);
    expect(stages[1]).toBeCloseTo(0.3);
    expect(stages.at(-1)).toBe(1);
  });

  it("never passes the whole", () => {
    const p = after({ type: "progress", phase: "fetch", done: 5, total: 3 });
    expect(shareOf(p.steps[1]!)).toBe(1);
  });
});
