// Changes of packages that somebody has gathered and not yet built.

import type { Edit, Wanted } from "../../api/environments";
import { counted } from "../../text/time";

export const noEdit: Edit = { add: [], remove: [], upgrade: [] };

export function isEmpty({ add, remove, upgrade }: Edit): boolean {
  return add.length + remove.length + upgrade.length === 0;
}

/** The edit with one package more to add; another wish for the same package is replaced. */
export function adding(edit: Edit, wanted: Wanted): Edit {
  return { ...edit, add: [...edit.add.filter((w) => w.name !== wanted.name), wanted], remove: edit.remove.filter((name) => name !== wanted.name) };
}

export function notAdding(edit: Edit, name: string): Edit {
  return { ...edit, add: edit.add.filter((w) => w.name !== name) };
}

/** The edit with another name in the place of a package that does not exist, which may be in environment.yml already. */
export function renaming(edit: Edit, wrong: string, right: string): Edit {
  const same = (name: string) => name.toLowerCase() === wrong.toLowerCase();
  if (edit.add.some((w) => same(w.name))) return { ...edit, add: edit.add.map((w) => (same(w.name) ? { name: right, from: w.from } : w)) };
  return adding({ ...edit, remove: [...edit.remove.filter((name) => name !== wrong), wrong] }, { name: right, from: "conda" });
}

/** Marks a package to be removed or upgraded, or takes the mark away. */
export function toggled(edit: Edit, mark: "remove" | "upgrade", name: string): Edit {
  const without: Edit = { ...edit, remove: edit.remove.filter((n) => n !== name), upgrade: edit.upgrade.filter((n) => n !== name) };
  return edit[mark].includes(name) ? without : { ...without, [mark]: [...without[mark], name] };
}

/** "2 to add, 1 to remove". */
export function editWords({ add, remove, upgrade }: Edit): string {
  const parts: [number, string][] = [
    [add.length, "to add"],
    [remove.length, "to remove"],
    [upgrade.length, "to upgrade"],
  ];
  const said = parts.filter(([n]) => n > 0).map(([n, what]) => `${n} ${what}`);
  return said.join(", ");
}

/** What the edit is for, where its author writes nothing: "add pandas, remove six". */
export function messageOf({ add, remove, upgrade }: Edit): string {
  const parts: [string, string[]][] = [
    ["add", add.map((w) => w.name)],
    ["remove", remove],
    ["upgrade", upgrade],
  ];
  return parts
    .filter(([, names]) => names.length > 0)
    .map(([verb, names]) => `${verb} ${names.length > 4 ? counted(names.length, "package") : names.join(" ")}`)
    .join(", ");
}
