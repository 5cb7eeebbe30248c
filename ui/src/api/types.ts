// The shapes of /api/v1, as the gateway writes them. Times are RFC 3339 in UTC.

export type Role = "data_owner" | "data_scientist";

export interface Me {
  user: string;
  name: string;
  admin: boolean;
  projects: { name: string; role: Role }[];
}

/** A user of the site. Only administrators see more than the names. */
export interface User {
  name: string;
  display_name: string;
  admin?: boolean;
  created?: string;
  disabled?: boolean;
}

export interface Project {
  name: string;
  description: string;
  created: string;
  /** The caller's own role; empty for an administrator who is no member. */
  role?: Role | "";
  members: number;
  running: number;
  last_activity?: string;
}

export interface Member {
  user: string;
  name: string;
  role: Role;
  since: string;
}

export type WorkloadState = "starting" | "running" | "stopping" | "ended";

export interface Workload {
  id: string;
  project: string;
  kind: string;
  name: string;
  owner: string;
  state: WorkloadState;
  activity?: string;
  reason?: string;
  started: string;
  last_activity: string;
  ended?: string;
  /** Resident memory; 0 where it is not known. */
  memory_bytes: number;
  cpu_seconds: number;
  connections: number;
  environment?: RunsOn;
  isolation: string;
}

/** The build of an environment that a program runs on. */
export interface RunsOn {
  name: string;
  build: number;
  id: string;
}

export interface Token {
  id: string;
  user: string;
  project?: string;
  note: string;
  created: string;
  expires: string;
  last_used?: string;
}

/** A token as it is answered once, when it is made. */
export interface NewToken extends Token {
  token: string;
}

export interface LoginLink {
  url: string;
  expires: string;
}

export interface AuditEntry {
  id: string;
  time: string;
  user: string;
  action: string;
  resource: string;
  project?: string;
  detail?: string;
  remote?: string;
}

export interface Version {
  version: string;
  commit: string;
}

export interface Page<T> {
  items: T[];
  next: string;
}

/** What an event says has changed; the lists are the truth. */
export interface Change {
  kind: "workloads" | "members" | "projects" | "users" | "tokens" | "environments";
  project?: string;
  id?: string;
}
