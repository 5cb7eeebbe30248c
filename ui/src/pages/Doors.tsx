import type { ComponentType } from "react";
import { LabArt, NotebookArt, OutwardIcon } from "../parts/icons";
import { to } from "../router";

/** The ways into the project's notebooks, each in a tab of its own. */
export function Doors({ project }: { project: string }) {
  return (
    <nav className="doors-large" aria-label="Open a notebook">
      <Door href={to.lab(project)} art={LabArt} name="JupyterLab" text="Notebooks, files and terminals side by side" />
      <Door href={to.notebook(project)} art={NotebookArt} name="Notebook" text="One notebook at a time, without distraction" />
    </nav>
  );
}

interface DoorProps {
  href: string;
  art: ComponentType;
  name: string;
  text: string;
}

function Door({ href, art: Art, name, text }: DoorProps) {
  return (
    <a className="door" href={href} target="_blank" rel="noopener">
      <span className="door-art">
        <Art />
      </span>
      <span className="door-words">
        <span className="door-name">
          {name}
          <OutwardIcon className="outward" />
        </span>
        <span className="soft">
          {text}
          <span className="unseen">, opens in a new tab</span>
        </span>
      </span>
    </a>
  );
}
