// The rules of an environment while somebody edits them.

import type { RuleSet } from "../../api/environments";

/** What the form shows of a RuleSet. Numbers are as they were typed; undefined allows all that the site allows. */
export interface RulesDraft {
  allowedChannels: string[] | undefined;
  deniedChannels: string[];
  allowedIndexes: string[] | undefined;
  denyPackages: string[];
  denyLicenses: string[];
  denyUnknownLicenses: boolean;
  days: string;
  denyUnknownAge: boolean;
  maxPackages: string;
  maxGigabytes: string;
}

/** The rules that have a field in the form, as the gateway calls them. */
export const shownRules = ["allowed_channels", "denied_channels", "allowed_indexes", "deny_packages", "deny_licenses", "minimum_age", "max_packages", "max_artifact_bytes"] as const;
export type ShownRule = (typeof shownRules)[number];
export type Complaints = Partial<Record<ShownRule, string>>;

const everything = "*";
const gigabyte = 1e9; // as the gateway writes sizes in rules

export function draftOf(rules: RuleSet): RulesDraft {
  return {
    allowedChannels: rules.allowed_channels,
    deniedChannels: rules.denied_channels ?? [],
    allowedIndexes: rules.allowed_indexes,
    denyPackages: rules.deny_packages ?? [],
    denyLicenses: rules.deny_licenses ?? [],
    denyUnknownLicenses: rules.deny_unknown_licenses ?? false,
    days: numberText(daysOf(rules.minimum_age)),
    denyUnknownAge: rules.deny_unknown_age ?? false,
    maxPackages: numberText(rules.max_packages ?? 0),
    maxGigabytes: numberText((rules.max_artifact_bytes ?? 0) / gigabyte),
  };
}

/** The rules that a draft stands for. What the form does not show stays as it was. */
export function rulesOf(draft: RulesDraft, before: RuleSet): RuleSet {
  const unchanged = draftOf(before);
  const rules = {
    ...before,
    allowed_channels: draft.allowedChannels,
    denied_channels: some(draft.deniedChannels),
    allowed_indexes: draft.allowedIndexes,
    index: indexOf(draft, before),
    deny_packages: some(draft.denyPackages),
    deny_licenses: some(draft.denyLicenses),
    deny_unknown_licenses: draft.denyUnknownLicenses || undefined,
    minimum_age: draft.days === unchanged.days ? before.minimum_age : ageOf(draft.days),
    deny_unknown_age: draft.denyUnknownAge || undefined,
    max_packages: Number(draft.maxPackages) || undefined,
    max_artifact_bytes: draft.maxGigabytes === unchanged.maxGigabytes ? before.max_artifact_bytes : Math.round(Number(draft.maxGigabytes) * gigabyte) || undefined,
  };
  return Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined)) as RuleSet;
}

/** The index to use: of those that are allowed, the one that was used before, or else the first. */
function indexOf({ allowedIndexes }: RulesDraft, before: RuleSet): string | undefined {
  if (!allowedIndexes) return before.allowed_indexes ? undefined : before.index;
  if (before.index && allowedIndexes.includes(before.index)) return before.index;
  return allowedIndexes.find((index) => index !== everything);
}

/** What can be seen to be wrong without asking. */
export function complaintsOf({ days, maxPackages, maxGigabytes }: RulesDraft): Complaints {
  const complaints: Complaints = {};
  if (!isNumber(days, 10_000)) complaints.minimum_age = "Write a number of days, such as 7.";
  if (!isNumber(maxPackages, 1e6) || Number(maxPackages) % 1 !== 0) complaints.max_packages = "Write a whole number, such as 200.";
  if (!isNumber(maxGigabytes, 1e6)) complaints.max_artifact_bytes = "Write a number of gigabytes, such as 5.";
  return complaints;
}

/** What the gateway has against fields of the form; undefined where it is about something else, too. */
export function complaintsIn(fields: Readonly<Record<string, string>>): Complaints | undefined {
  const complaints: Complaints = {};
  for (const [name, message] of Object.entries(fields)) {
    const rule = name === "index" ? "allowed_indexes" : shownRules.find((known) => known === name);
    if (!rule) return undefined;
    complaints[rule] = complaints[rule] ? `${complaints[rule]}; ${message}` : message;
  }
  return Object.keys(complaints).length > 0 ? complaints : undefined;
}

/** The channels that a site allows: those that it names, where it does not say which. */
export function siteChannels(site: RuleSet): string[] {
  const named = site.allowed_channels ?? [...(site.channels ?? ["conda-forge"]), ...Object.keys(site.channel_urls ?? {}).toSorted()];
  return [...new Set(named)].filter((channel) => !site.denied_channels?.includes(channel));
}

/** The package indexes that a site allows; undefined where it names none, and the tool's own is used. */
export function siteIndexes({ allowed_indexes: allowed, index }: RuleSet): string[] | undefined {
  return allowed ?? (index ? [index] : undefined);
}

/** What somebody typed or pasted into a list, as entries that are not in it yet. */
export function entriesIn(text: string, ...known: readonly (readonly string[])[]): string[] {
  const entries = text.split(/[\s,;]+/).filter(Boolean);
  return [...new Set(entries)].filter((entry) => !known.some((list) => list.includes(entry)));
}

/** A duration of the gateway's in days: "3d", "36h0m0s". */
export function daysOf(age: string | undefined): number {
  const seconds = { d: 86_400, h: 3_600, m: 60, s: 1 };
  let sum = 0;
  for (const [, amount, unit] of (age ?? "").matchAll(/([\d.]+)([dhms])(?!s)/g)) sum += Number(amount) * seconds[unit as keyof typeof seconds];
  return sum / seconds.d;
}

function ageOf(days: string): string | undefined {
  const n = Number(days);
  if (!(n > 0)) return undefined;
  return n % 1 === 0 ? `${n}d` : `${Math.round(n * 86_400)}s`;
}

function isNumber(text: string, most: number): boolean {
  return /^(\d+(\.\d*)?|\.\d+)?$/.test(text.trim()) && Number(text) <= most;
}

function numberText(n: number): string {
  return n > 0 ? String(Number(n.toPrecision(12))) : "";
}

function some(list: string[]): string[] | undefined {
  return list.length > 0 ? list : undefined;
}
