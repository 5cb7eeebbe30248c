import { paths, send } from "../../api/client";
import type { Environment } from "../../api/environments";
import { invalidate, useList } from "../../api/store";
import type { Workload } from "../../api/types";
import { Confirm } from "../../parts/Confirm";
import { notify } from "../../parts/notices";
import { StateLabel } from "../../parts/StateLabel";
import { navigate, to } from "../../router";

/** Asks before an environment is deleted, naming what runs on it. */
export function DeleteEnvironment({ environment, onClose }: { environment: Environment; onClose: () => void }) {
  const { project, name } = environment;

  async function act() {
    await send("DELETE", paths.environment(project, name));
    invalidate(paths.environments(project), paths.environmentsUsage(project));
    notify(`${name} is deleted.`);
    navigate(to.environments(project));
  }

  return (
    <Confirm title={`Delete ${name}?`} verb="Delete environment" typeName={name} act={act} onClose={onClose}>
      <p>All its builds, its environment.yml and their history are lost. Notebooks stay, and need another environment to run.</p>
      <RunningOnIt project={project} name={name} />
    </Confirm>
  );
}

function RunningOnIt({ project, name }: { project: string; name: string }) {
  const running = useList<Workload>(paths.workloads(project)).data?.filter((w) => w.state !== "ended" && w.environment?.name === name);
  if (!running) return <p className="soft">Looking for what runs on it…</p>;
  if (running.length === 0) return <p className="soft">Nothing runs on it now.</p>;
  return (
    <>
      <p>These programs run on it and must be stopped first:</p>
      <ul className="will-stop">
        {running.map((workload) => (
          <li key={workload.id}>
            <span>
              {workload.name} <span className="small soft">{workload.owner}</span>
            </span>
            <StateLabel workload={workload} />
          </li>
        ))}
      </ul>
    </>
  );
}
