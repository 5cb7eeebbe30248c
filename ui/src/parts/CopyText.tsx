import { useEffect, useRef, useState } from "react";
import { copyText } from "./clipboard";
import { CopyIcon, DoneIcon } from "./icons";
import { announce } from "./notices";

const shownFor = 2_500;

/** A text to be taken elsewhere, with a button that copies it. */
export function CopyText({ label, text }: { label: string; text: string }) {
  const code = useRef<HTMLPreElement>(null);
  const [copied, setCopied] = useState(false);

  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), shownFor);
    return () => clearTimeout(timer);
  }, [copied]);

  async function copy() {
    if (code.current) getSelection()?.selectAllChildren(code.current);
    if (!(await copyText(text))) return; // it is selected: the person's own keys copy it
    setCopied(true);
    announce("Copied");
  }

  return (
    <div className="copy">
      <pre ref={code} className="code" tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <button type="button" className="icon-button" title={copied ? "Copied" : "Copy"} aria-label={`Copy ${label}`} onClick={() => void copy()}>
        {copied ? <DoneIcon /> : <CopyIcon />}
      </button>
    </div>
  );
}
