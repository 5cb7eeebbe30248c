// What a new environment is made from, and the request that makes it.

import { sentence } from "../../api/client";
import type { Kind, Policy } from "../../api/environments";
import { kindNames } from "../../text/environment";
import { kindOfFile, type FileKind } from "./editing";

export type Source = "text" | "file" | "copy" | "notebook";

export const sources: { value: Source; name: string }[] = [
  { value: "text", name: "Written here" },
  { value: "file", name: "A file" },
  { value: "copy", name: "Another environment" },
  { value: "notebook", name: "A notebook" },
];

export interface Content {
  source: Source;
  text: string;
  file: { name: string; text: string } | undefined;
  from: { project: string; environment: string; build?: number };
  notebook: string;
}

const starters: Record<Kind, string> = {
  conda: `dependencies:
  - python=3.12
  - ipykernel
  - numpy
  # - pip:
  #     - a package that is on PyPI only
`,
  venv: `dependencies:
  - python
  - pip:
      - ipykernel
      - numpy
`,
};

/** What an environment.yml may begin with. */
export function starterText(kind: Kind): string {
  return starters[kind];
}

/** What it will be made of and why, as far as that is known before; what is copied stays what it was. */
export function kindWords({ source, text, file }: Content, policy: Pick<Policy, "kind" | "why"> | undefined): string {
  const written = source === "text" ? text : source === "file" ? (file?.text ?? "") : "";
  if (written.trim() === "" || (source === "file" && kindOfFile(file?.name ?? "", written) === "lock")) return "";
  if (/^channels:(?!\s*\[\s*\])/m.test(written)) return `Made of ${kindNames.conda}: it names channels.`;
  return policy?.kind ? `Made of ${kindNames[policy.kind]}, as all that names no channels. ${sentence(policy.why)}` : "";
}

/** Whether there is enough to make an environment from. */
export function isComplete({ source, text, file, from, notebook }: Content): boolean {
  switch (source) {
    case "text":
      return text.trim() !== "";
    case "file":
      return file !== undefined && file.text.trim() !== "";
    case "copy":
      return from.environment !== "";
    case "notebook":
      return notebook.trim() !== "";
  }
}

const fields: Record<FileKind, string> = { environment: "text", requirements: "requirements", lock: "lock" };

/** What a file is read as, in words. */
export const fileWords: Record<FileKind, string> = {
  environment: "read as an environment.yml",
  requirements: "read as a list of requirements",
  lock: "read as a lock file: exactly its packages, without solving",
};

/** The body of the request that makes it. */
export function requestOf(name: string, content: Content): Record<string, unknown> {
  const { source, text, file, from, notebook } = content;
  switch (source) {
    case "text":
      return { name, text, message: "first version" };
    case "file":
      return { name, [fields[kindOfFile(file?.name ?? "", file?.text ?? "")]]: file?.text ?? "", message: `from ${file?.name ?? "a file"}` };
    case "copy":
      return { name, from, message: `copy of ${from.environment}${from.build ? `, build ${from.build}` : ""}` };
    case "notebook":
      return { name, notebook: notebook.trim().replace(/^\/+/, ""), message: `as ${notebook.trim()} ran with` };
  }
}
