import { useState } from "react";
import { paths } from "../api/client";
import { useList, useThing } from "../api/store";
import type { Environment } from "../api/environments";
import type { Me, Project, Workload } from "../api/types";
import { PageHead } from "../frame/PageHead";
import { Empty } from "../parts/Empty";
import { ErrorNote } from "../parts/ErrorNote";
import { SearchBox } from "../parts/SearchBox";
import { byteSize } from "../text/size";
import { counted } from "../text/time";
import { StopWorkload } from "./StopWorkload";
import { useSpokenChanges } from "./spoken";
import { WorkloadTable } from "./WorkloadTable";

/** Everything that runs in the project, as it changes. */
export function Running({ project }: { project: string }) {
  const { data: workloads, error } = useList<Workload>(paths.workloads(project));
  const role = useThing<Project>(paths.project(project)).data?.role;
  const environments = useList<Environment>(paths.environments(project)).data;
  const me = useThing<Me>(paths.me).data;
  const [search, setSearch] = useState("");
  const [stopping, setStopping] = useState<Workload>();
  useSpokenChanges(workloads);

  function mayStop(workload: Workload): boolean {
    return me !== undefined && (workload.owner === me.user || role === "data_owner" || me.admin);
  }

  return (
    <div className="page">
      <PageHead title="Running" tools={<SearchBox label="Filter by name, person or state" placeholder="Filter" value={search} onChange={setSearch} />}>
        {workloads && <Summary workloads={workloads} />}
      </PageHead>
      <ErrorNote error={error} />
      {workloads?.length === 0 ? (
        <Empty title="Nothing runs">Open a notebook or a terminal in JupyterLab and it shows up here at once.</Empty>
      ) : (
        !(error && !workloads) && <WorkloadTable workloads={workloads} environments={environments} search={search} mayStop={mayStop} onStop={setStopping} />
      )}
      {stopping && <StopWorkload workload={stopping} onClose={() => setStopping(undefined)} />}
    </div>
  );
}

function Summary({ workloads }: { workloads: Workload[] }) {
  const live = workloads.filter((w) => w.state !== "ended");
  const memory = live.reduce((sum, w) => sum + w.memory_bytes, 0);
  if (live.length === 0) return null;
  const sizes = memory > 0 ? `, ${byteSize(memory)} of memory` : "";
  return <span className="number">{`${counted(live.length, "program")}${sizes}`}</span>;
}
