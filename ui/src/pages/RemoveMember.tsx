import { paths, send } from "../api/client";
import { invalidate, useList } from "../api/store";
import type { Member, Workload } from "../api/types";
import { Confirm } from "../parts/Confirm";
import { notify } from "../parts/notices";
import { StateLabel } from "../parts/StateLabel";
import { navigate, to } from "../router";

interface Props {
  project: string;
  member: Member;
  /** The member is the reader, who leaves. */
  self: boolean;
  onClose: () => void;
}

/** Asks before somebody loses a project, and lists what of theirs will stop. */
export function RemoveMember({ project, member, self, onClose }: Props) {
  const running = useList<Workload>(paths.workloads(project)).data?.filter((w) => w.owner === member.user && w.state !== "ended");
  const name = member.name || member.user;

  async function act() {
    await send("DELETE", paths.member(project, member.user));
    invalidate(paths.members(project), paths.workloads(project), paths.projects, paths.me);
    notify(self ? `You have left ${project}.` : `${name} is no longer in ${project}.`);
    if (self) navigate(to.projects);
  }

  return (
    <Confirm title={self ? `Leave ${project}?` : `Remove ${name}?`} verb={self ? "Leave" : "Remove"} act={act} onClose={onClose}>
      <p>
        {self ? "You" : name} can no longer open {project}, and tokens made for it stop working. Notebooks and files stay in the project.
      </p>
      <WillStop running={running} self={self} />
    </Confirm>
  );
}

function WillStop({ running, self }: { running: Workload[] | undefined; self: boolean }) {
  if (!running) return <p className="soft">Looking for what would stop…</p>;
  if (running.length === 0) return <p className="soft">Nothing of {self ? "yours" : "theirs"} runs now.</p>;
  return (
    <>
      <p>This stops, and what is in memory is lost:</p>
      <ul className="will-stop">
        {running.map((workload) => (
          <li key={workload.id}>
            <span>{workload.name}</span>
            <StateLabel workload={workload} />
          </li>
        ))}
      </ul>
    </>
  );
}
