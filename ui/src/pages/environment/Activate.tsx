import { paths, send } from "../../api/client";
import type { Activation, Build, Diff, Environment } from "../../api/environments";
import { invalidate, useThing } from "../../api/store";
import { useAction } from "../../parts/action";
import { Button } from "../../parts/Button";
import { Dialog, DialogFoot } from "../../parts/Dialog";
import { notify } from "../../parts/notices";
import { activationWords } from "./diffWords";
import { ProblemNote } from "./FailureNote";

/** Makes another build the active one, saying before what that changes. Going back needs no solving. */
export function Activate({ build, onClose }: { build: Build; onClose: () => void }) {
  const { project, environment: name, build: number } = build;
  const active = useThing<Environment>(paths.environment(project, name)).data?.active?.build;
  const diff = useThing<Diff>(active !== undefined ? paths.diff(project, name, number, active) : undefined).data;
  const back = active !== undefined && number < active;
  const action = useAction();

  function act() {
    void action.run(async () => {
      const made = await send<Activation>("POST", paths.activate(project, name), { build: number });
      invalidate(paths.environments(project), paths.environment(project, name), `${paths.environment(project, name)}/`);
      notify(doneWords(name, made, back));
      onClose();
    });
  }

  return (
    <Dialog title={back ? `Roll back to build ${number}?` : `Use build ${number}?`} onClose={onClose}>
      <div className="prose">
        <p>
          {active !== undefined && `From build ${active}: `}
          {active === undefined ? "It is the first to be used." : diff ? activationWords(diff) : "looking for what changes…"}
        </p>
        <p className="soft">
          New programs get it at once; running ones keep what they have.
          {build.state === "collected" && " Its files were collected: they are put back from its lock first, which takes a while."}
        </p>
      </div>
      <ProblemNote error={action.error} />
      <DialogFoot>
        <Button onClick={onClose}>Cancel</Button>
        <Button look="main" busy={action.busy} data-first onClick={act}>
          {back ? "Roll back" : "Use it"}
        </Button>
      </DialogFoot>
    </Dialog>
  );
}

function doneWords(name: string, { build, pending }: Activation, back: boolean): string {
  if (pending) return `Build ${build} is being restored. ${name} changes to it as soon as it is ready.`;
  return back ? `${name} is back at build ${build}.` : `${name} is at build ${build} now.`;
}
