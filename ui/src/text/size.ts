// Sizes in binary units, three digits at most.

const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** "812 KiB", "1.4 GiB"; a dash where the size is not known (zero). */
export function binarySize(bytes: number): string {
  if (!(bytes > 0)) return "–";
  let unit = 0;
  let size = bytes;
  // 999.5 of a unit would be written with four digits.
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  const digits = unit === 0 || size >= 9.95 ? 0 : 1;
  return `${size.toFixed(digits)} ${units[unit]}`;
}
