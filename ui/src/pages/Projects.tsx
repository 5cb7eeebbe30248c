import { useState } from "react";
import { paths } from "../api/client";
import { useList } from "../api/store";
import type { Project } from "../api/types";
import { PageHead } from "../frame/PageHead";
import { Button } from "../parts/Button";
import { Empty } from "../parts/Empty";
import { ErrorNote } from "../parts/ErrorNote";
import { PlusIcon } from "../parts/icons";
import { SearchBox } from "../parts/SearchBox";
import { navigate, to } from "../router";
import { counted } from "../text/time";
import { NewProject } from "./NewProject";
import { ProjectCard, ProjectCardSkeleton } from "./ProjectCard";

/** All projects of the person who is logged in. */
export function Projects() {
  const { data: projects, error } = useList<Project>(paths.projects);
  const [search, setSearch] = useState("");
  const [making, setMaking] = useState(false);
  const found = projects?.filter((p) => matches(p, search)) ?? [];

  function openFirst() {
    if (search && found[0]) navigate(to.project(found[0].name));
  }

  return (
    <div className="page">
      <PageHead
        title="Projects"
        tools={
          <>
            <SearchBox label="Search projects" value={search} onChange={setSearch} onEnter={openFirst} />
            <Button look="main" onClick={() => setMaking(true)}>
              <PlusIcon />
              New project
            </Button>
          </>
        }
      >
        {projects && projects.length > 0 && counted(projects.length, "project")}
      </PageHead>
      <ErrorNote error={error} />
      {projects ? <Found projects={projects} found={found} search={search} onNew={() => setMaking(true)} /> : !error && <Loading />}
      {making && <NewProject taken={projects?.map((p) => p.name) ?? []} onClose={() => setMaking(false)} />}
    </div>
  );
}

function matches(project: Project, search: string): boolean {
  const wanted = search.trim().toLowerCase();
  return `${project.name} ${project.description}`.toLowerCase().includes(wanted);
}

function Loading() {
  return (
    <div className="cards" aria-busy="true" aria-label="Loading">
      <ProjectCardSkeleton />
      <ProjectCardSkeleton />
      <ProjectCardSkeleton />
    </div>
  );
}

interface FoundProps {
  projects: Project[];
  found: Project[];
  search: string;
  onNew: () => void;
}

function Found({ projects, found, search, onNew }: FoundProps) {
  if (projects.length === 0) {
    return (
      <Empty
        title="No projects yet"
        action={
          <Button look="main" onClick={onNew}>
            Make the first one
          </Button>
        }
      >
        A project holds notebooks, files and the people who work on them together. What runs in it sees that project only, and everybody in it sees what runs.
      </Empty>
    );
  }
  if (found.length === 0) return <Empty title="Nothing found">No project has “{search.trim()}” in its name or description.</Empty>;
  return (
    <ul className="cards">
      {found.map((project) => (
        <li key={project.name}>
          <ProjectCard project={project} />
        </li>
      ))}
    </ul>
  );
}
