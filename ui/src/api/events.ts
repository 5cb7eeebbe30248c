// Event streams: what happens, as it happens. A stream that breaks, or goes silent, is opened again with the last id that was
// seen, so that the gateway can go on from there, or tell that something was missed.
//
// EventSource is not used because it hides the gateway's pings, and with them a connection that died without a word.

import { toLogin } from "./client";
import type { Change } from "./types";

export type StreamState =
  | { kind: "connecting" }
  | { kind: "live" }
  | { kind: "lost"; retryAt: number }
  | { kind: "paused" };

export interface StreamListener {
  sent(event: SentEvent): void;
  /** The stream is open, for the first time or again. */
  opened(): void;
  state(state: StreamState): void;
}

export interface ChangeListener {
  change(change: Change): void;
  /** Something may have been missed: everything that is shown must be read again. */
  resync(): void;
  state(state: StreamState): void;
}

/** Hears the stream of changes. What changed before it opened may have been missed, at the first opening too: lists were read before it. */
export function hearChanges(listener: ChangeListener): StreamListener {
  return {
    opened: () => listener.resync(),
    state: (state) => listener.state(state),
    sent({ event, data }) {
      if (event === "resync") listener.resync();
      if (event === "change") listener.change(JSON.parse(data) as Change);
    },
  };
}

/** What the stream needs of the world; tests bring their own. */
export interface StreamWorld {
  fetch(input: string, init: RequestInit): Promise<Response>;
  now(): number;
  random(): number;
  unauthenticated(): void;
}

const silence = 40_000; // the gateway pings every 15 s
const steady = 5_000; // a stream that lived as long was a good one: the next try may come soon
const firstRetry = 500;
const lastRetry = 15_000;

/** How long to wait before the nth try (from 0), spread so that a thousand pages do not come back at once. */
export function retryDelay(attempt: number, random: number): number {
  const full = Math.min(lastRetry, firstRetry * 2 ** Math.min(attempt, 10));
  return Math.round(full * (0.5 + random / 2));
}

export interface SentEvent {
  id: string;
  event: string;
  data: string;
}

/** Cuts the bytes of a text/event-stream into events. Comments give an event with an empty name: a sign of life. */
export class EventParser {
  private rest = "";

  push(text: string): SentEvent[] {
    const blocks = (this.rest + text).replaceAll("\r\n", "\n").split("\n\n");
    this.rest = blocks.pop() ?? "";
    return blocks.map(parseBlock);
  }
}

function parseBlock(block: string): SentEvent {
  const event: SentEvent = { id: "", event: "", data: "" };
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const value = line.slice(colon + 1).replace(/^ /, "");
    switch (line.slice(0, colon)) {
      case "id":
        event.id = value;
        break;
      case "event":
        event.event = value;
        break;
      case "data":
        data.push(value);
        break;
    }
  }
  event.data = data.join("\n");
  return event;
}

export class EventStream {
  private lastId = "";
  private attempt = 0;
  private openedAt = 0;
  private running: AbortController | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly listener: StreamListener,
    private readonly path: string,
    private readonly world: StreamWorld = browser,
  ) {}

  /** Opens the stream, or opens it at once where it waits for its next try. */
  start(): void {
    if (this.running) return;
    clearTimeout(this.timer);
    this.running = new AbortController();
    void this.run(this.running);
  }

  /** Closes the stream until start; nothing is told meanwhile. */
  pause(): void {
    this.stop();
    this.listener.state({ kind: "paused" });
  }

  private stop(): void {
    clearTimeout(this.timer);
    this.running?.abort();
    this.running = undefined;
  }

  private async run(abort: AbortController): Promise<void> {
    if (this.attempt === 0) this.listener.state({ kind: "connecting" });
    try {
      await this.read(abort);
    } catch {
      // Lost, refused or silent: all are mended the same way.
    }
    abort.abort();
    if (this.running !== abort) return; // paused meanwhile
    this.running = undefined;
    if (this.openedAt && this.world.now() - this.openedAt > steady) this.attempt = 0;
    this.openedAt = 0;
    const wait = retryDelay(this.attempt++, this.world.random());
    this.listener.state({ kind: "lost", retryAt: this.world.now() + wait });
    this.timer = setTimeout(() => this.start(), wait);
  }

  private async read(abort: AbortController): Promise<void> {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.lastId) headers["Last-Event-ID"] = this.lastId;
    let watchdog = setTimeout(() => abort.abort(), silence);
    try {
      const response = await this.world.fetch(this.path, { headers, signal: abort.signal, cache: "no-store" });
      if (response.status === 401) return this.world.unauthenticated();
      if (response.status === 204) return this.pause(); // nothing will follow what was sent before
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      this.live();
      const reader = response.body.getReader();
      const text = new TextDecoder();
      const parser = new EventParser();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || abort.signal.aborted) return;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => abort.abort(), silence);
        for (const event of parser.push(text.decode(value, { stream: true }))) this.take(event);
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  private live(): void {
    this.openedAt = this.world.now();
    this.listener.state({ kind: "live" });
    this.listener.opened();
  }

  private take(event: SentEvent): void {
    if (event.id) this.lastId = event.id;
    if (event.event) this.listener.sent(event);
  }
}

const browser: StreamWorld = {
  fetch: (input, init) => fetch(input, init),
  now: () => Date.now(),
  random: () => Math.random(),
  unauthenticated: () => void toLogin(),
};
