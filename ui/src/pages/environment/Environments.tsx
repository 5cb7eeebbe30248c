import { useState } from "react";
import { paths } from "../../api/client";
import type { Environment } from "../../api/environments";
import { useList } from "../../api/store";
import { PageHead } from "../../frame/PageHead";
import { Button } from "../../parts/Button";
import { Empty } from "../../parts/Empty";
import { ErrorNote } from "../../parts/ErrorNote";
import { PlusIcon } from "../../parts/icons";
import { SkeletonRows } from "../../parts/Skeleton";
import { StateWord } from "../../parts/StateLabel";
import { Link, to } from "../../router";
import { buildWords, hasEnded, staleWords } from "../../text/environment";
import { byteSize } from "../../text/size";
import { counted } from "../../text/time";
import { Disk } from "./Disk";
import { EnvironmentPage } from "./EnvironmentPage";
import { NewEnvironment } from "./NewEnvironment";
import { useRights } from "./rights";
import { Rules } from "./Rules";

/** The environments of a project; where there is one only, that one. */
export function Environments({ project }: { project: string }) {
  const { data: environments, error } = useList<Environment>(paths.environments(project));
  const { writes, owns } = useRights(project);
  const [making, setMaking] = useState(false);
  const [only, ...more] = environments ?? [];
  if (only && more.length === 0) return <EnvironmentPage project={project} name={only.name} part="packages" />;

  const start = writes && (
    <Button look="main" onClick={() => setMaking(true)}>
      <PlusIcon />
      New environment
    </Button>
  );
  return (
    <div className="page">
      <PageHead title="Environments" tools={environments && environments.length > 0 && start}>
        What notebooks, terminals and sessions of {project} run on.
      </PageHead>
      <ErrorNote error={error} />
      {environments?.length === 0 ? (
        <Empty title="No environment yet" action={start}>
          An environment is Python with the packages that an environment.yml asks for. It is built once, and used by every program of the project.
        </Empty>
      ) : (
        <ul className="list">
          {!environments && !error && <SkeletonRows rows={2} className="list-row" />}
          {environments?.map((environment) => (
            <Row key={environment.name} environment={environment} />
          ))}
        </ul>
      )}
      {environments && <Rules project={project} />}
      {environments && environments.length > 0 && <Disk project={project} owns={owns} />}
      {making && <NewEnvironment project={project} taken={environments?.map((e) => e.name) ?? []} onClose={() => setMaking(false)} />}
    </div>
  );
}

function Row({ environment }: { environment: Environment }) {
  const { project, name, active, latest, default: isDefault } = environment;
  const facts = [
    active?.python && `Python ${active.python}`,
    active && counted(active.packages, "package"),
    active && `build ${active.build}`,
    environment.exclusive_bytes > 0 && `${byteSize(environment.exclusive_bytes)} on disk`,
  ].filter(Boolean);
  return (
    <li className="list-row environment">
      <div className="list-main">
        <Link className="list-name" href={to.environment(project, name)}>
          {name}
        </Link>{" "}
        {isDefault && <span className="role">default</span>}
        <div className="small soft number">{facts.join(" · ") || "not built yet"}</div>
        {staleWords(environment).map((words) => (
          <div key={words} className="small soft">
            {words}
          </div>
        ))}
      </div>
      {latest && <Latest build={latest} />}
    </li>
  );
}

function Latest({ build }: { build: NonNullable<Environment["latest"]> }) {
  const { tone, word } = buildWords(build);
  if (build.active) return <StateWord tone={tone} word={word} />;
  const words = hasEnded(build.state) ? `build ${build.build} ${word}` : `${word} ${build.build}…`;
  return (
    <Link href={to.build(build.project, build.environment, build.build)}>
      <StateWord tone={tone} word={words} />
    </Link>
  );
}
