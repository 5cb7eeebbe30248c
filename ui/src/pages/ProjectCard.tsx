import type { Project } from "../api/types";
import { Time } from "../parts/Time";
import { Link, to } from "../router";
import { roleName } from "../text/role";

/** One project: its name, the reader's role, what runs now and when something last happened. */
export function ProjectCard({ project }: { project: Project }) {
  return (
    <Link className="card" href={to.project(project.name)}>
      <span className="card-head">
        <span className="card-name">{project.name}</span>
        <span className="role">{roleName(project.role)}</span>
      </span>
      <span className="card-text">{project.description}</span>
      <span className="card-foot">
        <RunningNow count={project.running} />
        <span className="small soft">{project.last_activity ? <Time at={project.last_activity} /> : <>made <Time at={project.created} /></>}</span>
      </span>
    </Link>
  );
}

function RunningNow({ count }: { count: number }) {
  return (
    <span className={`state-word ${count > 0 ? "busy" : "ended"}`}>
      <span className="state-dot" aria-hidden="true" />
      {count > 0 ? `${count} running` : "nothing runs"}
    </span>
  );
}

/** The place of a card whose project is being read. */
export function ProjectCardSkeleton() {
  return (
    <div className="card skeleton">
      <span className="card-head">
        <span className="bone" data-width="2" />
      </span>
      <span className="card-text" />
      <span className="card-foot">
        <span className="bone" data-width="1" />
      </span>
    </div>
  );
}
