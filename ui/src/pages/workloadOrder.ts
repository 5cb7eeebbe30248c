// Sorting and filtering of workloads.

import type { Workload } from "../api/types";
import { runsOnWords } from "../text/environment";
import { kindWord, stateWords } from "../text/state";

export interface Column {
  id: "name" | "owner" | "state" | "last_activity" | "memory_bytes";
  name: string;
  /** Numbers stand at the right, and sort from the largest. */
  right?: true;
}

export const columns: Column[] = [
  { id: "name", name: "Name" },
  { id: "owner", name: "Who" },
  { id: "state", name: "State" },
  { id: "last_activity", name: "Last activity" },
  { id: "memory_bytes", name: "Memory", right: true },
];

export interface Order {
  column: Column["id"];
  down: boolean;
}

const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** Those whose name, person, kind or state has all the words of the search. */
export function found(workloads: Workload[], search: string): Workload[] {
  const wanted = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return workloads;
  return workloads.filter((w) => {
    const text = `${w.name} ${w.owner} ${kindWord(w.kind)} ${stateWords(w).word} ${w.reason ?? ""} ${w.environment ? runsOnWords(w.environment) : ""}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}

/** In order, with what has ended last; equal rows keep the order of their ids, so that nothing jumps. */
export function sorted(workloads: Workload[], { column, down }: Order): Workload[] {
  const direction = down ? -1 : 1;
  return workloads.toSorted((a, b) => over(a) - over(b) || direction * compare(a, b, column) || (a.id < b.id ? -1 : 1));
}

function over(workload: Workload): number {
  return workload.state === "ended" ? 1 : 0;
}

function compare(a: Workload, b: Workload, column: Column["id"]): number {
  switch (column) {
    case "memory_bytes":
      return a.memory_bytes - b.memory_bytes;
    case "last_activity":
      return Date.parse(b.last_activity) - Date.parse(a.last_activity);
    case "state":
      return words.compare(stateWords(a).word, stateWords(b).word);
    default:
      return words.compare(a[column], b[column]);
  }
}
