import { paths } from "../api/client";
import { useList, useThing } from "../api/store";
import type { Environment } from "../api/environments";
import type { Me, Member, Project, Workload } from "../api/types";
import { PageHead } from "../frame/PageHead";
import { ErrorNote } from "../parts/ErrorNote";
import { RunsOnLabel } from "../parts/RunsOnLabel";
import { SkeletonRows } from "../parts/Skeleton";
import { StateLabel } from "../parts/StateLabel";
import { Time } from "../parts/Time";
import { Link, to } from "../router";
import { roleName } from "../text/role";
import { Activity } from "./Activity";
import { Doors } from "./Doors";
import { EnvironmentInUse } from "./EnvironmentInUse";
import { ProjectSettings } from "./ProjectSettings";

/** The project's front page: its doors, what runs now, and who is in it. */
export function ProjectHome({ project: name }: { project: string }) {
  const { data: project, error } = useThing<Project>(paths.project(name));
  const me = useThing<Me>(paths.me).data;
  if (error?.status === 404 || error?.status === 403) return <NoProject name={name} message={error.message} />;
  const manages = project?.role === "data_owner" || me?.admin === true;
  return (
    <div className="page">
      <PageHead title={name} tools={project && <span className="role">{roleName(project.role)}</span>}>
        {project?.description}
      </PageHead>
      <ErrorNote error={error} />
      <div className="doors-block">
        <Doors project={name} />
        <EnvironmentInUse project={name} />
      </div>
      <div className="columns">
        <RunningNow project={name} />
        <People project={name} />
      </div>
      {manages && <Activity project={name} />}
      {project && manages && <ProjectSettings project={project} />}
    </div>
  );
}

function NoProject({ name, message }: { name: string; message: string }) {
  return (
    <div className="page">
      <PageHead title={name}>{message}</PageHead>
      <p>
        Somebody who owns the project can add you to it. <Link href={to.projects}>Your projects</Link>
      </p>
    </div>
  );
}

const most = 5;

function RunningNow({ project }: { project: string }) {
  const { data, error } = useList<Workload>(paths.workloads(project));
  const environments = useList<Environment>(paths.environments(project)).data;
  const live = data?.filter((w) => w.state !== "ended");
  return (
    <section className="section" aria-labelledby="running-now">
      <div className="section-head">
        <h2 id="running-now">Running now</h2>
        <Link href={to.running(project)}>{live && live.length > most ? `See all ${live.length}` : "See all"}</Link>
      </div>
      <ErrorNote error={error} />
      <div className="list">
        {!live && !error && <SkeletonRows rows={2} className="list-row" />}
        {live?.length === 0 && <p className="list-row soft">Nothing runs. A notebook that is opened shows up here.</p>}
        {live?.slice(0, most).map((workload) => (
          <div className="list-row" key={workload.id}>
            <div className="list-main">
              <div className="list-name">{workload.name}</div>
              <div className="small soft">
                {workload.owner} · <Time at={workload.last_activity} />
                {workload.environment && workload.kind !== "build" && (
                  <>
                    {" · "}
                    <RunsOnLabel project={project} on={workload.environment} environments={environments} />
                  </>
                )}
              </div>
            </div>
            <StateLabel workload={workload} />
          </div>
        ))}
      </div>
    </section>
  );
}

function People({ project }: { project: string }) {
  const { data: members, error } = useList<Member>(paths.members(project));
  return (
    <section className="section" aria-labelledby="people">
      <div className="section-head">
        <h2 id="people">Members</h2>
        <Link href={to.members(project)}>{members && members.length > most ? `See all ${members.length}` : "See all"}</Link>
      </div>
      <ErrorNote error={error} />
      <div className="list">
        {!members && !error && <SkeletonRows rows={2} className="list-row" />}
        {members?.slice(0, most).map((member) => (
          <div className="list-row" key={member.user}>
            <div className="list-main">
              <div className="list-name">{member.name || member.user}</div>
              <div className="small soft">{member.user}</div>
            </div>
            <span className="small soft">{roleName(member.role)}</span>
          </div>
        ))}
      </div>
    </section>
  );
}
