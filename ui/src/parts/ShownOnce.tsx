import { useRef, useState, type ReactNode } from "react";
import { copyText } from "./clipboard";
import { CopyIcon, DoneIcon } from "./icons";
import { announce } from "./notices";

/** A secret that is shown now and never again, with a button that copies it. */
export function ShownOnce({ label, value, children }: { label: string; value: string; children: ReactNode }) {
  const [copied, setCopied] = useState(false);

  const input = useRef<HTMLInputElement>(null);

  async function copy() {
    input.current?.select();
    if (!(await copyText(value))) return; // it is selected: the person's own keys copy it
    setCopied(true);
    announce("Copied");
  }

  return (
    <div className="shown-once">
      <div className="shown-once-row">
        <input ref={input} className="control mono" aria-label={label} value={value} readOnly onFocus={(event) => event.currentTarget.select()} />
        <button type="button" className="button main" onClick={() => void copy()} data-first>
          <span className="button-label copy-label">
            {copied ? <DoneIcon /> : <CopyIcon />}
            {copied ? "Copied" : "Copy"}
          </span>
        </button>
      </div>
      <p className="small soft">{children}</p>
    </div>
  );
}
