// The router: the address bar is the state, links are links, and that is all.

import { useSyncExternalStore, type AnchorHTMLAttributes, type MouseEvent } from "react";

export type Route =
  | { page: "projects" }
  | { page: "users" }
  | { page: "home" | "running" | "members" | "tokens" | "environments"; project: string }
  | { page: "environment"; project: string; environment: string; part: Part }
  | { page: "build"; project: string; environment: string; build: number }
  | { page: "missing" };

/** The parts of an environment's page. */
export const parts = ["packages", "spec", "builds", "use", "settings"] as const;
export type Part = (typeof parts)[number];

export const to = {
  projects: "/",
  users: "/users",
  project: (project: string) => `/projects/${encodeURIComponent(project)}`,
  running: (project: string) => `${to.project(project)}/running`,
  members: (project: string) => `${to.project(project)}/members`,
  tokens: (project: string) => `${to.project(project)}/tokens`,
  environments: (project: string) => `${to.project(project)}/environments`,
  environment: (project: string, name: string, part: Part = "packages") => `${to.environments(project)}/${encodeURIComponent(name)}${part === "packages" ? "" : `/${part}`}`,
  build: (project: string, name: string, build: number) => `${to.environment(project, name, "builds")}/${build}`,
  lab: (project: string) => `/p/${encodeURIComponent(project)}/jupyter/lab`,
  notebook: (project: string) => `/p/${encodeURIComponent(project)}/jupyter/tree`,
};

/** What a path shows. */
export function routeOf(path: string): Route {
  const names = path.split("/").filter(Boolean).map(decoded);
  const [first, project, page = "home"] = names;
  if (first === undefined) return { page: "projects" };
  if (first === "users" && names.length === 1) return { page: "users" };
  if (first !== "projects") return { page: "missing" };
  if (!project) return { page: "projects" };
  if (page === "environments" && names.length > 3) return environmentRoute(project, names.slice(3));
  if (names.length > 3) return { page: "missing" };
  switch (page) {
    case "home":
    case "running":
    case "members":
    case "tokens":
    case "environments":
      return { page, project };
    default:
      return { page: "missing" };
  }
}

function environmentRoute(project: string, [environment = "", part = "packages", build, ...more]: string[]): Route {
  const known = parts.find((p) => p === part);
  if (!known || more.length > 0) return { page: "missing" };
  if (build === undefined) return { page: "environment", project, environment, part: known };
  return part === "builds" && /^[1-9]\d{0,8}$/.test(build) ? { page: "build", project, environment, build: Number(build) } : { page: "missing" };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const watchers = new Set<() => void>();

function watch(changed: () => void): () => void {
  watchers.add(changed);
  addEventListener("popstate", changed);
  return () => {
    watchers.delete(changed);
    removeEventListener("popstate", changed);
  };
}

/** Shows another page of the console. */
export function navigate(path: string): void {
  if (path !== location.pathname) history.pushState(null, "", path);
  scrollTo(0, 0);
  for (const changed of watchers) changed();
}

export function usePath(): string {
  return useSyncExternalStore(watch, () => location.pathname);
}

/** A link to a page of the console. With a modifier key it does what links do. */
export function Link({ href, onClick, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string }) {
  function follow(event: MouseEvent<HTMLAnchorElement>) {
    onClick?.(event);
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!plain || event.defaultPrevented) return;
    event.preventDefault();
    navigate(href);
  }
  return <a href={href} onClick={follow} {...rest} />;
}
