// What projects, users and environments may be called, said while it is typed. The gateway has the last word.

/** The most characters of a name. */
export const longest = { project: 40, user: 32, environment: 40 };

const whole = /^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$/;

export type NameCheck = { ok: true } | { ok: false; why: string; suggestion?: string };

/** Says what is wrong with the name of something, and a name close to it that would do. */
export function checkName(of: keyof typeof longest, name: string, taken: readonly string[]): NameCheck {
  if (taken.includes(name)) return wrong(`There is ${of === "environment" ? "an" : "a"} ${of} called ${name} already.`);
  if (name.length <= longest[of] && whole.test(name)) return { ok: true };
  const suggestion = suggestName(name, longest[of]);
  return wrong(whyNot(name, longest[of]), suggestion && !taken.includes(suggestion) ? suggestion : undefined);
}

function wrong(why: string, suggestion?: string): NameCheck {
  return suggestion === undefined ? { ok: false, why } : { ok: false, why, suggestion };
}

function whyNot(name: string, most: number): string {
  if (name.length > most) return `At most ${most} characters; this has ${name.length}.`;
  if (/[^a-z0-9_-]/.test(name)) return "Small letters, digits, - and _ only.";
  if (/^[^a-z]/.test(name)) return "Begins with a letter.";
  if (/[-_]{2}/.test(name)) return "Only one - or _ at a time.";
  return "Ends with a letter or a digit.";
}

/** The nearest name that is allowed, empty where nothing is left of it. */
export function suggestName(name: string, most: number): string {
  return name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9_]+/g, "-")
    .replace(/[-_]*([-_])/g, "$1")
    .replace(/^[^a-z]+/, "")
    .slice(0, most)
    .replace(/[-_]+$/, "");
}
