import { useEffect, useRef, type KeyboardEvent, type ReactNode } from "react";
import { FileDrop } from "../../parts/FileDrop";
import { broken, indented, lineCount, offsetOf, outdented, type Selected } from "./editing";

/** A place in the text, from 1. */
export interface Place {
  line: number;
  column: number;
}

interface Props {
  label: string;
  value: string;
  readOnly?: boolean;
  /** The place that something is wrong with. */
  wrong?: Place | undefined;
  onChange: (text: string) => void;
  onFile: (name: string, text: string) => void;
  onRefused: (why: string) => void;
  /** Ctrl and Enter, which else sends the form that it is in. */
  onSubmit?: () => void;
  rows?: number;
}

const lineHeight = 20; // as in environment.css

/** Plain text with line numbers. Tab indents; after Escape it leaves the field, as it does elsewhere. */
export function YamlEditor({ label, value, readOnly = false, wrong, onChange, onFile, onRefused, onSubmit, rows = 14 }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const next = useRef<Selected>(undefined);
  const leaving = useRef(false);
  const lines = lineCount(value);

  // The caret goes where the key put it, once the text is in the field.
  useEffect(() => {
    if (next.current?.text === value) area.current?.setSelectionRange(next.current.from, next.current.to);
    next.current = undefined;
  }, [value]);

  useEffect(() => {
    if (wrong?.line) goTo(area.current, value, wrong);
  }, [wrong?.line, wrong?.column]);

  function press(event: KeyboardEvent<HTMLTextAreaElement>) {
    const edit = editOf(event, leaving.current);
    if (event.key === "Escape" && !leaving.current) event.preventDefault(); // a dialog around it closes on the second one
    leaving.current = event.key === "Escape";
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (onSubmit) onSubmit();
      else event.currentTarget.form?.requestSubmit();
    } else if (edit && !readOnly) {
      event.preventDefault();
      const { value: text, selectionStart: from, selectionEnd: to } = event.currentTarget;
      next.current = edit({ text, from, to });
      onChange(next.current.text);
    }
  }

  return (
    <FileDrop onFile={onFile} onRefused={onRefused}>
      <div className="editor">
        <Gutter lines={lines} wrong={wrong?.line} />
        <div className="editor-text">
          {wrong && wrong.line > 0 && <span className="editor-wrong" style={{ top: (wrong.line - 1) * lineHeight }} aria-hidden="true" />}
          <textarea
            ref={area}
            aria-label={label}
            aria-description="Tab indents. To leave the field with Tab, press Escape before."
            aria-invalid={wrong ? true : undefined}
            value={value}
            readOnly={readOnly}
            rows={Math.max(rows, lines + 1)}
            wrap="off"
            spellCheck={false}
            autoComplete="off"
            autoCapitalize="none"
            onKeyDown={press}
            onChange={(event) => onChange(event.target.value)}
          />
        </div>
      </div>
    </FileDrop>
  );
}

function Gutter({ lines, wrong }: { lines: number; wrong: number | undefined }): ReactNode {
  return (
    <div className="editor-lines" aria-hidden="true">
      {Array.from({ length: lines }, (_, i) => (
        <span key={i} className={i + 1 === wrong ? "wrong" : undefined}>
          {i + 1}
        </span>
      ))}
    </div>
  );
}

function editOf(event: KeyboardEvent, leaving: boolean): ((selected: Selected) => Selected) | undefined {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  if (event.key === "Tab" && !leaving) return event.shiftKey ? outdented : indented;
  if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) return broken;
  return undefined;
}

function goTo(area: HTMLTextAreaElement | null, text: string, { line, column }: Place): void {
  if (!area) return;
  const at = offsetOf(text, line, column);
  area.focus({ preventScroll: true });
  area.setSelectionRange(at, at);
  area.closest(".editor")?.scrollTo({ top: Math.max(0, (line - 4) * lineHeight) });
}
