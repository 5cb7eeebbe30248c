import { paths, sentence } from "../../api/client";
import type { Policy } from "../../api/environments";
import { useThing } from "../../api/store";
import { ErrorNote } from "../../parts/ErrorNote";

/** What environments of a project may be made of, and how they are made. */
export function Rules({ project }: { project: string }) {
  const { data: policy, error } = useThing<Policy>(paths.environmentsPolicy(project));
  return (
    <section className="section" aria-labelledby="rules">
      <h2 id="rules">Rules</h2>
      <ErrorNote error={error} />
      {policy && (
        <ul className="sentences">
          {policy.why && <li>{sentence(policy.why)}</li>}
          {policy.words?.map((words) => <li key={words}>{words}</li>)}
        </ul>
      )}
    </section>
  );
}
