import { useEffect, useState } from "react";
import { paths, send } from "../../api/client";
import type { Build, Item } from "../../api/environments";
import { invalidate, useList, useThing } from "../../api/store";
import { PageHead } from "../../frame/PageHead";
import { useAction } from "../../parts/action";
import { Button } from "../../parts/Button";
import { BackIcon } from "../../parts/icons";
import { announce } from "../../parts/notices";
import { Time } from "../../parts/Time";
import { Link, navigate, to } from "../../router";
import { buildWords, byWords, durationWords, hasEnded } from "../../text/environment";
import { byteSize } from "../../text/size";
import { counted } from "../../text/time";
import { Activate } from "./Activate";
import { BuildAgain } from "./BuildAgain";
import { BuildLog } from "./BuildLog";
import { BuildProgress } from "./BuildProgress";
import { Compare } from "./Compare";
import { DeleteBuild, isDeletable } from "./DeleteBuild";
import { FailureNote, ProblemNote } from "./FailureNote";
import { PackageTable } from "./PackageTable";
import { useRights } from "./rights";
import { useBuildEvents } from "./useBuildEvents";

interface Props {
  project: string;
  name: string;
  build: number;
}

/** One build: how far it is, how it ended, what it changed. Its address shows the same after a reload. */
export function BuildPage({ project, name, build: number }: Props) {
  const { data: build, error } = useThing<Build>(paths.build(project, name, number));
  const ended = build !== undefined && hasEnded(build.state);
  const { progress, stream } = useBuildEvents(project, name, number, build !== undefined && !ended, error?.status === 404);
  const rights = useRights(project);
  const state = (!ended && !progress.ended && progress.state) || build?.state;
  const failure = build?.failure ?? progress.failure;

  // The result is known here first: what the lists say of it is read at once.
  useEffect(() => {
    if (progress.ended) invalidate(paths.environments(project), paths.environment(project, name), `${paths.environment(project, name)}/`);
  }, [progress.ended, project, name]);

  useEffect(() => {
    if (state) announce(`Build ${number}: ${buildWords({ state, active: build?.active ?? false }).word}`);
  }, [state, build?.active, number]);

  if (error?.status === 404) return <NoBuild project={project} name={name} build={number} message={error.message} />;
  return (
    <div className="page">
      <div>
        <Link className="back" href={to.environment(project, name, "builds")}>
          <BackIcon />
          {name}
        </Link>
        <PageHead title={`Build ${number}`} tools={build && rights.writes && <Tools build={build} ended={ended} owns={rights.owns} />}>
          {build && <Head build={build} />}
        </PageHead>
      </div>
      <ProblemNote error={error} />
      {build && state && <BuildProgress build={{ ...build, state }} progress={progress} stream={stream} />}
      {failure && (state === "failed" || state === "canceled") && failure.cause !== "canceled" && <FailureNote failure={failure} />}
      {build?.state === "ready" && <ReadyNote build={build} />}
      {build && <BuildLog build={build} progress={progress} />}
      {build?.lock && ended && <Changes build={build} />}
      {build?.lock && ended && <Content build={build} />}
    </div>
  );
}

/** What was known of a build goes with it. */
function NoBuild({ project, name, build, message }: Props & { message: string }) {
  return (
    <div className="page">
      <PageHead title={`Build ${build}`}>{message}</PageHead>
      <p>
        It may have been deleted. <Link href={to.environment(project, name, "builds")}>Builds of {name}</Link>
      </p>
    </div>
  );
}

function Head({ build }: { build: Build }) {
  const facts = [build.python && `Python ${build.python}`, build.packages && counted(build.packages, "package"), build.bytes && byteSize(build.bytes), linkWords(build)];
  return (
    <span className="facts">
      <span>
        {build.reason ? `${build.reason} · ` : ""}
        {byWords(build.by)}, <Time at={build.created} />
      </span>
      <span className="facts-line small number">
        {facts.filter(Boolean).map((fact) => (
          <span key={fact}>{fact}</span>
        ))}
      </span>
    </span>
  );
}

function linkWords({ link }: Build): string {
  if (!link) return "";
  return link === "copy" ? "files copied" : link === "hardlink" ? "files hard-linked" : link === "reflink" ? "files cloned" : link;
}

function Tools({ build, ended, owns }: { build: Build; ended: boolean; owns: boolean }) {
  if (!ended) return <CancelBuild build={build} />;
  const { project, environment } = build;
  return (
    <>
      {owns && isDeletable(build) && <Delete build={build} />}
      {build.state === "failed" || build.state === "canceled" ? (
        <>
          <Link className="button" href={to.environment(project, environment, "spec")}>
            Edit environment.yml
          </Link>
          <BuildAgain project={project} name={environment} />
        </>
      ) : (
        !build.active && <Use build={build} />
      )}
    </>
  );
}

function CancelBuild({ build: { project, environment, build: number } }: { build: Build }) {
  const action = useAction();

  function cancel() {
    void action.run(async () => {
      await send("POST", paths.cancelBuild(project, environment, number));
      invalidate(paths.build(project, environment, number));
    });
  }

  return (
    <>
      <Button busy={action.busy} onClick={cancel}>
        Cancel build
      </Button>
      <ProblemNote error={action.error} />
    </>
  );
}

function Use({ build }: { build: Build }) {
  const [activating, setActivating] = useState(false);
  return (
    <>
      <Button look="main" onClick={() => setActivating(true)}>
        Use build {build.build}
      </Button>
      {activating && <Activate build={build} onClose={() => setActivating(false)} />}
    </>
  );
}

function Delete({ build }: { build: Build }) {
  const [deleting, setDeleting] = useState(false);
  const gone = () => navigate(to.environment(build.project, build.environment, "builds"));
  return (
    <>
      <Button look="danger" onClick={() => setDeleting(true)}>
        Delete build
      </Button>
      {deleting && <DeleteBuild build={build} onClose={() => setDeleting(false)} onDeleted={gone} />}
    </>
  );
}

function ReadyNote({ build }: { build: Build }) {
  const took = durationWords(build.started ?? build.created, build.ended);
  const how = build.reused ? "The same content was built before, so it was ready at once." : took && `It took ${took}.`;
  return (
    <p>
      {build.active ? "New programs get this build; running ones keep what they have until they are restarted." : "It is ready, and not in use for new programs."} <span className="soft">{how}</span>
    </p>
  );
}

function Changes({ build }: { build: Build }) {
  const { data: builds } = useList<Build>(paths.builds(build.project, build.environment));
  const others = builds?.filter((b) => b.build !== build.build && b.lock);
  if (!others || others.length === 0) return null;
  return (
    <section className="section" aria-labelledby="changes">
      <h2 id="changes">What changed</h2>
      <Compare build={build} others={others} />
    </section>
  );
}

function Content({ build }: { build: Build }) {
  const [open, setOpen] = useState(false);
  const { data: items, error } = useList<Item>(open ? paths.packages(build.project, build.environment, build.build) : undefined);
  return (
    <section className="section" aria-labelledby="content">
      <div className="section-head">
        <h2 id="content">Packages</h2>
        <Button look="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? "Hide" : `Show${build.packages ? ` all ${build.packages}` : ""}`}
        </Button>
      </div>
      <ProblemNote error={error} />
      {open && !error && <PackageTable items={items} search="" requestedOnly={false} />}
    </section>
  );
}
