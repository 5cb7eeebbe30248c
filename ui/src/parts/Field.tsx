import { useId, type ReactNode } from "react";

interface Control {
  id: string;
  className: string;
  "aria-describedby": string;
  "aria-invalid": boolean | undefined;
}

interface Props {
  label: string;
  /** A line below the control. Its place is kept when it is empty, so that a complaint moves nothing. */
  hint?: ReactNode;
  wrong?: boolean;
  children: (control: Control) => ReactNode;
}

/** A labelled control with a line below it that says what is expected, or what is wrong. */
export function Field({ label, hint, wrong, children }: Props) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, className: "control", "aria-describedby": `${id}-hint`, "aria-invalid": wrong || undefined })}
      {hint !== undefined && (
        <div id={`${id}-hint`} className={wrong ? "hint wrong" : "hint"} aria-live="polite">
          {hint}
        </div>
      )}
    </div>
  );
}
