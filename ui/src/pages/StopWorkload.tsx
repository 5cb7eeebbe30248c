import { paths, send } from "../api/client";
import { invalidate } from "../api/store";
import type { Workload } from "../api/types";
import { Confirm } from "../parts/Confirm";
import { notify } from "../parts/notices";
import { Time } from "../parts/Time";
import { lossOf } from "../text/state";
import { counted } from "../text/time";

/** Asks before a program is stopped. */
export function StopWorkload({ workload, onClose }: { workload: Workload; onClose: () => void }) {
  async function act() {
    await send("POST", paths.stop(workload.project, workload.id));
    invalidate(paths.workloads(workload.project));
    notify(`Stopping ${workload.name}.`);
  }

  return (
    <Confirm title={`Stop ${workload.name}?`} verb="Stop it" act={act} onClose={onClose}>
      <p>{lossOf(workload)}</p>
      <p className="soft">
        {workload.owner} started it <Time at={workload.started} />
        {workload.connections > 0 && `; ${counted(workload.connections, "open connection")}`}.
      </p>
    </Confirm>
  );
}
