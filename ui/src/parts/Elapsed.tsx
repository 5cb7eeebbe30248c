import { useEffect, useState } from "react";
import { spanWords } from "../text/environment";

/** How long something has been going on, since a moment in milliseconds. Not read aloud: it changes all the time. */
export function Elapsed({ since }: { since: number }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 200);
    return () => clearInterval(timer);
  }, []);
  return (
    <span className="number" aria-hidden="true">
      {spanWords(Math.max(0, now - since))}
    </span>
  );
}
