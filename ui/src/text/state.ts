// A workload's state as a person would say it.

import type { Workload } from "../api/types";

/** What a state means; each has one colour and one shape. */
export type Tone = "busy" | "idle" | "waiting" | "ended" | "bad";

export interface StateWords {
  tone: Tone;
  word: string;
}

/** The state in a word or two. The reason, where there is one, is shown beside it. */
export function stateWords({ state, activity }: Pick<Workload, "state" | "activity">): StateWords {
  switch (state) {
    case "starting":
      return { tone: "waiting", word: "starting" };
    case "stopping":
      return { tone: "waiting", word: "stopping" };
    case "ended":
      return activity === "dead" ? { tone: "bad", word: "died" } : { tone: "ended", word: "ended" };
    case "running":
      return activityWords(activity);
  }
}

function activityWords(activity: string | undefined): StateWords {
  switch (activity) {
    case "busy":
      return { tone: "busy", word: "busy" };
    case "idle":
      return { tone: "idle", word: "idle" };
    case "restarting":
    case "starting":
    case "autorestarting":
      return { tone: "waiting", word: activity === "starting" ? "starting" : "restarting" };
    case "dead":
      return { tone: "bad", word: "died" };
    default:
      return { tone: "idle", word: activity || "running" };
  }
}

/** What a person loses when it is stopped. */
export function lossOf({ kind }: Pick<Workload, "kind">): string {
  if (kind === "build") return "What it has built so far is thrown away. The environment stays at the build that is in use.";
  if (kind === "terminal") return "The shell and every program that runs in it end. Saved files stay.";
  return "Its variables and whatever it is computing are lost. Saved notebooks and files stay.";
}

const kinds: Record<string, string> = { kernel: "Kernel", terminal: "Terminal", build: "Build" };

/** The kind with a capital, as a column shows it. */
export function kindWord(kind: string): string {
  return kinds[kind] ?? kind.charAt(0).toUpperCase() + kind.slice(1);
}

/** How far a program is kept from others, in short. The gateway's own sentence begins with the level: "none: …". */
export function isolationWords(isolation: string): string {
  const level = isolation.split(":", 1)[0];
  return !level || level === "none" ? "not isolated" : `isolated: ${level}`;
}
