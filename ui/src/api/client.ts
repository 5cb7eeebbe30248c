// Talking to /api/v1: one function that sends, one kind of error, and the addresses.

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
};

/** Sends a request that changes something and gives the answer's body, undefined where there is none. */
export async function send<T = void>(method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "Content-Type": "application/json" };
  }
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
  const first = await read<Page<T>>(`${path}?limit=${pageSize}`, etag);
  if (!first) return undefined;
  const items = first.data.items;
  let next = first.data.next;
  while (next) {
    const page = await read<Page<T>>(`${path}?limit=${pageSize}&after=${encodeURIComponent(next)}`);
    items.push(...(page?.data.items ?? []));
    next = page?.data.next ?? "";
  }
  return { data: items, etag: first.data.next ? "" : first.etag };
}

async function ask(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(base + path, { ...init, credentials: "same-origin" });
  } catch {
    throw new ApiError("Hopyard does not answer. It may be restarting, or the network is down. Try again in a moment.", "unreachable", 0, "");
  }
  if (response.status === 401 && !path.endsWith("/password")) return toLogin();
  if (!response.ok && response.status !== 304) throw await errorOf(response);
  return response;
}

async function errorOf(response: Response): Promise<ApiError> {
  try {
    const { error } = (await response.json()) as { error: { code: string; message: string; id: string } };
    return new ApiError(sentence(error.message), error.code, response.status, error.id);
  } catch {
    return new ApiError(`Hopyard answered with status ${response.status} and nothing that explains it.`, "internal", response.status, "");
  }
}

function sentence(message: string): string {
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Leaves for the login page, which comes back here. What waits for an answer waits until the page is gone. */
export function toLogin(): Promise<never> {
  const here = location.pathname + location.search;
  location.assign(`/login?next=${encodeURIComponent(here)}`);
  return new Promise(() => {});
}
