import { expect, it } from "vitest";
import type { Build } from "../../api/environments";
import { collectedWords, deletionWords } from "./deletionWords";

const build: Build = { project: "demo", environment: "python", build: 3, revision: 2, state: "ready", active: false, by: "mira", created: "", id: "aa", lock: "l", bytes: 3e6 };

it("says what is freed, and that the lock stays", () => {
  expect(deletionWords(build, [build, { ...build, build: 2, id: "bb" }])).toEqual([
    "It leaves the list with its log, and cannot be rolled back to any more.",
    "The next collection frees its files, up to 3.0 MB, less what other builds share.",
    "Revision 2 of environment.yml stays and can be built again. The lock stays, too: a notebook that ran on this build can still make the same environment again.",
  ]);
});

it("says that nothing is freed where another build has the same files, or there are none", () => {
  expect(deletionWords(build, [build, { ...build, build: 2 }])[1]).toBe("Nothing is freed: build 2 has the same files.");
  expect(deletionWords({ ...build, state: "failed" }, [build])).toEqual(["It leaves the list with its log.", "It has no files on disk.", "Revision 2 of environment.yml stays and can be built again."]);
});

it.each([
  [{ builds: 0, packages: 0, bytes: 0, locks: 0, lock_bytes: 0 }, "There was nothing to collect."],
  [{ builds: 1, packages: 0, bytes: 2000, locks: 0, lock_bytes: 0 }, "Collected: the files of 1 build. 2.0 kB are free."],
  [{ builds: 0, packages: 0, bytes: 0, locks: 2, lock_bytes: 1000 }, "Collected: 2 locks. 1.0 kB are free."],
  [{ builds: 2, packages: 7, bytes: 1000, locks: 1, lock_bytes: 1000 }, "Collected: the files of 2 builds, 7 packages of the cache and 1 lock. 2.0 kB are free."],
])("says what a collection has removed: %o", (report, words) => {
  expect(collectedWords(report)).toBe(words);
});
