import { useState } from "react";
import { paths, send } from "../api/client";
import { invalidate, useList } from "../api/store";
import type { LoginLink, Role, User } from "../api/types";
import { useAction } from "../parts/action";
import { Button } from "../parts/Button";
import { Dialog, DialogFoot } from "../parts/Dialog";
import { ErrorNote } from "../parts/ErrorNote";
import { Field } from "../parts/Field";
import { NameField } from "../parts/NameField";
import { RoleSelect } from "../parts/RoleSelect";
import { checkName } from "../text/name";
import { LoginLinkOnce } from "./LoginLinkOnce";

interface Props {
  /** The project that the new user is put into at once. */
  project?: string;
  onClose: () => void;
}

/** Makes a user and shows the one-time link that they log in with. */
export function NewUser({ project, onClose }: Props) {
  const [name, setName] = useState("");
  const [displayName, setDisplayName] = useState("");
  const [role, setRole] = useState<Role>("data_scientist");
  const [link, setLink] = useState<LoginLink>();
  const [made, setMade] = useState(false); // a second try goes on where the first one stopped
  const action = useAction();
  const taken = useList<User>(paths.users).data?.map((u) => u.name) ?? [];
  const check = checkName("user", name, made ? [] : taken);

  function submit() {
    void action.run(async () => {
      if (!made) await send("POST", paths.users, { name, display_name: displayName });
      setMade(true);
      if (project !== undefined) await send("PUT", paths.member(project, name), { role });
      setLink(await send<LoginLink>("POST", paths.loginLinks(name)));
      invalidate(paths.users, ...(project === undefined ? [] : [paths.members(project), paths.project(project)]));
    });
  }

  if (link) {
    return (
      <Dialog title={`${displayName || name} can log in`} onClose={onClose}>
        <LoginLinkOnce link={link} />
        <DialogFoot>
          <Button onClick={onClose}>Done</Button>
        </DialogFoot>
      </Dialog>
    );
  }
  return (
    <Dialog title={project === undefined ? "New user" : `New user in ${project}`} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (check.ok) submit();
        }}
      >
        <NameField
          label="User name"
          hint="Small letters, digits, - and _. It stays as it is for good."
          value={name}
          check={check}
          onChange={setName}
          readOnly={made}
        />
        <Field label="Full name" hint="As the others know them.">
          {(field) => <input {...field} value={displayName} onChange={(e) => setDisplayName(e.target.value)} autoComplete="off" />}
        </Field>
        {project !== undefined && <Field label="Role">{(field) => <RoleSelect id={field.id} label="Role" value={role} onChange={setRole} />}</Field>}
        <ErrorNote error={action.error} />
        <DialogFoot>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="main" busy={action.busy} disabled={!check.ok}>
            Make user
          </Button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}
