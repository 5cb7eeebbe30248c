import { useEffect, useState } from "react";
import type { StreamState } from "../api/events";
import { Button } from "../parts/Button";
import { WarningIcon } from "../parts/icons";
import { announce } from "../parts/notices";

const patience = 1_500; // shorter gaps are mended before anybody could read of them

/** Says that what is shown may be old, and when the next try is; gone as soon as the stream is back. */
export function StreamLost({ state, onRetry }: { state: StreamState; onRetry: () => void }) {
  const [shown, setShown] = useState(false);
  const broken = state.kind === "lost" || (state.kind === "connecting" && shown);

  useEffect(() => {
    if (!broken) {
      setShown(false);
      return;
    }
    const timer = setTimeout(() => setShown(true), patience);
    return () => clearTimeout(timer);
  }, [broken]);

  useEffect(() => {
    if (!shown) return;
    announce("The connection is lost. What is shown may be old.");
    return () => announce("The connection is back.");
  }, [shown]);

  if (!shown) return null;
  return (
    <div className="stream-lost">
      <WarningIcon />
      <span>
        Connection lost. <span className="soft">What is shown may be old; {state.kind === "lost" ? <NextTry at={state.retryAt} /> : "trying now"}.</span>
      </span>
      <Button look="quiet" onClick={onRetry}>
        Try now
      </Button>
    </div>
  );
}

function NextTry({ at }: { at: number }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.ceil((at - now) / 1000));
  return <span className="number">{seconds > 0 ? `next try in ${seconds} s` : "trying now"}</span>;
}
