import { useState } from "react";
import { paths, send } from "../../api/client";
import type { Environment } from "../../api/environments";
import { invalidate } from "../../api/store";
import { useAction } from "../../parts/action";
import { Button } from "../../parts/Button";
import { notify } from "../../parts/notices";
import { DeleteEnvironment } from "./DeleteEnvironment";
import { Disk } from "./Disk";
import { ProblemNote } from "./FailureNote";
import { useRights } from "./rights";
import { RulesOf } from "./Rules";

/** The rules, the disk, and what owners may do with an environment as a whole. */
export function Settings({ environment }: { environment: Environment }) {
  const { owns } = useRights(environment.project);
  return (
    <>
      <RulesOf environment={environment} owns={owns} />
      <Disk project={environment.project} owns={owns} />
      {owns && <OwnersActs environment={environment} />}
    </>
  );
}

function OwnersActs({ environment }: { environment: Environment }) {
  const { project, name, default: isDefault } = environment;
  const [deleting, setDeleting] = useState(false);
  const action = useAction();

  function makeDefault() {
    void action.run(async () => {
      await send("PATCH", paths.environment(project, name), { default: true });
      invalidate(paths.environments(project), `${paths.environments(project)}/`);
      notify(`New programs of ${project} get ${name}.`);
    });
  }

  return (
    <section className="section" aria-labelledby="owners">
      <h2 id="owners">This environment</h2>
      <ProblemNote error={action.error} />
      <div className="list">
        <div className="list-row deed-row">
          <div className="list-main">
            <div className="list-name">{isDefault ? "It is the default" : "Make it the default"}</div>
            <div className="small soft">New notebooks get the default environment unless they ask for another.</div>
          </div>
          {!isDefault && (
            <Button busy={action.busy} onClick={makeDefault}>
              Make default
            </Button>
          )}
        </div>
        <div className="list-row deed-row">
          <div className="list-main">
            <div className="list-name">Delete it</div>
            <div className="small soft">Its builds and their history go. Files that others share stay.</div>
          </div>
          <Button look="danger" onClick={() => setDeleting(true)}>
            Delete environment
          </Button>
        </div>
      </div>
      {deleting && <DeleteEnvironment environment={environment} onClose={() => setDeleting(false)} />}
    </section>
  );
}
