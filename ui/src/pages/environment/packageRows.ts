// Sorting and filtering of packages.

import type { Item } from "../../api/environments";

export interface Column {
  id: "name" | "version" | "license" | "from" | "size";
  name: string;
  /** Numbers stand at the right, and sort from the largest. */
  right?: true;
}

export const columns: Column[] = [
  { id: "name", name: "Package" },
  { id: "version", name: "Version" },
  { id: "license", name: "Licence" },
  { id: "from", name: "From" },
  { id: "size", name: "Size", right: true },
];

export interface Order {
  column: Column["id"];
  down: boolean;
}

const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** Where a package comes from, as a column shows it. */
export function sourceOf({ from, channel }: Pick<Item, "from" | "channel">): string {
  if (from === "pip") return "PyPI";
  return channel ? shortChannel(channel) : "conda";
}

/** A channel's name; of an address that has none, the last part. */
function shortChannel(channel: string): string {
  if (!channel.includes("://")) return channel;
  return channel.replace(/\/+$/, "").split("/").pop() || channel;
}

/** Those whose name, licence or source has all the words of the search. */
export function found(items: Item[], search: string, requestedOnly: boolean): Item[] {
  const wanted = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0 && !requestedOnly) return items;
  return items.filter((item) => {
    if (requestedOnly && !item.requested) return false;
    const text = `${item.name} ${item.version} ${item.license ?? ""} ${sourceOf(item)}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}

/** In order; equal rows by name, so that nothing jumps. */
export function sorted(items: Item[], { column, down }: Order): Item[] {
  const direction = down ? -1 : 1;
  return items.toSorted((a, b) => direction * compare(a, b, column) || words.compare(a.name, b.name) || (a.from < b.from ? -1 : 1));
}

function compare(a: Item, b: Item, column: Column["id"]): number {
  switch (column) {
    case "size":
      return (a.size ?? 0) - (b.size ?? 0);
    case "from":
      return words.compare(sourceOf(a), sourceOf(b));
    default:
      return words.compare(a[column] ?? "", b[column] ?? "");
  }
}

/** By package, the names of those that need it. */
export function needers(items: Item[]): Map<string, string[]> {
  const by = new Map<string, string[]>();
  for (const item of items) {
    for (const name of item.requires ?? []) {
      const list = by.get(name);
      if (list) list.push(item.name);
      else by.set(name, [item.name]);
    }
  }
  return by;
}

/** Why a package is here, in a few words. */
export function whyHere(item: Item, needed: Map<string, string[]>): string {
  if (item.requested) return "requested";
  const [first, ...rest] = needed.get(item.name) ?? [];
  if (!first) return "brought along";
  return rest.length > 0 ? `for ${first} and ${rest.length} more` : `for ${first}`;
}
