// What a project may be called, said while it is typed. The gateway has the last word.

const longest = 40;
const whole = /^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$/;

export type NameCheck = { ok: true } | { ok: false; why: string; suggestion?: string };

/** Says what is wrong with a name, and a name close to it that would do. An empty name is not yet wrong. */
export function checkName(name: string, taken: readonly string[]): NameCheck {
  if (taken.includes(name)) return wrong(`You already have a project called ${name}.`);
  if (name.length <= longest && whole.test(name)) return { ok: true };
  const suggestion = suggestName(name);
  return wrong(whyNot(name), suggestion && !taken.includes(suggestion) ? suggestion : undefined);
}

function wrong(why: string, suggestion?: string): NameCheck {
  return suggestion === undefined ? { ok: false, why } : { ok: false, why, suggestion };
}

function whyNot(name: string): string {
  if (name.length > longest) return `At most ${longest} characters; this has ${name.length}.`;
  if (/[^a-z0-9_-]/.test(name)) return "Small letters, digits, - and _ only.";
  if (/^[^a-z]/.test(name)) return "Begins with a letter.";
  if (/[-_]{2}/.test(name)) return "Only one - or _ at a time.";
  return "Ends with a letter or a digit.";
}

/** The nearest name that is allowed, empty where nothing is left of it. */
export function suggestName(name: string): string {
  return name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9_]+/g, "-")
    .replace(/[-_]*([-_])/g, "$1")
    .replace(/^[^a-z]+/, "")
    .slice(0, longest)
    .replace(/[-_]+$/, "");
}
