// The shapes of environments in /api/v1, as the gateway writes them. Times are RFC 3339 in UTC, sizes are in bytes.

export type Kind = "conda" | "venv";
/** Where a package comes from. */
export type From = "conda" | "pip";

export interface Environment {
  project: string;
  name: string;
  kind: Kind;
  /** Why it is of that kind, as a sentence. */
  why: string;
  default: boolean;
  revision: number;
  active?: Active;
  latest?: Build;
  created: string;
  created_by: string;
  exclusive_bytes: number;
  shared_bytes: number;
  in_use?: InUse[];
  /** Its own rules, which only tighten the site's. */
  policy?: RuleSet;
  /** What today's rules have against the build in use; it stays in use. */
  findings?: Failure[];
}

/** The build that new programs get. */
export interface Active {
  build: number;
  id: string;
  revision: number;
  python?: string;
  packages: number;
  prefix: string;
  since: string;
  by: string;
}

export interface InUse {
  build: number;
  /** Ids of the programs that run on it. */
  workloads: string[];
}

export interface Revision {
  revision: number;
  text: string;
  author: string;
  message?: string;
  created: string;
  sha256: string;
  lock?: string;
}

export type BuildState = "queued" | "solving" | "building" | "ready" | "collected" | "failed" | "canceled";
export type Phase = "solve" | "fetch" | "link" | "pip" | "finish";

export interface Build {
  project: string;
  environment: string;
  build: number;
  revision: number;
  state: BuildState;
  phase?: Phase;
  failure?: Failure;
  lock?: string;
  id?: string;
  /** Its files were there already. */
  reused?: boolean;
  active: boolean;
  pinned?: boolean;
  workload?: string;
  by: string;
  reason?: string;
  /** What it waits for, where that is not plain. */
  waiting?: string;
  created: string;
  started?: string;
  ended?: string;
  packages?: number;
  bytes?: number;
  python?: string;
  link?: string;
  progress?: BuildEvent;
}

/** One thing that happens in a build. Seq counts from 1 without holes. */
export interface BuildEvent {
  seq: number;
  time: string;
  type: "state" | "progress" | "log" | "result";
  state?: BuildState;
  phase?: Phase;
  done?: number;
  total?: number;
  bytes?: number;
  total_bytes?: number;
  package?: string;
  text?: string;
  failure?: Failure;
}

/** Why a solve or a build did not work. */
export interface Failure {
  cause: string;
  message: string;
  /** Explains a conflict in indented lines. */
  tree?: string;
  package?: string;
  /** Names that the package may be a mistake for. */
  near?: string[];
  rule?: string;
  line?: number;
  column?: number;
}

export interface Activation {
  number: number;
  build: number;
  from?: number;
  by: string;
  reason?: string;
  created: string;
  /** The build's files are being restored; it is used as soon as they are there. */
  pending?: boolean;
}

export interface Solution {
  lock: string;
  diff: Diff;
  download_bytes: number;
  artifact_bytes: number;
  /** This content is built already. */
  ready: boolean;
  findings?: Failure[];
  text: string;
}

export interface Diff {
  added?: Change[];
  removed?: Change[];
  changed?: Change[];
  unchanged: number;
  bytes: number;
}

export interface Change {
  name: string;
  from: From;
  old?: string;
  new?: string;
  old_build?: string;
  new_build?: string;
  direction?: "up" | "down" | "build";
  bytes?: number;
}

/** A package of a build. */
export interface Item {
  name: string;
  version: string;
  build?: string;
  from: From;
  channel?: string;
  license?: string;
  url?: string;
  sha256?: string;
  size?: number;
  requires?: string[];
  requested?: boolean;
}

/** A package that a search found. Versions are the newest first. */
export interface Found {
  name: string;
  from: From;
  versions?: string[] | null;
  summary?: string;
  license?: string;
  channel?: string;
}

/** A change of what an environment asks for. */
export interface Edit {
  add: Wanted[];
  remove: string[];
  upgrade: string[];
}

export interface Wanted {
  name: string;
  from: From;
  version?: string;
}

export interface Usage {
  shared_bytes: number;
  exclusive_bytes: number;
  builds: number;
  /** The rule by which old builds are collected, as a sentence. */
  rule: string;
}

/** What a collection has removed. */
export interface Collected {
  /** Builds that lost their files, and packages that left the caches; bytes is what both took on disk. */
  builds: number;
  packages: number;
  bytes: number;
  /** Locks that nothing named for long. */
  locks: number;
  lock_bytes: number;
}

export interface Archive {
  state: "none" | "building" | "ready" | "failed";
  path?: string;
  bytes?: number;
  sha256?: string;
  spark?: Record<string, string>;
  flink?: Record<string, string>;
  failure?: Failure;
}

/** What a project's environments have to keep to. */
export interface Policy {
  /** How new environments are made; empty while that is not known. */
  kind?: Kind | "";
  why: string;
  /** The site's rules, as far as this project may see them. */
  rules: RuleSet;
  /** The same in sentences. */
  words?: string[];
}

/** What environments may be made of. What is not said is not restricted; lists of what is allowed mean nothing where they are empty. */
export interface RuleSet {
  /** Channels for an environment.yml that names none. */
  channels?: string[];
  channel_urls?: Record<string, string>;
  channel_alias?: string;
  allowed_channels?: string[];
  denied_channels?: string[];
  private_channels?: Record<string, string[]>;
  index?: string;
  allowed_indexes?: string[];
  wheel_hosts?: string[];
  deny_packages?: string[];
  deny_licenses?: string[];
  deny_unknown_licenses?: boolean;
  /** "3d" or "36h0m0s". */
  minimum_age?: string;
  deny_unknown_age?: boolean;
  max_packages?: number;
  max_artifact_bytes?: number;
  max_environments?: number;
}

export type ExportFormat = "spec" | "environment" | "explicit" | "conda-lock" | "requirements" | "cyclonedx" | "lock";
