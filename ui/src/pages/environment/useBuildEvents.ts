import { useEffect, useRef, useState } from "react";
import { address, paths } from "../../api/client";
import type { BuildEvent } from "../../api/environments";
import { EventStream, type StreamState } from "../../api/events";
import { pauseWhileHidden } from "../../api/live";
import { nothingYet, withEvents, type Progress } from "./progress";

const gather = 80; // ms: events that come close together are drawn once

/** What a build tells, from its first event to its result. The stream goes on where it was after a break. */
export function useBuildEvents(project: string, name: string, build: number): { progress: Progress; stream: StreamState } {
  const [progress, setProgress] = useState<Progress>(nothingYet);
  const [stream, setStream] = useState<StreamState>({ kind: "connecting" });
  const waiting = useRef<BuildEvent[]>([]);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    function draw() {
      timer = undefined;
      const events = waiting.current;
      waiting.current = [];
      setProgress((before) => withEvents(before, events));
    }
    const opened = new EventStream(
      {
        opened: () => {},
        state: setStream,
        sent({ data }) {
          if (!data) return;
          const event = JSON.parse(data) as BuildEvent;
          waiting.current.push(event);
          timer ??= setTimeout(draw, gather);
          if (event.type === "result") end();
        },
      },
      address(paths.buildEvents(project, name, build)),
    );
    function end() {
      forget();
      opened.pause();
    }
    const forget = pauseWhileHidden(opened);
    setProgress(nothingYet);
    opened.start();
    return () => {
      clearTimeout(timer);
      waiting.current = [];
      end();
    };
  }, [project, name, build]);

  return { progress, stream };
}
