// Talking to /api/v1: one function that sends, one kind of error, and the addresses.

import type { Failure } from "./environments";
import type { Page } from "./types";

const base = "/api/v1";
const pageSize = 1000; // the most that the gateway gives

/** An answer that is not a success, in words for the person who reads it. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly code: string,
    readonly status: number,
    /** Finds the line in the gateway's log; empty where the gateway was not reached. */
    readonly id: string,
    /** Why an environment cannot be solved or built, where that is what went wrong. */
    readonly failure?: Failure,
    /** What is wrong with which field of what was sent, where that is known. */
    readonly fields: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

export interface Answer<T> {
  data: T;
  etag: string;
}

/** Addresses below /api/v1, with every part escaped. */
export const paths = {
  me: "/me",
  users: "/users",
  user: (user: string) => `/users/${encodeURIComponent(user)}`,
  password: (user: string) => `/users/${encodeURIComponent(user)}/password`,
  loginLinks: (user: string) => `/users/${encodeURIComponent(user)}/login-links`,
  tokens: "/tokens",
  token: (id: string) => `/tokens/${encodeURIComponent(id)}`,
  projects: "/projects",
  project: (project: string) => `/projects/${encodeURIComponent(project)}`,
  members: (project: string) => `/projects/${encodeURIComponent(project)}/members`,
  member: (project: string, user: string) => `/projects/${encodeURIComponent(project)}/members/${encodeURIComponent(user)}`,
  workloads: (project: string) => `/projects/${encodeURIComponent(project)}/workloads`,
  stop: (project: string, id: string) => `/projects/${encodeURIComponent(project)}/workloads/${encodeURIComponent(id)}/stop`,
  /** The last few entries. */
  audit: (project: string) => `/projects/${encodeURIComponent(project)}/audit?limit=6`,
  version: "/version",
  environments: (project: string) => `/projects/${encodeURIComponent(project)}/environments`,
  environment: (project: string, name: string) => `/projects/${encodeURIComponent(project)}/environments/${encodeURIComponent(name)}`,
  environmentsUsage: (project: string) => `/projects/${encodeURIComponent(project)}/environments-usage`,
  environmentsCollect: (project: string) => `/projects/${encodeURIComponent(project)}/environments-collect`,
  environmentsPolicy: (project: string) => `/projects/${encodeURIComponent(project)}/environments-policy`,
  searchPackages: (project: string, text: string, from: string) => `/projects/${encodeURIComponent(project)}/packages?q=${encodeURIComponent(text)}&from=${from}&limit=20`,
  spec: (project: string, name: string, revision = 0) => `${paths.environment(project, name)}/spec${revision ? `?revision=${revision}` : ""}`,
  revisions: (project: string, name: string) => `${paths.environment(project, name)}/revisions`,
  packages: (project: string, name: string, build = 0) => `${paths.environment(project, name)}/packages${build ? `?build=${build}` : ""}`,
  solve: (project: string, name: string) => `${paths.environment(project, name)}/solve`,
  activate: (project: string, name: string) => `${paths.environment(project, name)}/activate`,
  history: (project: string, name: string) => `${paths.environment(project, name)}/history`,
  builds: (project: string, name: string) => `${paths.environment(project, name)}/builds`,
  build: (project: string, name: string, build: number) => `${paths.builds(project, name)}/${build}`,
  cancelBuild: (project: string, name: string, build: number) => `${paths.build(project, name, build)}/cancel`,
  buildEvents: (project: string, name: string, build: number) => `${paths.build(project, name, build)}/events`,
  diff: (project: string, name: string, build: number, from: number) => `${paths.build(project, name, build)}/diff?from=${from}`,
  archive: (project: string, name: string, build: number) => `${paths.build(project, name, build)}/archive`,
  archiveFile: (project: string, name: string, build: number) => `${paths.archive(project, name, build)}/file`,
  exported: (project: string, name: string, build: number, format: string) => `${paths.build(project, name, build)}/export?format=${format}`,
};

/** The address of a path as the browser asks for it: for downloads and streams. */
export function address(path: string): string {
  return base + path;
}

export interface SendOptions {
  /** Only if the thing still has this ETag: a conflict otherwise. */
  ifMatch?: string;
  /** Gives up waiting for the answer. */
  signal?: AbortSignal;
}

/** Sends a request that changes something and gives the answer's body, undefined where there is none. */
export async function send<T = void>(method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: unknown, { ifMatch, signal }: SendOptions = {}): Promise<T> {
  const headers = new Headers();
  const init: RequestInit = { method, headers, signal: signal ?? null };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    headers.set("Content-Type", "application/json");
  }
  if (ifMatch) headers.set("If-Match", ifMatch);
  const response = await ask(path, init);
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

/** Reads one thing. With the ETag of what the caller has, undefined says that it has not changed. */
export async function read<T>(path: string, etag = ""): Promise<Answer<T> | undefined> {
  const init: RequestInit = etag ? { headers: { "If-None-Match": etag } } : {};
  const response = await ask(path, init);
  if (response.status === 304) return undefined;
  return { data: (await response.json()) as T, etag: response.headers.get("ETag") ?? "" };
}

/** Reads a whole list, page after page. The ETag counts only for lists of one page: it is the first page's. */
export async function readList<T>(path: string, etag = ""): Promise<Answer<T[]> | undefined> {
  const limited = `${path}${path.includes("?") ? "&" : "?"}limit=${pageSize}`;
  const first = await read<Page<T>>(limited, etag);
  if (!first) return undefined;
  const items = first.data.items;
  let next = first.data.next;
  while (next) {
    const page = await read<Page<T>>(`${limited}&after=${encodeURIComponent(next)}`);
    items.push(...(page?.data.items ?? []));
    next = page?.data.next ?? "";
  }
  return { data: items, etag: first.data.next ? "" : first.etag };
}

async function ask(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(base + path, { ...init, credentials: "same-origin" });
  } catch (error) {
    if (init.signal?.aborted) throw error; // nobody waits for it any more
    throw new ApiError("Hopyard does not answer. It may be restarting, or the network is down. Try again in a moment.", "unreachable", 0, "");
  }
  if (response.status === 401 && !path.endsWith("/password")) return toLogin();
  if (!response.ok && response.status !== 304) throw await errorOf(response);
  return response;
}

async function errorOf(response: Response): Promise<ApiError> {
  try {
    const { error, failure, fields } = (await response.json()) as { error: { code: string; message: string; id: string }; failure?: Failure; fields?: Record<string, string> };
    return new ApiError(sentence(error.message), error.code, response.status, error.id, failure, fields);
  } catch {
    return new ApiError(`Hopyard answered with status ${response.status} and nothing that explains it.`, "internal", response.status, "");
  }
}

/** The message with a capital and a full stop. A file's name at its beginning stays as it is. */
export function sentence(message: string): string {
  const isName = /^\S*[./_]\w/.test(message);
  const text = isName ? message : message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Leaves for the login page, which comes back here. What waits for an answer waits until the page is gone. */
export function toLogin(): Promise<never> {
  const here = location.pathname + location.search;
  location.assign(`/login?next=${encodeURIComponent(here)}`);
  return new Promise(() => {});
}
