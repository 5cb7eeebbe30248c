import type { ReactNode } from "react";

interface Props {
  title: string;
  children?: ReactNode;
  /** What can be done on the page. */
  tools?: ReactNode;
}

/** A page's name, a line about it, and its tools. The line's place is kept while it is empty. */
export function PageHead({ title, children, tools }: Props) {
  return (
    <div className="page-head">
      <div>
        <h1>{title}</h1>
        <p>{children}</p>
      </div>
      {tools && <div className="page-tools">{tools}</div>}
    </div>
  );
}
