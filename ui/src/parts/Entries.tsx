import { useId, useRef, useState, type ClipboardEvent, type KeyboardEvent, type ReactNode } from "react";
import { CloseIcon, LockIcon } from "./icons";

interface Props {
  label: string;
  /** For where it stands below what names it. */
  labelUnseen?: boolean;
  /** What is in the list whatever the reader does. */
  fixed: readonly string[];
  /** Who put it there: "by the site". */
  fixedBy: string;
  entries: readonly string[];
  onChange: (entries: string[]) => void;
  /** Cuts what was typed or pasted into entries. */
  cut: (text: string) => string[];
  placeholder: string;
  hint?: ReactNode;
  wrong?: boolean;
}

/** A list of words that is written one after the other: Enter, a comma or leaving the field takes what was typed. */
export function Entries({ label, labelUnseen = false, fixed, fixedBy, entries, onChange, cut, placeholder, hint, wrong = false }: Props) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState("");

  function take(text: string) {
    const fresh = cut(text);
    if (fresh.length > 0) onChange([...entries, ...fresh]);
    setTyped("");
  }

  function remove(entry: string) {
    onChange(entries.filter((other) => other !== entry));
    input.current?.focus();
  }

  function press(event: KeyboardEvent) {
    if ((event.key === "Enter" || event.key === ",") && typed.trim() !== "") {
      event.preventDefault();
      take(typed);
    }
    const last = entries.at(-1);
    if (event.key === "Backspace" && typed === "" && last !== undefined) remove(last);
  }

  function paste(event: ClipboardEvent) {
    const text = event.clipboardData.getData("text");
    if (!/[\s,;]/.test(text.trim())) return;
    event.preventDefault();
    take(typed + text);
  }

  return (
    <div className="field">
      <label htmlFor={id} className={labelUnseen ? "unseen" : undefined}>
        {label}
      </label>
      <div className="control entries" aria-invalid={wrong || undefined} onClick={(event) => event.target === event.currentTarget && input.current?.focus()}>
        {(fixed.length > 0 || entries.length > 0) && (
          <ul className="entries-list" aria-label={`${label}, so far`}>
            {fixed.map((entry) => (
              <li key={entry} className="entry fixed" title={`Said ${fixedBy}`}>
                <LockIcon />
                {entry} <span className="unseen">{fixedBy}</span>
              </li>
            ))}
            {entries.map((entry) => (
              <li key={entry} className="entry">
                {entry}
                <button type="button" aria-label={`Remove ${entry}`} onClick={() => remove(entry)}>
                  <CloseIcon />
                </button>
              </li>
            ))}
          </ul>
        )}
        <input
          ref={input}
          id={id}
          value={typed}
          placeholder={placeholder}
          aria-describedby={`${id}-hint`}
          aria-invalid={wrong || undefined}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => setTyped(event.target.value)}
          onKeyDown={press}
          onPaste={paste}
          onBlur={() => take(typed)}
        />
      </div>
      {hint !== undefined && (
        <div id={`${id}-hint`} className={wrong ? "hint wrong" : "hint"} aria-live="polite">
          {hint}
        </div>
      )}
    </div>
  );
}
