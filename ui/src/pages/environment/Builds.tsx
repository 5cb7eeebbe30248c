import { useState } from "react";
import { paths, send } from "../../api/client";
import type { Build, Environment } from "../../api/environments";
import { invalidate, useList } from "../../api/store";
import { useAction } from "../../parts/action";
import { Button } from "../../parts/Button";
import { Empty } from "../../parts/Empty";
import { PinIcon, TrashIcon } from "../../parts/icons";
import { SkeletonRows } from "../../parts/Skeleton";
import { StateWord } from "../../parts/StateLabel";
import { Time } from "../../parts/Time";
import { Link, to } from "../../router";
import { buildWords, byWords } from "../../text/environment";
import { byteSize } from "../../text/size";
import { Activate } from "./Activate";
import { BuildAgain } from "./BuildAgain";
import { DeleteBuild, isDeletable } from "./DeleteBuild";
import { ProblemNote } from "./FailureNote";
import { History } from "./History";
import { useRights, type Rights } from "./rights";

const step = 50;

/** All builds of an environment, the newest first, and which of them were in use. */
export function Builds({ environment }: { environment: Environment }) {
  const { project, name, active } = environment;
  const { data: builds, error } = useList<Build>(paths.builds(project, name));
  const rights = useRights(project);
  const [activating, setActivating] = useState<Build>();
  const [deleting, setDeleting] = useState<Build>();
  const [drawn, setDrawn] = useState(step);

  return (
    <>
      <section className="section" aria-labelledby="builds">
        <div className="section-head">
          <h2 id="builds">Builds</h2>
          {rights.writes && <BuildAgain project={project} name={name} />}
        </div>
        <ProblemNote error={error} />
        {!builds && !error && (
          <div className="list">
            <SkeletonRows rows={3} className="list-row" />
          </div>
        )}
        {builds?.length === 0 && <Empty title="No builds yet">The first one shows up here as soon as it begins.</Empty>}
        {builds && builds.length > 0 && (
          <table className="table builds">
            <thead>
              <tr>
                <th>Build</th>
                <th>State</th>
                <th>What for</th>
                <th className="right">Packages</th>
                <th className="right">Size</th>
                <th>
                  <span className="unseen">Acts</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {builds.slice(0, drawn).map((build) => (
                <Row key={build.build} build={build} rights={rights} active={active?.build} onActivate={setActivating} onDelete={setDeleting} />
              ))}
            </tbody>
          </table>
        )}
        {builds && builds.length > drawn && <Button onClick={() => setDrawn(drawn + step)}>Show {Math.min(step, builds.length - drawn)} more</Button>}
      </section>
      <History environment={environment} />
      {activating && <Activate build={activating} onClose={() => setActivating(undefined)} />}
      {deleting && <DeleteBuild build={deleting} onClose={() => setDeleting(undefined)} />}
    </>
  );
}

interface RowProps {
  build: Build;
  rights: Rights;
  active: number | undefined;
  onActivate: (build: Build) => void;
  onDelete: (build: Build) => void;
}

function Row({ build, rights, active, onActivate, onDelete }: RowProps) {
  const words = buildWords(build);
  const usable = (build.state === "ready" || build.state === "collected") && !build.active;
  const back = active !== undefined && build.build < active;
  return (
    <tr>
      <td className="cell-number number">
        <Link href={to.build(build.project, build.environment, build.build)} aria-label={`Build ${build.build}`}>
          {build.build}
        </Link>
      </td>
      <td className="cell-state">
        <StateWord tone={words.tone} word={words.word} />
      </td>
      <td className="cell-why">
        <div>{build.reason || `revision ${build.revision}`}</div>
        <div className="small soft">
          {byWords(build.by)}, <Time at={build.created} />
        </div>
      </td>
      <td className="cell-packages right number">{build.packages || "–"}</td>
      <td className="cell-size right number">{byteSize(build.bytes ?? 0)}</td>
      <td className="cell-act">
        {rights.writes && usable && (
          <Button look="quiet" aria-label={`${back ? "Roll back to" : "Use"} build ${build.build}`} onClick={() => onActivate(build)}>
            {back ? "Roll back" : "Use"}
          </Button>
        )}
        <Pin build={build} allowed={rights.owns} />
        {rights.owns && isDeletable(build) && (
          <button type="button" className="icon-button" aria-label={`Delete build ${build.build}`} title="Delete it" onClick={() => onDelete(build)}>
            <TrashIcon />
          </button>
        )}
      </td>
    </tr>
  );
}

/** A pinned build is never collected. */
function Pin({ build, allowed }: { build: Build; allowed: boolean }) {
  const action = useAction();
  const { project, environment, build: number, pinned = false, state } = build;
  if (!pinned && (!allowed || state !== "ready")) return null;

  function toggle() {
    void action.run(async () => {
      await send("PATCH", paths.build(project, environment, number), { pinned: !pinned });
      invalidate(paths.builds(project, environment), paths.build(project, environment, number));
    });
  }

  const says = action.error?.message ?? (pinned ? "Pinned: it is never collected" : "Pin it, so that it is never collected");
  return (
    <button type="button" className="icon-button pin" aria-pressed={pinned} aria-label={`Pin build ${number}`} title={says} disabled={!allowed || action.busy} onClick={toggle}>
      <PinIcon />
    </button>
  );
}
