import { useState } from "react";
import { paths, send } from "../api/client";
import { useThing } from "../api/store";
import type { Me, Version } from "../api/types";
import { useAction } from "../parts/action";
import { Button } from "../parts/Button";
import { Dialog, DialogFoot } from "../parts/Dialog";
import { ErrorNote } from "../parts/ErrorNote";
import { Field } from "../parts/Field";
import { notify } from "../parts/notices";

/** Who is logged in: their password, and the way out. */
export function Account({ me, onClose }: { me: Me; onClose: () => void }) {
  const version = useThing<Version>(paths.version).data;
  return (
    <Dialog title={me.name || me.user} onClose={onClose}>
      <p className="soft">
        Logged in as <code>{me.user}</code>
        {me.admin && ", an administrator of this site"}.
      </p>
      <PasswordForm user={me.user} onDone={onClose} />
      <div className="account-foot">
        <span className="small faint">{version ? `Hopyard ${version.version}` : "\u00a0"}</span>
        <form method="post" action="/logout">
          <Button type="submit">Log out</Button>
        </form>
      </div>
    </Dialog>
  );
}

function PasswordForm({ user, onDone }: { user: string; onDone: () => void }) {
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const action = useAction();

  function submit() {
    void action.run(async () => {
      await send("PUT", paths.password(user), current ? { password, current } : { password });
      notify("Your password is set.");
      onDone();
    });
  }

  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <h3>Password</h3>
      <input type="text" name="username" autoComplete="username" value={user} readOnly hidden />
      <Field label="Password now" hint="Leave it empty if you have only used login links so far.">
        {(field) => <input {...field} type="password" autoComplete="current-password" value={current} onChange={(e) => setCurrent(e.target.value)} />}
      </Field>
      <Field label="New password" hint="Long is better than odd: four or five words will do.">
        {(field) => <input {...field} type="password" autoComplete="new-password" required value={password} onChange={(e) => setPassword(e.target.value)} />}
      </Field>
      <ErrorNote error={action.error} />
      <DialogFoot>
        <Button type="submit" look="main" busy={action.busy} disabled={!password}>
          Set password
        </Button>
      </DialogFoot>
    </form>
  );
}
