// What the pages know of the gateway: every address is read once, kept, and read again when an event says that it changed.

import { useSyncExternalStore } from "react";
import { ApiError, paths, read, readList, type Answer } from "./client";
import type { Change } from "./types";

/** What is known at one address. Data stays while it is read again, and beside an error of a later reading. */
export interface Known<T> {
  data: T | undefined;
  error: ApiError | undefined;
}

type Reader = (path: string, etag: string) => Promise<Answer<unknown> | undefined>;

const settle = 120; // changes come in bursts: a burst is one reading
const pace = 1_000; // what changes all the time is read once a second
const retryAfter = 3_000;

/** One address: what is known of it, who shows it, and when it is read again. */
export class Entry {
  known: Known<unknown> = { data: undefined, error: undefined };
  private etag = "";
  private text = "";
  private stale = true;
  private reading = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private due = Infinity; // when the timer fires
  private lastRead = 0;
  private readonly watchers = new Set<() => void>();

  constructor(
    private readonly path: string,
    private readonly reader: Reader,
  ) {}

  watch(changed: () => void): () => void {
    this.watchers.add(changed);
    if (this.stale || this.known.error) void this.refresh();
    return () => void this.watchers.delete(changed);
  }

  /** What is on no page now is read when it is next shown. */
  invalidate(): void {
    this.stale = true;
    if (this.watchers.size > 0) this.later(settle);
  }

  /** The same for what the gateway tells, which may be often. */
  changed(): void {
    this.stale = true;
    if (this.watchers.size > 0) this.later(Math.max(settle, this.lastRead + pace - Date.now()));
  }

  private later(wait: number): void {
    const due = Date.now() + wait;
    if (due >= this.due) return;
    clearTimeout(this.timer);
    this.due = due;
    this.timer = setTimeout(() => {
      this.due = Infinity;
      void this.refresh();
    }, wait);
  }

  private async refresh(): Promise<void> {
    if (this.reading) return;
    this.reading = true;
    this.stale = false;
    await this.readOnce();
    this.reading = false;
    if (this.stale) this.changed(); // it changed while it was read
  }

  private async readOnce(): Promise<void> {
    this.lastRead = Date.now();
    try {
      const answer = await this.reader(this.path, this.etag);
      if (answer) this.keep(answer);
      else this.set({ data: this.known.data, error: undefined });
    } catch (error) {
      const problem = asApiError(error);
      this.set({ data: this.known.data, error: problem });
      const passing = problem.status === 0 || problem.status >= 500;
      if (passing && this.watchers.size > 0) this.later(retryAfter);
    }
  }

  /** Equal answers keep their old value, so that nothing is drawn again. */
  private keep(answer: Answer<unknown>): void {
    const text = JSON.stringify(answer.data);
    const data = text === this.text ? this.known.data : answer.data;
    this.etag = answer.etag;
    this.text = text;
    this.set({ data, error: undefined });
  }

  private set(next: Known<unknown>): void {
    if (next.data === this.known.data && next.error === this.known.error) return;
    this.known = next;
    for (const changed of this.watchers) changed();
  }
}

const entries = new Map<string, Entry>();

function entry(path: string, reader: Reader): Entry {
  let found = entries.get(path);
  if (!found) entries.set(path, (found = new Entry(path, reader)));
  return found;
}

function useEntry<T>(path: string | undefined, reader: Reader): Known<T> {
  const e = path === undefined ? nowhere : entry(path, reader);
  return useSyncExternalStore(
    subscriber(e),
    () => e.known as Known<T>,
  );
}

/** What is known where there is nothing to ask yet: its reader waits for ever. */
const nowhere = new Entry("", () => new Promise(() => {}));

const subscribers = new WeakMap<Entry, (changed: () => void) => () => void>();

/** The same function for the same entry: React subscribes again whenever it is given another. */
function subscriber(e: Entry): (changed: () => void) => () => void {
  let found = subscribers.get(e);
  if (!found) subscribers.set(e, (found = (changed) => e.watch(changed)));
  return found;
}

/** What is at an address of one thing; nothing while the address is not known. */
export function useThing<T>(path: string | undefined): Known<T> {
  return useEntry<T>(path, read);
}

/** All items of a list, every page of it. */
export function useList<T>(path: string | undefined): Known<T[]> {
  return useEntry<T[]>(path, readList);
}

/** Reads the address again if it is shown, and when it is next shown if not; one that ends in "/" stands for all below it. */
export function invalidate(...paths: string[]): void {
  for (const path of paths) for (const e of entriesAt(path)) e.invalidate();
}

export function invalidateAll(): void {
  for (const e of entries.values()) e.invalidate();
}

/** Reads again what an event says has changed. */
export function applyChange(change: Change): void {
  for (const path of touchedBy(change)) for (const e of entriesAt(path)) e.changed();
}

function entriesAt(path: string): Entry[] {
  if (path.endsWith("/")) return [...entries].filter(([other]) => other.startsWith(path)).map(([, e]) => e);
  const e = entries.get(path);
  return e ? [e] : [];
}

/** The addresses whose answers a change alters; one that ends in "/" stands for all below it. */
export function touchedBy({ kind, project, id }: Change): string[] {
  const projectPaths = project ? [paths.project(project), paths.audit(project)] : [];
  switch (kind) {
    case "workloads":
      return [paths.projects, ...projectPaths, ...(project ? [paths.workloads(project)] : [])];
    case "members":
      return [paths.me, paths.projects, ...projectPaths, ...(project ? [paths.members(project)] : [])];
    case "projects":
      return [paths.me, paths.projects, ...projectPaths];
    case "users":
      return [paths.me, paths.users, ...(project ? [paths.members(project)] : [])];
    case "tokens":
      return [paths.tokens];
    case "environments":
      return project ? [...projectPaths, paths.environments(project), paths.environmentsUsage(project), ...environmentPaths(project, id)] : [];
    default:
      return []; // a newer gateway may speak of kinds that this page does not know
  }
}

function environmentPaths(project: string, name: string | undefined): string[] {
  if (!name) return [`${paths.environments(project)}/`];
  return [paths.environment(project, name), `${paths.environment(project, name)}/`];
}

export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError("Something in this page broke. Loading it again may help.", "internal", 500, "");
}
