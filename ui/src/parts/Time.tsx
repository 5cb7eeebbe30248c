import { useSyncExternalStore } from "react";
import { exactTime, relativeTime } from "../text/time";

const tick = 10_000;
let now = Date.now();
const watchers = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** One clock for the page: every relative time on it moves at the same moment. */
function watch(changed: () => void): () => void {
  watchers.add(changed);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const told of watchers) told();
  }, tick);
  return () => {
    watchers.delete(changed);
    if (watchers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** A moment, relative to now, with the exact one on hover. */
export function Time({ at }: { at: string }) {
  const clock = useSyncExternalStore(watch, () => now);
  const then = Date.parse(at);
  // What happened after the clock's last tick happened now, not in the future.
  const nearest = then > clock && then < Date.now() ? then : clock;
  return (
    <time dateTime={at} title={exactTime(then)}>
      {relativeTime(then, nearest)}
    </time>
  );
}
