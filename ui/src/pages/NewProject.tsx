import { useState } from "react";
import { paths, send } from "../api/client";
import { invalidate } from "../api/store";
import type { Project } from "../api/types";
import { useAction } from "../parts/action";
import { Button } from "../parts/Button";
import { Dialog, DialogFoot } from "../parts/Dialog";
import { ErrorNote } from "../parts/ErrorNote";
import { Field } from "../parts/Field";
import { NameField } from "../parts/NameField";
import { navigate, to } from "../router";
import { checkName } from "../text/name";

/** Makes a project. Its name is checked while it is typed. */
export function NewProject({ taken, onClose }: { taken: readonly string[]; onClose: () => void }) {
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const action = useAction();
  const check = checkName("project", name, taken);

  function submit() {
    void action.run(async () => {
      const made = await send<Project>("POST", paths.projects, { name, description });
      invalidate(paths.projects, paths.me);
      navigate(to.project(made.name));
    });
  }

  return (
    <Dialog title="New project" onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (check.ok) submit();
        }}
      >
        <NameField label="Name" hint="Small letters, digits, - and _. It stays as it is for good." value={name} check={check} onChange={setName} />
        <Field label="Description" hint="For the others; may be empty.">
          {(field) => <input {...field} value={description} onChange={(e) => setDescription(e.target.value)} autoComplete="off" />}
        </Field>
        <ErrorNote error={action.error} />
        <DialogFoot>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="main" busy={action.busy} disabled={!check.ok}>
            Make project
          </Button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}
