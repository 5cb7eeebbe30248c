// Lines of the audit log as sentences.

import type { AuditEntry, Role } from "../api/types";
import { roleName } from "./role";

/** What an entry says was done, to be read after the name of who did it. */
export function deedOf({ action, resource, detail = "" }: AuditEntry): string {
  switch (action) {
    case "start":
      return `started ${builderIn(detail) || detail || resource}`;
    case "stop":
      return `stopped ${builderIn(detail) || detail || resource}`;
    case "member_set":
      return `made ${resource} a ${roleName(detail as Role).toLowerCase()}`;
    case "member_removed":
      return `removed ${resource}`;
    case "project_made":
      return "made the project";
    case "project_changed":
      return "changed the description";
    case "token_made":
      return "made a token";
    case "token_revoked":
      return "revoked a token";
    case "environment_created":
      return `made the ${resource}`;
    case "environment_edited":
      return `changed the ${resource}: ${detail}`;
    case "environment_build":
      return `asked for ${buildIn(detail)} of the ${resource}`;
    case "environment_activated":
      return `made ${buildIn(detail)} of the ${resource} the active one`;
    case "environment_restoring":
      return `had the files of ${buildIn(detail)} of the ${resource} brought back`;
    case "environment_rolled_back":
      return `rolled the ${resource} back to ${buildIn(detail)}`;
    case "environment_canceled":
      return `canceled ${buildIn(detail)} of the ${resource}`;
    case "environment_pinned":
      return `${detail.endsWith("false") ? "unpinned" : "pinned"} ${buildIn(detail)} of the ${resource}`;
    case "environment_build_deleted":
      return `deleted ${buildIn(detail)} of the ${resource}`;
    case "environment_changed":
      return `changed the settings of the ${resource}`;
    case "environment_collected":
      return "collected old builds of environments";
    case "environment_archived":
      return `packed the ${resource}`;
    case "environment_deleted":
      return `deleted the ${resource}`;
    default: // a newer gateway writes actions that this page has no sentence for
      return [action.replaceAll("_", " "), resource, detail].filter(Boolean).join(" · ");
  }
}

/** Who did it: nobody's name means the command line on the server itself. */
export function doerOf({ user }: AuditEntry): string {
  return user || "The server";
}

/** "build 12", out of what is told of it. */
function buildIn(detail: string): string {
  return /build \d+/.exec(detail)?.[0] ?? "a build";
}

/** A builder is called after what it builds, "analysis build 12". */
function builderIn(detail: string): string {
  const [, name, build] = /^(\S+) (build \d+)$/.exec(detail) ?? [];
  return name ? `${build} of the environment ${name}` : "";
}
