import type { Build, BuildEvent, Environment } from "../../api/environments";
import { Note } from "../../parts/Note";
import { Link, to } from "../../router";
import { buildWords, failureWords, hasEnded, phases, staleWords } from "../../text/environment";

/** What is going on in an environment: a build under way or failed, and programs that stay on older builds. */
export function Notes({ environment }: { environment: Environment }) {
  const { latest } = environment;
  return (
    <div className="notes">
      {latest && !hasEnded(latest.state) && <Building build={latest} />}
      {latest?.state === "failed" && <Failed build={latest} />}
      {environment.findings?.map((finding) => (
        <Note key={`${finding.rule ?? ""} ${finding.package ?? ""}`} tone="bad">
          Today's rules are against the build in use: {failureWords(finding)} <span className="soft">It goes on, and could not be activated again.</span>
        </Note>
      ))}
      {staleWords(environment).map((words) => (
        <Note key={words} tone="running" tools={<Link href={to.running(environment.project)}>Show them</Link>}>
          {words}
        </Note>
      ))}
    </div>
  );
}

function Building({ build }: { build: Build }) {
  return (
    <Note tone="waiting" tools={<Link href={to.build(build.project, build.environment, build.build)}>Show</Link>}>
      <span className="state-word waiting">
        <span className="state-dot" aria-hidden="true" />
        {`${build.state === "queued" ? "Waiting to build" : "Building"} ${build.build}…`}
      </span>
      <span className="soft number">{build.state === "building" ? doing(build.progress, build.phase) : buildWords(build).word}</span>
    </Note>
  );
}

function Failed({ build }: { build: Build }) {
  return (
    <Note tone="bad" tools={<Link href={to.build(build.project, build.environment, build.build)}>Show why</Link>}>
      Build {build.build} failed. <span className="soft">{build.failure && failureWords(build.failure)}</span>
    </Note>
  );
}

/** "Fetching packages, 12 of 40". */
function doing(progress: BuildEvent | undefined, phase: Build["phase"]): string {
  const what = phases.find((p) => p.phase === (progress?.phase ?? phase))?.doing ?? "";
  return progress?.total ? `${what}, ${progress.done ?? 0} of ${progress.total}` : what;
}
