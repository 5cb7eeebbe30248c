// Editing environment.yml as plain text: what keys do, and which line a complaint is about.

export interface Selected {
  text: string;
  /** Where the selection begins and ends. */
  from: number;
  to: number;
}

const indent = "  ";

/** Tab: indents the lines of a selection, or fills up to the next even column. */
export function indented({ text, from, to }: Selected): Selected {
  const start = lineStart(text, from);
  if (!text.slice(from, to).includes("\n")) {
    const fill = indent.slice((from - start) % indent.length);
    return { text: text.slice(0, from) + fill + text.slice(to), from: from + fill.length, to: from + fill.length };
  }
  const block = text.slice(start, to);
  const moved = block.replace(/^(?=.)/gm, indent);
  return { text: text.slice(0, start) + moved + text.slice(to), from: from + indent.length, to: to + moved.length - block.length };
}

/** Shift and Tab: takes up to two spaces from the beginning of each line. */
export function outdented({ text, from, to }: Selected): Selected {
  const start = lineStart(text, from);
  const block = text.slice(start, to);
  const end = text.indexOf("\n", to) < 0 ? text.length : text.indexOf("\n", to);
  const whole = text.slice(start, end);
  const moved = whole.replace(/^ {1,2}/gm, "");
  const first = whole.length - whole.replace(/^ {1,2}/, "").length;
  const inBlock = block.length - block.replace(/^ {1,2}/gm, "").length;
  return { text: text.slice(0, start) + moved + text.slice(end), from: Math.max(start, from - first), to: Math.max(start, to - inBlock) };
}

/** Enter: the next line begins where this one did, or two further in after a colon. */
export function broken({ text, from, to }: Selected): Selected {
  const line = text.slice(lineStart(text, from), from);
  const lead = /^ *(?:- )?/.exec(line)?.[0] ?? "";
  const empty = line.trim() === "-";
  const next = line.trimEnd().endsWith(":") ? `${" ".repeat(lead.length)}${indent}- ` : empty ? "" : lead;
  const begin = empty ? lineStart(text, from) : from;
  const insert = `\n${next}`;
  return { text: text.slice(0, begin) + insert + text.slice(to), from: begin + insert.length, to: begin + insert.length };
}

function lineStart(text: string, at: number): number {
  return text.lastIndexOf("\n", at - 1) + 1;
}

/** How many lines a text has; an empty one has one. */
export function lineCount(text: string): number {
  return text.split("\n").length;
}

/** Where a line and column, both from 1, are in a text; the nearest place that exists. */
export function offsetOf(text: string, line: number, column: number): number {
  const lines = text.split("\n");
  const row = Math.min(Math.max(1, line), lines.length);
  const before = lines.slice(0, row - 1).reduce((sum, l) => sum + l.length + 1, 0);
  return before + Math.min(Math.max(1, column) - 1, lines[row - 1]?.length ?? 0);
}

/** What kind of file a text is that somebody wants an environment from. */
export type FileKind = "environment" | "requirements" | "lock";

/** The kind that a file most likely is, by its name and what is in it. */
export function kindOfFile(name: string, text: string): FileKind {
  if (/^@EXPLICIT\s*$/m.test(text)) return "lock";
  if (/^\s*\{/.test(text)) return "lock";
  if (/^version:\s*1\b/m.test(text) && /^package:/m.test(text)) return "lock";
  if (/\.ya?ml$/i.test(name) || /^(dependencies|channels|name):/m.test(text)) return "environment";
  return "requirements";
}
