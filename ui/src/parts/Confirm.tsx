import { useState, type ReactNode } from "react";
import { useAction } from "./action";
import { Button } from "./Button";
import { Dialog, DialogFoot } from "./Dialog";
import { ErrorNote } from "./ErrorNote";
import { Field } from "./Field";

interface Props {
  title: string;
  /** What will be lost, in sentences. */
  children: ReactNode;
  /** What the button does, as a verb. */
  verb: string;
  /** A name that must be typed first, for what cannot be made again. */
  typeName?: string;
  act: () => Promise<void>;
  onClose: () => void;
}

/** Asks before something is destroyed, naming what is lost. */
export function Confirm({ title, children, verb, typeName, act, onClose }: Props) {
  const action = useAction();
  const [typed, setTyped] = useState("");
  const ready = typeName === undefined || typed === typeName;

  function submit() {
    void action.run(async () => {
      await act();
      onClose();
    });
  }

  return (
    <Dialog title={title} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) submit();
        }}
      >
        <div className="prose">{children}</div>
        {typeName !== undefined && (
          <Field label={`Type ${typeName} to go on`}>
            {(field) => <input {...field} value={typed} onChange={(e) => setTyped(e.target.value)} autoComplete="off" spellCheck={false} data-first />}
          </Field>
        )}
        <ErrorNote error={action.error} />
        <DialogFoot>
          <Button onClick={onClose} data-first={typeName === undefined || undefined}>
            Cancel
          </Button>
          <Button type="submit" look="danger" busy={action.busy} disabled={!ready}>
            {verb}
          </Button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}
