import type { ReactNode } from "react";

/** Something about the page that its reader should know, with what can be done about it. */
export function Note({ tone, children, tools }: { tone: "waiting" | "running" | "bad"; children: ReactNode; tools?: ReactNode }) {
  return (
    <div className={`note ${tone}`}>
      <div className="note-text">{children}</div>
      {tools && <div className="note-tools">{tools}</div>}
    </div>
  );
}
