// What a change of an environment comes to, in words.

import type { Change, Diff } from "../../api/environments";
import { byteSize } from "../../text/size";
import { counted } from "../../text/time";

/** How many packages differ. */
export function countOf({ added = [], removed = [], changed = [] }: Diff): number {
  return added.length + removed.length + changed.length;
}

/** "2 added, 1 removed, 3 upgraded": what there is of each. */
export function summaryOf(diff: Diff): string {
  const changed = diff.changed ?? [];
  const way = (direction: Change["direction"]) => changed.filter((c) => c.direction === direction).length;
  const other = changed.length - way("up") - way("down");
  const parts: [number, string][] = [
    [diff.added?.length ?? 0, "added"],
    [diff.removed?.length ?? 0, "removed"],
    [way("up"), "upgraded"],
    [way("down"), "downgraded"],
    [other, "rebuilt"],
  ];
  const said = parts.filter(([n]) => n > 0).map(([n, word]) => `${n} ${word}`);
  return said.length > 0 ? said.join(", ") : "Nothing changes";
}

/** What happens to a running environment when it goes from one build to another. */
export function activationWords(diff: Diff): string {
  const count = countOf(diff);
  if (count === 0) return "Both builds have the same packages.";
  return `${counted(count, "package")} ${count === 1 ? "changes" : "change"}: ${summaryOf(diff)}.`;
}

/** What must come over the network, and how much is there already. */
export function downloadWords(download: number, artifacts: number): string {
  if (download <= 0) return artifacts > 0 ? "Nothing to download: all of it is in the cache." : "Nothing to download.";
  return `${byteSize(download)} to download${artifacts > download ? ` of ${byteSize(artifacts)}; the rest is in the cache` : ""}.`;
}

export interface DiffRow {
  change: Change;
  mark: "+" | "−" | "↑" | "↓" | "≈";
  /** The mark in words, for those who do not see it. */
  said: string;
  versions: string;
}

/** The rows of a diff: what is new, what goes, what changes; each group by name. */
export function rowsOf({ added = [], removed = [], changed = [] }: Diff): DiffRow[] {
  return [
    ...added.map((change): DiffRow => ({ change, mark: "+", said: "added", versions: change.new ?? "" })),
    ...removed.map((change): DiffRow => ({ change, mark: "−", said: "removed", versions: change.old ?? "" })),
    ...changed.map(changedRow),
  ];
}

function changedRow(change: Change): DiffRow {
  const { old = "", new: now = "", old_build: oldBuild = "", new_build: newBuild = "" } = change;
  const versions = old === now ? `${now} ${oldBuild} → ${newBuild}` : `${old} → ${now}`;
  if (change.direction === "up") return { change, mark: "↑", said: "upgraded", versions };
  if (change.direction === "down") return { change, mark: "↓", said: "downgraded", versions };
  return { change, mark: "≈", said: "rebuilt", versions };
}
