import { paths, send } from "../../api/client";
import type { Collected, Usage } from "../../api/environments";
import { invalidate, useThing } from "../../api/store";
import { useAction } from "../../parts/action";
import { Button } from "../../parts/Button";
import { notify } from "../../parts/notices";
import { byteSize } from "../../text/size";
import { counted } from "../../text/time";
import { collectedWords } from "./deletionWords";
import { ProblemNote } from "./FailureNote";

/** What all environments of a project take on disk, and the rule by which old builds go. */
export function Disk({ project, owns }: { project: string; owns: boolean }) {
  const { data: usage, error } = useThing<Usage>(paths.environmentsUsage(project));
  const action = useAction();

  function collect() {
    void action.run(async () => {
      const report = await send<Collected>("POST", paths.environmentsCollect(project));
      invalidate(paths.environmentsUsage(project), paths.environments(project), `${paths.environments(project)}/`);
      notify(collectedWords(report));
    });
  }

  return (
    <section className="section" aria-labelledby="disk">
      <div className="section-head">
        <h2 id="disk">Disk</h2>
        {owns && (
          <Button busy={action.busy} onClick={collect}>
            Collect now
          </Button>
        )}
      </div>
      <ProblemNote error={error ?? action.error} />
      {usage && (
        <ul className="sentences">
          <li className="number">
            The environments of {project} have {counted(usage.builds, "build")} on disk: {byteSize(usage.exclusive_bytes)} of their own
            {usage.shared_bytes > 0 ? `, and ${byteSize(usage.shared_bytes)} shared with others` : ""}.
          </li>
          {usage.rule && <li>{usage.rule}</li>}
        </ul>
      )}
    </section>
  );
}
