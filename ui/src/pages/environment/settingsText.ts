/** Settings as the lines of a file, in the order of their names. */
export function settingsText(settings: Record<string, string>, separator: string): string {
  return Object.entries(settings)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}${separator}${value}`)
    .join("\n");
}
