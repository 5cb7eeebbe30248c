// Ties the event stream to what the pages know.

import { useCallback, useEffect, useRef, useState } from "react";
import { address } from "./client";
import { EventStream, hearChanges, type StreamState } from "./events";
import { applyChange, invalidateAll } from "./store";

const hiddenFor = 60_000;

export interface Live {
  state: StreamState;
  /** Tries again now. */
  retry: () => void;
}

/** Keeps the one stream of the page open while somebody may be looking. To be used once. */
export function useLive(): Live {
  const [state, setState] = useState<StreamState>({ kind: "connecting" });
  const stream = useRef<EventStream>(null);

  useEffect(() => {
    const opened = new EventStream(hearChanges({ change: applyChange, resync: invalidateAll, state: setState }), address("/events"));
    stream.current = opened;
    opened.start();
    const forget = pauseWhileHidden(opened);
    return () => {
      forget();
      opened.pause();
    };
  }, []);

  return { state, retry: useCallback(() => stream.current?.start(), []) };
}

/** A tab that nobody sees gives its connection back: browsers allow six per gateway. */
export function pauseWhileHidden(stream: EventStream): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  function look() {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => stream.pause(), hiddenFor);
    else stream.start();
  }
  function online() {
    stream.start();
  }
  document.addEventListener("visibilitychange", look);
  addEventListener("online", online);
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
    removeEventListener("online", online);
  };
}
