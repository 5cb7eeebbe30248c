import { useState } from "react";
import { paths } from "../../api/client";
import type { Activation, Environment } from "../../api/environments";
import { useList } from "../../api/store";
import { Button } from "../../parts/Button";
import { ErrorNote } from "../../parts/ErrorNote";
import { SkeletonRows } from "../../parts/Skeleton";
import { Time } from "../../parts/Time";
import { activationDeed, activationReason, byWords } from "../../text/environment";

const most = 10;

/** Which build was made the active one, when and by whom. */
export function History({ environment: { project, name } }: { environment: Environment }) {
  const { data, error } = useList<Activation>(paths.history(project, name));
  const [all, setAll] = useState(false);
  return (
    <section className="section" aria-labelledby="history">
      <h2 id="history">In use</h2>
      <ErrorNote error={error} />
      <div className="list">
        {!data && !error && <SkeletonRows rows={2} className="list-row slim" />}
        {data?.length === 0 && <p className="list-row slim soft">No build has been in use yet.</p>}
        {data?.slice(0, all ? undefined : most).map((activation) => (
          <div key={activation.number} className="list-row slim">
            <div className="list-main">
              {activationDeed(activation)} <span className="small soft">{activationReason(activation)}</span>
            </div>
            <span className="small soft">
              {byWords(activation.by)}, <Time at={activation.created} />
            </span>
          </div>
        ))}
      </div>
      {data && !all && data.length > most && <Button onClick={() => setAll(true)}>Show all {data.length}</Button>}
    </section>
  );
}
