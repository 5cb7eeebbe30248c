import { useEffect, useRef } from "react";
import type { Workload } from "../api/types";
import { announce } from "../parts/notices";
import { stateWords } from "../text/state";

/** Says aloud what started, ended or changed its state since the last list. Idle and busy come and go too often to be said. */
export function useSpokenChanges(workloads: Workload[] | undefined): void {
  const before = useRef<Workload[]>(undefined);
  useEffect(() => {
    if (before.current && workloads) {
      const said = changesBetween(before.current, workloads);
      if (said.length > 0) announce(said.join(". "));
    }
    before.current = workloads;
  }, [workloads]);
}

/** The differences that matter, as sentences. */
export function changesBetween(before: Workload[], after: Workload[]): string[] {
  const old = new Map(before.map((w) => [w.id, w]));
  const said: string[] = [];
  for (const workload of after) {
    const was = old.get(workload.id);
    old.delete(workload.id);
    if (was?.state !== workload.state) said.push(sentence(workload));
  }
  for (const gone of old.values()) {
    if (gone.state !== "ended") said.push(`${gone.name}: ended`);
  }
  return said;
}

function sentence(workload: Workload): string {
  const reason = workload.reason ? `, ${workload.reason}` : "";
  return `${workload.name}: ${stateWords(workload).word}${reason}`;
}
