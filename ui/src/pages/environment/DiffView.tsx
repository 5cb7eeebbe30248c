import { useState } from "react";
import type { Diff } from "../../api/environments";
import { Button } from "../../parts/Button";
import { byteSize } from "../../text/size";
import { counted } from "../../text/time";
import { rowsOf, summaryOf } from "./diffWords";

const step = 200;

/** What differs between two contents, package by package. */
export function DiffView({ diff }: { diff: Diff }) {
  const [drawn, setDrawn] = useState(step);
  const rows = rowsOf(diff);
  return (
    <div className="diff">
      <p className="diff-sum">
        <strong>{summaryOf(diff)}</strong>
        <span className="soft"> · {rows.length > 0 ? `${diff.unchanged} stay as they are` : counted(diff.unchanged, "package")}</span>
      </p>
      {rows.length > 0 && (
        <ul className="diff-rows" tabIndex={0} aria-label="Changes">
          {rows.slice(0, drawn).map(({ change, mark, said, versions }) => (
            <li key={`${mark} ${change.from} ${change.name}`} data-mark={mark}>
              <span className="diff-mark" aria-hidden="true">
                {mark}
              </span>
              <span className="unseen">{said}</span>
              <span className="diff-name">
                {change.name}
                {change.from === "pip" && <span className="small faint"> PyPI</span>}
              </span>
              <span className="diff-versions number">{versions}</span>
              <span className="diff-size number soft">{change.bytes ? byteSize(change.bytes) : ""}</span>
            </li>
          ))}
        </ul>
      )}
      {rows.length > drawn && <Button onClick={() => setDrawn(drawn + step)}>Show {Math.min(step, rows.length - drawn)} more</Button>}
    </div>
  );
}
