import { paths } from "../api/client";
import { useThing } from "../api/store";
import type { AuditEntry, Page } from "../api/types";
import { ErrorNote } from "../parts/ErrorNote";
import { SkeletonRows } from "../parts/Skeleton";
import { Time } from "../parts/Time";
import { deedOf, doerOf } from "../text/audit";


/** What was last done in the project, and by whom. */
export function Activity({ project }: { project: string }) {
  const { data, error } = useThing<Page<AuditEntry>>(paths.audit(project));
  return (
    <section className="section" aria-labelledby="activity">
      <h2 id="activity">Activity</h2>
      <ErrorNote error={error} />
      <div className="list">
        {!data && !error && <SkeletonRows rows={3} className="list-row slim" />}
        {data?.items.length === 0 && <p className="list-row slim soft">Nothing has happened here yet.</p>}
        {data?.items.map((entry) => (
          <div className="list-row slim" key={entry.id}>
            <div className="list-main">
              <span className="list-name">{doerOf(entry)}</span> {deedOf(entry)}
            </div>
            <span className="small soft">
              <Time at={entry.time} />
            </span>
          </div>
        ))}
      </div>
    </section>
  );
}
