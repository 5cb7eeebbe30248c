import { useState } from "react";
import { paths, send } from "../api/client";
import { invalidate } from "../api/store";
import type { Project } from "../api/types";
import { useAction } from "../parts/action";
import { Button } from "../parts/Button";
import { Confirm } from "../parts/Confirm";
import { Dialog, DialogFoot } from "../parts/Dialog";
import { ErrorNote } from "../parts/ErrorNote";
import { Field } from "../parts/Field";
import { notify } from "../parts/notices";
import { navigate, to } from "../router";

/** What an owner may change of the project itself. */
export function ProjectSettings({ project }: { project: Project }) {
  const [open, setOpen] = useState<"describe" | "delete">();
  const close = () => setOpen(undefined);
  return (
    <section className="section" aria-labelledby="settings">
      <h2 id="settings">Settings</h2>
      <div className="page-tools">
        <Button onClick={() => setOpen("describe")}>Change description</Button>
        <Button look="danger" disabled={project.running > 0} onClick={() => setOpen("delete")}>
          Delete project
        </Button>
      </div>
      <p className="small soft">{project.running > 0 ? "A project can be deleted when nothing runs in it." : "\u00a0"}</p>
      {open === "describe" && <Describe project={project} onClose={close} />}
      {open === "delete" && <Delete project={project} onClose={close} />}
    </section>
  );
}

function Describe({ project, onClose }: { project: Project; onClose: () => void }) {
  const [description, setDescription] = useState(project.description);
  const action = useAction();

  function submit() {
    void action.run(async () => {
      await send("PATCH", paths.project(project.name), { description });
      invalidate(paths.project(project.name), paths.projects);
      onClose();
    });
  }

  return (
    <Dialog title={`Describe ${project.name}`} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <Field label="Description">{(field) => <input {...field} value={description} onChange={(e) => setDescription(e.target.value)} data-first autoComplete="off" />}</Field>
        <ErrorNote error={action.error} />
        <DialogFoot>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="main" busy={action.busy}>
            Save
          </Button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}

function Delete({ project, onClose }: { project: Project; onClose: () => void }) {
  async function act() {
    await send("DELETE", paths.project(project.name));
    invalidate(paths.projects, paths.me);
    notify(`${project.name} is deleted.`);
    navigate(to.projects);
  }

  return (
    <Confirm title={`Delete ${project.name}?`} verb="Delete project" typeName={project.name} act={act} onClose={onClose}>
      <p>Its members lose their way in, and its tokens stop working at once.</p>
    </Confirm>
  );
}
