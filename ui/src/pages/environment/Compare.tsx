import { useState } from "react";
import { paths } from "../../api/client";
import type { Build, Diff } from "../../api/environments";
import { useThing } from "../../api/store";
import { DiffView } from "./DiffView";
import { ProblemNote } from "./FailureNote";

/** What a build has that another has not, and the other way round. The one before it is chosen at first. */
export function Compare({ build, others }: { build: Build; others: Build[] }) {
  const before = others.filter((b) => b.build < build.build);
  const nearest = Math.max(0, ...before.map((b) => b.build)) || (others[0]?.build ?? 0);
  const [from, setFrom] = useState(nearest);
  const { data: diff, error } = useThing<Diff>(paths.diff(build.project, build.environment, build.build, from));
  return (
    <>
      <label className="compare">
        <span className="soft">Since</span>
        <select className="control" value={from} onChange={(event) => setFrom(Number(event.target.value))}>
          {others.map((b) => (
            <option key={b.build} value={b.build}>
              build {b.build}
              {b.active ? " (active)" : ""}
            </option>
          ))}
        </select>
      </label>
      <ProblemNote error={error} />
      {diff && <DiffView diff={diff} />}
    </>
  );
}
