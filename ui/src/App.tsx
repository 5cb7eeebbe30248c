import { useEffect, useRef } from "react";
import { useLive } from "./api/live";
import { Keys } from "./frame/Keys";
import { Sidebar } from "./frame/Sidebar";
import { StreamLost } from "./frame/StreamLost";
import { BuildPage } from "./pages/environment/BuildPage";
import { EnvironmentPage } from "./pages/environment/EnvironmentPage";
import { Environments } from "./pages/environment/Environments";
import { Members } from "./pages/Members";
import { Missing } from "./pages/Missing";
import { ProjectHome } from "./pages/ProjectHome";
import { Projects } from "./pages/Projects";
import { Running } from "./pages/Running";
import { Tokens } from "./pages/Tokens";
import { Users } from "./pages/Users";
import { announce, Notices } from "./parts/notices";
import { routeOf, to, usePath, type Route } from "./router";
import { partNames } from "./text/environment";

export function App() {
  const path = usePath();
  const route = routeOf(path);
  const stream = useLive();
  const content = useRef<HTMLElement>(null);
  const shown = useRef(path);

  // A page that was opened by a link takes the focus with it, and says its name to those who do not see it.
  useEffect(() => {
    const title = titleOf(route);
    document.title = `${title} · Hopyard`;
    if (shown.current === path) return;
    shown.current = path;
    content.current?.focus({ preventScroll: true });
    announce(title);
  });

  return (
    <div className="frame">
      <Sidebar route={route} />
      <main className="content" ref={content} tabIndex={-1}>
        <PageOf key={keyOf(route, path)} route={route} />
      </main>
      <StreamLost state={stream.state} onRetry={stream.retry} />
      <Notices />
      <Keys route={route} />
    </div>
  );
}

/** The parts of one environment are one page: what is half done in one is there when its reader comes back from another. */
function keyOf(route: Route, path: string): string {
  return route.page === "environment" ? to.environment(route.project, route.environment) : path;
}

function PageOf({ route }: { route: Route }) {
  switch (route.page) {
    case "projects":
      return <Projects />;
    case "users":
      return <Users />;
    case "home":
      return <ProjectHome project={route.project} />;
    case "running":
      return <Running project={route.project} />;
    case "members":
      return <Members project={route.project} />;
    case "tokens":
      return <Tokens project={route.project} />;
    case "environments":
      return <Environments project={route.project} />;
    case "environment":
      return <EnvironmentPage project={route.project} name={route.environment} part={route.part} />;
    case "build":
      return <BuildPage project={route.project} name={route.environment} build={route.build} />;
    case "missing":
      return <Missing />;
  }
}

function titleOf(route: Route): string {
  switch (route.page) {
    case "projects":
      return "Projects";
    case "users":
      return "Users";
    case "home":
      return route.project;
    case "running":
      return `Running in ${route.project}`;
    case "members":
      return `Members of ${route.project}`;
    case "tokens":
      return `Tokens for ${route.project}`;
    case "environments":
      return `Environments of ${route.project}`;
    case "environment":
      return `${partNames[route.part]} of ${route.environment}`;
    case "build":
      return `Build ${route.build} of ${route.environment}`;
    case "missing":
      return "No such page";
  }
}
