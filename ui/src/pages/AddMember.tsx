import { useState } from "react";
import { paths, send } from "../api/client";
import { invalidate, useList } from "../api/store";
import type { Member, Role, User } from "../api/types";
import { useAction } from "../parts/action";
import { Button } from "../parts/Button";
import { Dialog, DialogFoot } from "../parts/Dialog";
import { ErrorNote } from "../parts/ErrorNote";
import { Field } from "../parts/Field";
import { notify } from "../parts/notices";
import { PersonPicker } from "../parts/PersonPicker";
import { RoleSelect } from "../parts/RoleSelect";
import { NewUser } from "./NewUser";

interface Props {
  project: string;
  members: Member[];
  admin: boolean;
  onClose: () => void;
}

/** Adds somebody who has an account, or, for administrators, somebody who is to get one. */
export function AddMember({ project, members, admin, onClose }: Props) {
  const { data: users, error } = useList<User>(paths.users);
  const [user, setUser] = useState<User>();
  const [role, setRole] = useState<Role>("data_scientist");
  const [fresh, setFresh] = useState(false);
  const action = useAction();

  if (fresh) return <NewUser project={project} onClose={onClose} />;

  const inside = new Set(members.map((m) => m.user));
  const others = users?.filter((u) => !inside.has(u.name) && !u.disabled);

  function submit(chosen: User) {
    void action.run(async () => {
      await send("PUT", paths.member(project, chosen.name), { role });
      invalidate(paths.members(project), paths.project(project));
      notify(`${chosen.display_name || chosen.name} is in ${project} now.`);
      onClose();
    });
  }

  return (
    <Dialog title={`Add a member to ${project}`} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (user) submit(user);
        }}
      >
        <Field label="Person">{(field) => <PersonPicker field={field} people={others} chosen={user} onChoose={setUser} />}</Field>
        <Field label="Role">{(field) => <RoleSelect id={field.id} label="Role" value={role} onChange={setRole} />}</Field>
        <ErrorNote error={action.error ?? error} />
        <DialogFoot>
          {admin && (
            <button type="button" className="link foot-left" onClick={() => setFresh(true)}>
              Somebody without an account
            </button>
          )}
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="main" busy={action.busy} disabled={!user}>
            Add
          </Button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}
