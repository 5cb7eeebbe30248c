import { paths, send } from "../../api/client";
import type { Build } from "../../api/environments";
import { invalidate, useList } from "../../api/store";
import { Confirm } from "../../parts/Confirm";
import { notify } from "../../parts/notices";
import { hasEnded } from "../../text/environment";
import { deletionWords } from "./deletionWords";

interface Props {
  build: Build;
  onClose: () => void;
  /** Leaves what shows the build, which is no more. */
  onDeleted?: () => void;
}

/** Reports whether a build can be deleted at all; whether programs run on it the gateway says. */
export function isDeletable({ state, active }: Build): boolean {
  return hasEnded(state) && !active;
}

/** Asks before a build is deleted, saying what is freed and what stays. */
export function DeleteBuild({ build, onClose, onDeleted }: Props) {
  const { project, environment: name, build: number } = build;
  const builds = useList<Build>(paths.builds(project, name)).data;

  async function act() {
    await send("DELETE", paths.build(project, name, number));
    onDeleted?.();
    invalidate(paths.environments(project), paths.environmentsUsage(project), paths.environment(project, name), `${paths.environment(project, name)}/`);
    notify(`Build ${number} of ${name} is deleted.`);
  }

  return (
    <Confirm title={`Delete build ${number}?`} verb="Delete build" act={act} onClose={onClose}>
      {deletionWords(build, builds ?? []).map((words) => (
        <p key={words}>{words}</p>
      ))}
    </Confirm>
  );
}
