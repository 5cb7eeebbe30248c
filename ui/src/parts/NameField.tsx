import type { NameCheck } from "../text/name";
import { Field } from "./Field";

interface Props {
  label: string;
  hint: string;
  value: string;
  check: NameCheck;
  onChange: (name: string) => void;
  readOnly?: boolean;
}

/** A name that is checked while it is typed, with a better one to take where it would not do. An empty one is not yet wrong. */
export function NameField({ label, hint, value, check, onChange, readOnly = false }: Props) {
  const wrong = value !== "" && !check.ok;
  return (
    <Field label={label} wrong={wrong} hint={wrong ? <Complaint check={check} onTake={onChange} /> : hint}>
      {(field) => (
        <input
          {...field}
          value={value}
          readOnly={readOnly}
          onChange={(event) => onChange(event.target.value)}
          data-first
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          required
        />
      )}
    </Field>
  );
}

function Complaint({ check, onTake }: { check: NameCheck; onTake: (name: string) => void }) {
  if (check.ok) return null;
  const { why, suggestion } = check;
  return (
    <>
      {why}{" "}
      {suggestion && (
        <button type="button" className="link" onClick={() => onTake(suggestion)}>
          Use {suggestion}
        </button>
      )}
    </>
  );
}
