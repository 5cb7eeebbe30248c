import { useState } from "react";
import { paths, send } from "../api/client";
import { invalidate } from "../api/store";
import type { NewToken } from "../api/types";
import { useAction } from "../parts/action";
import { Button } from "../parts/Button";
import { Dialog, DialogFoot } from "../parts/Dialog";
import { ErrorNote } from "../parts/ErrorNote";
import { Field } from "../parts/Field";
import { ShownOnce } from "../parts/ShownOnce";
import { Time } from "../parts/Time";

const lives = [
  { ttl: "24h", name: "1 day" },
  { ttl: "168h", name: "7 days" },
  { ttl: "720h", name: "30 days" },
  { ttl: "2160h", name: "90 days" },
  { ttl: "8760h", name: "1 year" },
];

/** Makes a token and shows it once. */
export function MakeToken({ project, onClose }: { project: string; onClose: () => void }) {
  const [note, setNote] = useState("");
  const [ttl, setTtl] = useState("2160h");
  const [everywhere, setEverywhere] = useState(false);
  const [made, setMade] = useState<NewToken>();
  const action = useAction();

  function submit() {
    void action.run(async () => {
      setMade(await send<NewToken>("POST", paths.tokens, everywhere ? { note, ttl } : { note, ttl, project }));
      invalidate(paths.tokens);
    });
  }

  if (made) {
    return (
      <Dialog title={made.note ? `Token “${made.note}”` : "Your token"} onClose={onClose}>
        <ShownOnce label="Token" value={made.token}>
          Keep it somewhere safe now: it is shown only here. It ends <Time at={made.expires} />.
        </ShownOnce>
        <DialogFoot>
          <Button onClick={onClose}>Done</Button>
        </DialogFoot>
      </Dialog>
    );
  }
  return (
    <Dialog title="New token" onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <Field label="What for" hint="So that you know it later.">
          {(field) => <input {...field} value={note} onChange={(e) => setNote(e.target.value)} placeholder="VS Code on my laptop" data-first autoComplete="off" />}
        </Field>
        <Field label="Works for">
          {(field) => (
            <select {...field} value={ttl} onChange={(e) => setTtl(e.target.value)}>
              {lives.map((life) => (
                <option key={life.ttl} value={life.ttl}>
                  {life.name}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Works in">
          {(field) => (
            <select {...field} value={everywhere ? "all" : "one"} onChange={(e) => setEverywhere(e.target.value === "all")}>
              <option value="one">{project} only</option>
              <option value="all">all my projects</option>
            </select>
          )}
        </Field>
        <ErrorNote error={action.error} />
        <DialogFoot>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="main" busy={action.busy}>
            Make token
          </Button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}
