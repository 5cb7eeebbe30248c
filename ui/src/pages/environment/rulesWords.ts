import type { RuleSet } from "../../api/environments";
import { counted } from "../../text/time";
import { daysOf } from "./rulesDraft";

/** An environment's own rules in sentences, the most general first; empty where it has none. */
export function rulesWords(rules: RuleSet): string[] {
  const listed = (before: string, list: string[] | undefined, after = "") => (list && list.length > 0 ? `${before} ${list.join(", ")}${after}.` : "");
  const only = (what: string, list: string[] | undefined, none: string) => (list?.length === 0 ? none : listed(what, list));
  return [
    only("Conda packages come only from", rules.allowed_channels, "No conda channel is allowed."),
    listed("Where environment.yml names no channel:", rules.channels),
    listed("Refused channels:", rules.denied_channels),
    only("Wheels come only from", rules.allowed_indexes, "No package index is allowed."),
    rules.index && !rules.allowed_indexes ? `The package index is ${rules.index}.` : "",
    only("Files of wheels lie only on", rules.wheel_hosts, "Files of wheels lie on the index itself."),
    listed("Refused packages:", rules.deny_packages),
    listed("Refused licences:", rules.deny_licenses),
    rules.deny_unknown_licenses ? "Packages must say their licence." : "",
    ageWords(rules),
    rules.max_packages ? `At most ${counted(rules.max_packages, "package")}.` : "",
    rules.max_artifact_bytes ? `The files of its packages have at most ${gigabytes(rules.max_artifact_bytes)} together.` : "",
  ].filter(Boolean);
}

function ageWords({ minimum_age: age, deny_unknown_age: known }: RuleSet): string {
  const days = daysOf(age);
  if (days > 0) return `Packages must have been released ${daysWords(days)} ago or earlier.${known ? " Those that do not say when are refused." : ""}`;
  return known ? "Where there is a minimum age, packages that do not say when they were released are refused." : "";
}

/** "7 days", "36 hours". */
export function daysWords(days: number): string {
  if (days % 1 === 0) return counted(days, "day");
  const hours = Math.round(days * 24 * 10) / 10;
  return hours >= 1 ? counted(hours, "hour") : counted(Math.round(days * 24 * 60), "minute");
}

/** A size as rules say it, in powers of 1000. */
export function gigabytes(bytes: number): string {
  return bytes >= 1e9 ? `${Number((bytes / 1e9).toPrecision(4))} GB` : `${Number((bytes / 1e6).toPrecision(4))} MB`;
}

/** What a change of rules affects. */
export function savedWords(name: string, build: number | undefined): string {
  return `The rules of ${name} are saved. New solves and builds keep to them${build ? `; build ${build} stays in use` : ""}.`;
}
