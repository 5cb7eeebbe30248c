// Short notices at the page's foot, and the line that screen readers follow.

import { useSyncExternalStore } from "react";
import { CloseIcon, DoneIcon } from "./icons";

interface Notice {
  id: number;
  text: string;
}

const shownFor = 6_000;
let notices: readonly Notice[] = [];
let spoken = "";
let lastId = 0;
const watchers = new Set<() => void>();

function tell(): void {
  for (const changed of watchers) changed();
}

function watch(changed: () => void): () => void {
  watchers.add(changed);
  return () => void watchers.delete(changed);
}

/** Says that something was done. */
export function notify(text: string): void {
  const id = ++lastId;
  notices = [...notices.slice(-2), { id, text }];
  setTimeout(() => dismiss(id), shownFor);
  announce(text);
}

function dismiss(id: number): void {
  notices = notices.filter((n) => n.id !== id);
  tell();
}

/** Says something to those who do not see the page change. */
export function announce(text: string): void {
  // The same words twice are two changes: a mark without a sound makes them differ.
  spoken = text === spoken ? `${text}\u200b` : text;
  tell();
}

/** Where notices appear; once per page. */
export function Notices() {
  const list = useSyncExternalStore(watch, () => notices);
  const live = useSyncExternalStore(watch, () => spoken);
  return (
    <>
      <div className="unseen" aria-live="polite">
        {live}
      </div>
      <div className="notices" aria-hidden={list.length === 0}>
        {list.map((notice) => (
          <div key={notice.id} className="notice">
            <DoneIcon />
            <span>{notice.text}</span>
            <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => dismiss(notice.id)}>
              <CloseIcon />
            </button>
          </div>
        ))}
      </div>
    </>
  );
}
