import { useEffect, useRef, useState } from "react";
import { address, paths } from "../../api/client";
import type { BuildEvent } from "../../api/environments";
import { EventStream, type StreamState } from "../../api/events";
import { pauseWhileHidden } from "../../api/live";
import { nothingYet, withEvents, type Progress } from "./progress";

const gather = 80; // ms: events that come close together are drawn once

/**
 * What a build tells, from its first event to its end. The stream goes on where it was after a break; that nothing more will come
 * the gateway says when the stream is opened again after its end. A build that begins anew, to be restored, goes on telling; one that
 * is gone, because somebody deleted it, is not asked again.
 */
export function useBuildEvents(project: string, name: string, build: number, going: boolean, gone: boolean): { progress: Progress; stream: StreamState } {
  const [progress, setProgress] = useState<Progress>(nothingYet);
  const [stream, setStream] = useState<StreamState>({ kind: "connecting" });
  const open = useRef<EventStream>(undefined);

  useEffect(() => {
    const waiting: BuildEvent[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    function draw() {
      timer = undefined;
      const events = waiting.splice(0);
      setProgress((before) => withEvents(before, events));
    }
    const opened = new EventStream(
      {
        opened: () => {},
        state: setStream,
        sent({ data }) {
          if (!data) return;
          waiting.push(JSON.parse(data) as BuildEvent);
          timer ??= setTimeout(draw, gather);
        },
      },
      address(paths.buildEvents(project, name, build)),
    );
    setProgress(nothingYet);
    open.current = opened;
    opened.start();
    const forget = pauseWhileHidden(opened);
    return () => {
      clearTimeout(timer);
      forget();
      opened.pause();
    };
  }, [project, name, build]);

  useEffect(() => {
    if (going) open.current?.start();
  }, [going]);

  useEffect(() => {
    if (gone) open.current?.pause();
  }, [gone]);

  return { progress, stream };
}
