import { paths, send } from "../../api/client";
import type { Build } from "../../api/environments";
import { invalidate } from "../../api/store";
import { useAction } from "../../parts/action";
import { Button } from "../../parts/Button";
import { navigate, to } from "../../router";
import { ProblemNote } from "./FailureNote";

/** Solves the newest environment.yml again and builds what comes out: newer versions, or what failed before. */
export function BuildAgain({ project, name }: { project: string; name: string }) {
  const action = useAction();

  function start() {
    void action.run(async () => {
      const made = await send<Build>("POST", paths.builds(project, name), {});
      invalidate(paths.environment(project, name), `${paths.environment(project, name)}/`);
      navigate(to.build(project, name, made.build));
    });
  }

  return (
    <>
      <ProblemNote error={action.error} />
      <Button busy={action.busy} onClick={start} title="Solves the newest environment.yml again and builds what comes out">
        Build again
      </Button>
    </>
  );
}
