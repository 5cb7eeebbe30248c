import { useState, type ComponentType } from "react";
import { paths } from "../api/client";
import { useThing } from "../api/store";
import type { Me, Project } from "../api/types";
import { EnvironmentIcon, HomeIcon, LogOutIcon, Mark, MembersIcon, OutwardIcon, PersonIcon, ProjectsIcon, RunningIcon, TokensIcon } from "../parts/icons";
import { useCurrentInView } from "../parts/useCurrentInView";
import { Link, to, type Route } from "../router";
import { Account } from "./Account";

/** The mark, the pages, the project's doors, and who is logged in. */
export function Sidebar({ route }: { route: Route }) {
  const me = useThing<Me>(paths.me).data;
  const project = "project" in route ? route.project : undefined;
  return (
    <header className="sidebar">
      <Link className="brand" href={to.projects}>
        <Mark />
        <span className="brand-word">Hopyard</span>
      </Link>
      {project !== undefined && <div className="crumb">{project}</div>}
      <nav className="nav site" aria-label="Site">
        <Page href={to.projects} icon={ProjectsIcon} name="Projects" here={route.page === "projects"} />
        {me?.admin && <Page href={to.users} icon={MembersIcon} name="Users" here={route.page === "users"} />}
      </nav>
      {project !== undefined && <ProjectNav project={project} page={route.page} />}
      <Who me={me} />
    </header>
  );
}

interface PageProps {
  href: string;
  icon: ComponentType;
  name: string;
  here: boolean;
  count?: number | undefined;
}

function Page({ href, icon: Icon, name, here, count }: PageProps) {
  return (
    <Link href={href} aria-current={here ? "page" : undefined}>
      <Icon />
      {name}
      {count !== undefined && <span className="count number">{count || ""}</span>}
    </Link>
  );
}

function ProjectNav({ project, page }: { project: string; page: Route["page"] }) {
  const known = useThing<Project>(paths.project(project)).data;
  const nav = useCurrentInView(page);
  return (
    <>
      <nav className="nav project" ref={nav} aria-label={`Project ${project}`}>
        <div className="nav-title">{project}</div>
        <Page href={to.project(project)} icon={HomeIcon} name="Home" here={page === "home"} />
        <Page href={to.running(project)} icon={RunningIcon} name="Running" here={page === "running"} count={known?.running ?? 0} />
        <Page href={to.environments(project)} icon={EnvironmentIcon} name="Environment" here={page === "environments" || page === "environment" || page === "build"} />
        <Page href={to.members(project)} icon={MembersIcon} name="Members" here={page === "members"} />
        <Page href={to.tokens(project)} icon={TokensIcon} name="Tokens" here={page === "tokens"} />
      </nav>
      <nav className="nav doors" aria-label="Doors">
        <div className="nav-title">Open</div>
        <Door href={to.lab(project)} name="JupyterLab" />
        <Door href={to.notebook(project)} name="Notebook" />
      </nav>
    </>
  );
}

function Door({ href, name }: { href: string; name: string }) {
  return (
    <a href={href} target="_blank" rel="noopener">
      {name}
      <OutwardIcon className="outward" />
      <span className="unseen">, in a new tab</span>
    </a>
  );
}

function Who({ me }: { me: Me | undefined }) {
  const [open, setOpen] = useState(false);
  return (
    <div className="who">
      <button type="button" className="me" onClick={() => setOpen(true)} disabled={!me} aria-haspopup="dialog">
        <PersonIcon />
        <span>{me ? me.name || me.user : "\u00a0"}</span>
      </button>
      <form className="log-out" method="post" action="/logout">
        <button type="submit" className="icon-button" title="Log out" aria-label="Log out">
          <LogOutIcon />
        </button>
      </form>
      {open && me && <Account me={me} onClose={() => setOpen(false)} />}
    </div>
  );
}
