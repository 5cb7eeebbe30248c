import { useState, type ReactNode } from "react";
import { paths, send } from "../api/client";
import { invalidate } from "../api/store";
import type { LoginLink, User } from "../api/types";
import { useAction } from "../parts/action";
import { Button } from "../parts/Button";
import { Confirm } from "../parts/Confirm";
import { Dialog, DialogFoot } from "../parts/Dialog";
import { ErrorNote } from "../parts/ErrorNote";
import { notify } from "../parts/notices";
import { LoginLinkOnce } from "./LoginLinkOnce";

interface Props {
  user: User;
  self: boolean;
  onClose: () => void;
}

/** What an administrator can do with a user. */
export function EditUser({ user, self, onClose }: Props) {
  const [link, setLink] = useState<LoginLink>();
  const [deleting, setDeleting] = useState(false);
  const action = useAction();
  const name = user.display_name || user.name;

  function patch(change: Partial<User>, done: string) {
    void action.run(async () => {
      await send("PATCH", paths.user(user.name), change);
      invalidate(paths.users);
      notify(done);
    });
  }

  function makeLink() {
    void action.run(async () => setLink(await send<LoginLink>("POST", paths.loginLinks(user.name))));
  }

  if (deleting) return <DeleteUser user={user} onClose={onClose} />;
  return (
    <Dialog title={name} onClose={onClose}>
      {link ? (
        <LoginLinkOnce link={link} />
      ) : (
        <Deed text="A link that logs them in once, for the first time or when the password is lost.">
          <Button busy={action.busy} onClick={makeLink}>
            Make login link
          </Button>
        </Deed>
      )}
      <Deed text={user.admin ? "Administrators manage users and see every project." : "May work in the projects that they are a member of."}>
        <Button
          busy={action.busy}
          disabled={self}
          onClick={() => patch({ admin: !user.admin }, user.admin ? `${name} is no longer an administrator.` : `${name} is an administrator now.`)}
        >
          {user.admin ? "Take administration away" : "Make administrator"}
        </Button>
      </Deed>
      <Deed text={user.disabled ? "Cannot log in; nothing of theirs is deleted." : "Locking out ends their logins and tokens at once."}>
        <Button busy={action.busy} disabled={self} onClick={() => patch({ disabled: !user.disabled }, user.disabled ? `${name} may log in again.` : `${name} is locked out.`)}>
          {user.disabled ? "Let in again" : "Lock out"}
        </Button>
      </Deed>
      <Deed text={self ? "These last three are for another administrator to do." : "Deleting takes them out of every project; the projects' files stay."}>
        <Button look="danger" disabled={self} onClick={() => setDeleting(true)}>
          Delete user
        </Button>
      </Deed>
      <ErrorNote error={action.error} />
      <DialogFoot>
        <Button onClick={onClose}>Done</Button>
      </DialogFoot>
    </Dialog>
  );
}

function Deed({ text, children }: { text: string; children: ReactNode }) {
  return (
    <div className="deed">
      <p className="soft">{text}</p>
      {children}
    </div>
  );
}

function DeleteUser({ user, onClose }: { user: User; onClose: () => void }) {
  async function act() {
    await send("DELETE", paths.user(user.name));
    invalidate(paths.users);
    notify(`${user.name} is deleted.`);
  }

  return (
    <Confirm title={`Delete ${user.display_name || user.name}?`} verb="Delete user" typeName={user.name} act={act} onClose={onClose}>
      <p>Their logins and tokens end at once, what they run stops, and they leave every project. Files in the projects stay.</p>
    </Confirm>
  );
}
