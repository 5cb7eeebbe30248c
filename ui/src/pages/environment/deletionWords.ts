import type { Build, Collected } from "../../api/environments";
import { byteSize } from "../../text/size";
import { counted } from "../../text/time";

/** What is lost, what is freed and what stays when a build is deleted. */
export function deletionWords(build: Build, builds: readonly Build[]): string[] {
  const restores = build.state === "ready" || build.state === "collected";
  return [
    `It leaves the list with its log${restores ? ", and cannot be rolled back to any more" : ""}.${build.pinned ? " It is pinned." : ""}`,
    filesWords(build, builds),
    `Revision ${build.revision} of environment.yml stays and can be built again.${build.lock && restores ? " The lock stays, too: a notebook that ran on this build can still make the same environment again." : ""}`,
  ];
}

function filesWords({ build: number, state, id, bytes = 0 }: Build, builds: readonly Build[]): string {
  if (state !== "ready") return "It has no files on disk.";
  const twin = builds.find((other) => other.id === id && other.build !== number && other.state === "ready");
  if (twin) return `Nothing is freed: build ${twin.build} has the same files.`;
  return `The next collection frees its files, up to ${byteSize(bytes)}, less what other builds share.`;
}

/** What a collection has removed, as a notice. */
export function collectedWords({ builds, packages, bytes, locks, lock_bytes: lockBytes }: Collected): string {
  const gone = [builds > 0 && `the files of ${counted(builds, "build")}`, packages > 0 && `${counted(packages, "package")} of the cache`, locks > 0 && counted(locks, "lock")].filter((words) => words !== false);
  if (gone.length === 0) return "There was nothing to collect.";
  const last = gone.pop();
  return `Collected: ${gone.length > 0 ? `${gone.join(", ")} and ` : ""}${last}. ${byteSize(bytes + lockBytes)} are free.`;
}
