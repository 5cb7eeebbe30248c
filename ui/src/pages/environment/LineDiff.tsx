import { lineDiff } from "./lines";

/** Two texts as one, with marks at what goes and what comes. */
export function LineDiff({ old, now, label }: { old: string; now: string; label: string }) {
  const lines = lineDiff(old, now);
  return (
    <pre className="code line-diff" tabIndex={0} aria-label={label}>
      {lines.map(({ mark, text }, i) => (
        <span key={i} data-mark={mark}>
          {mark} {text}
          {"\n"}
        </span>
      ))}
    </pre>
  );
}
