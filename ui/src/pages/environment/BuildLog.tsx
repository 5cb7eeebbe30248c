import { useLayoutEffect, useRef } from "react";
import type { Build } from "../../api/environments";
import { hasEnded } from "../../text/environment";
import { counted } from "../../text/time";
import type { Progress } from "./progress";

const near = 24; // pixels from the end that still count as the end

/** The build's log. It follows its end unless its reader has scrolled up. */
export function BuildLog({ build, progress }: { build: Build; progress: Progress }) {
  const box = useRef<HTMLPreElement>(null);
  const following = useRef(true);

  useLayoutEffect(() => {
    if (following.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [progress.log]);

  if (progress.log.length === 0 && hasEnded(build.state)) return null;
  return (
    <section className="section" aria-labelledby="log">
      <h2 id="log">Log</h2>
      <pre
        ref={box}
        className="code log"
        tabIndex={0}
        aria-labelledby="log"
        onScroll={({ currentTarget: e }) => (following.current = e.scrollHeight - e.scrollTop - e.clientHeight < near)}
      >
        {progress.dropped > 0 && <span className="faint">{counted(progress.dropped, "earlier line")} left out{"\n"}</span>}
        {progress.log.map((line) => (
          <span key={line.seq} className="log-line">
            <span className="log-time">{clock(line.time)}</span> {line.text}
            {"\n"}
          </span>
        ))}
      </pre>
    </section>
  );
}

const clocks = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

function clock(time: string): string {
  const at = Date.parse(time);
  return Number.isNaN(at) ? "" : clocks.format(at);
}
