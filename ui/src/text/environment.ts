// Environments and their builds as a person would say them.

import { sentence } from "../api/client";
import type { Activation, Build, BuildState, Environment, Failure, Phase } from "../api/environments";
import type { Part } from "../router";
import type { RunsOn } from "../api/types";
import type { StateWords } from "./state";
import { counted } from "./time";

/** The state of a build in a word. */
export function buildWords({ state, active }: Pick<Build, "state" | "active">): StateWords {
  switch (state) {
    case "queued":
      return { tone: "waiting", word: "waiting" };
    case "solving":
      return { tone: "waiting", word: "solving" };
    case "building":
      return { tone: "waiting", word: "building" };
    case "ready":
      return active ? { tone: "busy", word: "active" } : { tone: "idle", word: "ready" };
    case "collected":
      return { tone: "ended", word: "collected" };
    case "failed":
      return { tone: "bad", word: "failed" };
    case "canceled":
      return { tone: "ended", word: "canceled" };
    default: // a newer gateway may know more states
      return { tone: "idle", word: state };
  }
}

/** Reports whether nothing more will happen to a build by itself. */
export function hasEnded(state: BuildState): boolean {
  return state === "ready" || state === "collected" || state === "failed" || state === "canceled";
}

export const phases: { phase: Phase; name: string; doing: string }[] = [
  { phase: "solve", name: "Solve", doing: "Finding versions that fit together" },
  { phase: "fetch", name: "Fetch", doing: "Fetching packages" },
  { phase: "link", name: "Link", doing: "Putting packages in place" },
  { phase: "pip", name: "Pip", doing: "Installing wheels" },
  { phase: "finish", name: "Finish", doing: "Checking and compiling" },
];

export const partNames: Record<Part, string> = { packages: "Packages", spec: "environment.yml", builds: "Builds & history", use: "Use elsewhere", settings: "Settings" };

export const kindNames = { conda: "conda packages", venv: "Python wheels" } as const;

/** "python, build 12"; what was not built by an environment has no number. */
export function runsOnWords({ name, build, id }: RunsOn): string {
  return build > 0 ? `${name}, build ${build}` : name || id;
}

/** What a program should be told of its environment: that a newer build is active, or nothing. */
export function restartWords(on: RunsOn | undefined, environments: Environment[] | undefined): string {
  const active = environments?.find((e) => e.name === on?.name)?.active?.build;
  if (!on || on.build <= 0 || active === undefined || active === on.build) return "";
  return `${active} is active: restart to use`;
}

/** The programs that stay on builds other than the active one, one sentence for each build. */
export function staleWords({ active, in_use: inUse = [] }: Pick<Environment, "active" | "in_use">): string[] {
  if (!active) return [];
  return inUse
    .filter((use) => use.build !== active.build && use.workloads.length > 0)
    .map((use) => `Build ${use.build} is in use by ${counted(use.workloads.length, "program")}, ${active.build} is active: restart to use.`);
}

/** A failure as a sentence. The name of a package stays as it is at its beginning: "numpy >=2 does not fit." */
export function failureWords({ message, package: about }: Pick<Failure, "message" | "package">): string {
  const [first = "", second = ""] = message.split(" ", 2);
  const isName = first === about || /^[<>=!~]|^\d+\.\d/.test(second);
  const said = sentence(message);
  return isName ? message.charAt(0) + said.slice(1) : said;
}

/** Who did something: nobody's name means that Hopyard did it by itself. */
export function byWords(user: string): string {
  return user || "Hopyard";
}

/** What an activation did. */
export function activationDeed({ build, from = 0 }: Pick<Activation, "build" | "from">): string {
  if (from === 0) return `Build ${build}, the first`;
  return build < from ? `Rolled back from ${from} to ${build}` : `From ${from} to ${build}`;
}

/** Why it was, unless that is plain from what it did. */
export function activationReason({ build, reason = "" }: Pick<Activation, "build" | "reason">): string {
  return reason === "rolled back" || reason === `build ${build} is ready` ? "" : reason;
}

/** How long a build took, "42 s" or "3 min 5 s"; empty while that is not known. */
export function durationWords(started: string | undefined, ended: string | undefined): string {
  const ms = Date.parse(ended ?? "") - Date.parse(started ?? "");
  if (!(ms >= 0)) return "";
  return spanWords(ms);
}

/** A span of time in milliseconds, to the tenth of a second where that matters. */
export function spanWords(ms: number): string {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  return seconds % 60 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s` : `${seconds / 60} min`;
}
