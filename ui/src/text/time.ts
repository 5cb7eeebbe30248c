// Times as people say them.

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

const days = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "medium" });

/** "just now", "5 min ago", "in 3 days"; a date past a month ago or two years ahead. Moments are in milliseconds. */
export function relativeTime(then: number, now: number): string {
  if (Number.isNaN(then)) return "";
  const seconds = Math.round((now - then) / 1000);
  if (seconds >= 30 * day || seconds <= -2 * 365 * day) return days.format(then);
  if (Math.abs(seconds) < 30) return seconds < -5 ? "in a moment" : "just now";
  const span = inWords(Math.abs(seconds));
  return seconds > 0 ? `${span} ago` : `in ${span}`;
}

function inWords(seconds: number): string {
  if (seconds < 60 * minute - 30) return `${Math.max(1, Math.round(seconds / minute))} min`;
  if (seconds < 23.5 * hour) return `${Math.round(seconds / hour)} h`;
  if (seconds < 60 * day) return counted(Math.round(seconds / day), "day");
  return counted(Math.round(seconds / (30.44 * day)), "month");
}

/** The moment to the second, in the reader's own time zone. */
export function exactTime(then: number): string {
  return Number.isNaN(then) ? "" : exact.format(then);
}

/** "1 kernel", "3 kernels". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
