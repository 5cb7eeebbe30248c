// What the events of a build add up to. Events may come twice, after a stream was opened again; each counts once.

import type { BuildEvent, BuildState, Failure, Phase } from "../../api/environments";
import { hasEnded, phases } from "../../text/environment";

/** How far one phase is. */
export interface Step {
  phase: Phase;
  state: "waiting" | "now" | "done" | "failed" | "stopped" | "skipped";
  done: number;
  total: number;
  bytes: number;
  totalBytes: number;
  /** What is being worked on. */
  package: string;
}

export interface LogLine {
  seq: number;
  time: string;
  phase: Phase | undefined;
  text: string;
}

export interface Progress {
  /** Number of the last event that was counted. */
  seq: number;
  state: BuildState | undefined;
  phase: Phase | undefined;
  steps: Step[];
  log: LogLine[];
  /** Lines that were dropped from the log's beginning. */
  dropped: number;
  failure: Failure | undefined;
  ended: boolean;
}

const mostLines = 5000;

export const nothingYet: Progress = {
  seq: 0,
  state: undefined,
  phase: undefined,
  steps: phases.map(({ phase }) => ({ phase, state: "waiting", done: 0, total: 0, bytes: 0, totalBytes: 0, package: "" })),
  log: [],
  dropped: 0,
  failure: undefined,
  ended: false,
};

/** What is known after more events, in their order. */
export function withEvents(before: Progress, events: BuildEvent[]): Progress {
  const fresh = events.filter((e, i) => e.seq > before.seq && (i === 0 || e.seq > (events[i - 1]?.seq ?? 0)));
  if (fresh.length === 0) return before;
  const after = fresh.reduce(withEvent, before);
  return { ...after, ...withLines(before, fresh) };
}

function withLines(before: Progress, events: BuildEvent[]): Pick<Progress, "log" | "dropped"> {
  const lines = events.filter((e) => e.text).map((e) => ({ seq: e.seq, time: e.time, phase: e.phase, text: e.text ?? "" }));
  if (lines.length === 0) return { log: before.log, dropped: before.dropped };
  const all = [...before.log, ...lines];
  const over = Math.max(0, all.length - mostLines);
  return { log: over ? all.slice(over) : all, dropped: before.dropped + over };
}

function withEvent(known: Progress, event: BuildEvent): Progress {
  const before = begunAnew(known, event);
  const ended = event.type === "result";
  const state = event.state ?? before.state;
  const phase = ended ? before.phase : (event.phase ?? before.phase);
  const steps = ended ? endedSteps(before, state) : stepsAt(before.steps, phase, event);
  return { ...before, seq: event.seq, state, phase, steps, ended: before.ended || ended, failure: event.failure ?? before.failure };
}

/** A build that goes on after its end is being restored: it goes through its phases again. */
function begunAnew(before: Progress, event: BuildEvent): Progress {
  const anew = before.ended && event.type !== "result" && event.state !== undefined && !hasEnded(event.state);
  return anew ? { ...before, ended: false, failure: undefined, phase: undefined, steps: nothingYet.steps } : before;
}

/** A phase that has begun ends those before it. Those that nothing happened in were not needed. */
function stepsAt(steps: Step[], phase: Phase | undefined, event: BuildEvent): Step[] {
  const here = phases.findIndex((p) => p.phase === phase);
  if (here < 0) return steps;
  return steps.map((step, i) => {
    if (i < here && step.state === "now") return { ...step, state: "done" };
    if (i < here && step.state === "waiting") return { ...step, state: "skipped" };
    if (i !== here) return step;
    return event.phase === phase ? counted({ ...step, state: "now" }, event) : { ...step, state: "now" };
  });
}

function counted(step: Step, event: BuildEvent): Step {
  if (event.type !== "progress") return step;
  return {
    ...step,
    done: event.done ?? 0,
    total: event.total ?? step.total,
    bytes: event.bytes ?? 0,
    totalBytes: event.total_bytes ?? step.totalBytes,
    package: event.package ?? "",
  };
}

function endedSteps({ steps }: Progress, state: BuildState | undefined): Step[] {
  const well = state === "ready" || state === "collected";
  return steps.map((step) => {
    if (step.state === "now") return { ...step, state: well ? "done" : state === "failed" ? "failed" : "stopped", package: "" };
    return step.state === "waiting" && well ? { ...step, state: "skipped" } : step;
  });
}

// How much of a build's time each phase takes, roughly, so that the bar moves evenly.
const weights: Record<Phase, number> = { solve: 10, fetch: 40, link: 20, pip: 15, finish: 15 };

/** How much of the whole is done, from 0 to 1. */
export function share({ steps, ended, state }: Progress): number {
  if (ended || (state && hasEnded(state))) return 1;
  const whole = phases.reduce((sum, { phase }) => sum + weights[phase], 0);
  const done = steps.reduce((sum, step) => sum + weights[step.phase] * shareOf(step), 0);
  return done / whole;
}

/** How much of a phase is done, from 0 to 1: by bytes where they are known, else by packages. */
export function shareOf({ state, done, total, bytes, totalBytes }: Step): number {
  if (state === "done" || state === "skipped") return 1;
  if (state !== "now" && state !== "stopped") return 0;
  if (totalBytes > 0) return Math.min(1, bytes / totalBytes);
  return total > 0 ? Math.min(1, done / total) : 0;
}
