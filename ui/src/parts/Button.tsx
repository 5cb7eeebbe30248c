import type { ButtonHTMLAttributes } from "react";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: "plain" | "main" | "danger" | "quiet";
  /** What it does is under way: it cannot be pressed again and shows that it began. */
  busy?: boolean;
}

/** A button that keeps its width while it is busy. */
export function Button({ look = "plain", busy = false, type = "button", disabled, className = "", children, ...rest }: Props) {
  return (
    <button type={type} className={`button ${look} ${className}`} aria-busy={busy || undefined} disabled={disabled || busy} {...rest}>
      <span className="button-label">{children}</span>
      {busy && <span className="spinner" aria-hidden="true" />}
    </button>
  );
}
