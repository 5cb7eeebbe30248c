import { useEffect, useState } from "react";
import { paths } from "../api/client";
import { useThing } from "../api/store";
import type { Me } from "../api/types";
import { Dialog } from "../parts/Dialog";
import { navigate, to, type Route } from "../router";

interface Goal {
  key: string;
  name: string;
  path: string;
}

function goalsOf(route: Route, admin: boolean): Goal[] {
  const goals = [{ key: "p", name: "Projects", path: to.projects }];
  if (admin) goals.push({ key: "u", name: "Users", path: to.users });
  if (!("project" in route)) return goals;
  const { project } = route;
  return [
    ...goals,
    { key: "h", name: `Home of ${project}`, path: to.project(project) },
    { key: "r", name: "Running", path: to.running(project) },
    { key: "e", name: "Environment", path: to.environments(project) },
    { key: "m", name: "Members", path: to.members(project) },
    { key: "t", name: "Tokens", path: to.tokens(project) },
  ];
}

const patience = 1_500; // how long a "g" waits for its letter

/** The page's keys: "/" searches, "g" and a letter goes to a page, "?" lists them. */
export function Keys({ route }: { route: Route }) {
  const [listed, setListed] = useState(false);
  const admin = useThing<Me>(paths.me).data?.admin ?? false;

  useEffect(() => {
    let going = 0;
    function press(event: KeyboardEvent) {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
      const goal = event.timeStamp - going < patience ? goalsOf(route, admin).find((g) => g.key === event.key) : undefined;
      going = event.key === "g" ? event.timeStamp : 0;
      if (goal) navigate(goal.path);
      else if (event.key === "?") setListed(true);
      else if (event.key === "/") focusSearch();
      else return;
      event.preventDefault();
    }
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });

  if (!listed) return null;
  return (
    <Dialog title="Keys" onClose={() => setListed(false)}>
      <dl className="keys">
        <Key keys={["/"]} does="Search on this page" />
        {goalsOf(route, admin).map((goal) => (
          <Key key={goal.key} keys={["g", goal.key]} does={goal.name} />
        ))}
        <Key keys={["?"]} does="This list" />
        <Key keys={["Esc"]} does="Close, or leave the search" />
      </dl>
    </Dialog>
  );
}

function Key({ keys, does }: { keys: string[]; does: string }) {
  return (
    <div>
      <dt>
        {keys.map((key) => (
          <kbd key={key}>{key}</kbd>
        ))}
      </dt>
      <dd>{does}</dd>
    </div>
  );
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

function focusSearch(): void {
  document.querySelector<HTMLInputElement>("[data-search]")?.focus();
}
