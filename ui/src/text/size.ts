// Sizes in powers of 1000, as tools for packages and hopyard's own commands write them; three digits at most.

const units = ["B", "kB", "MB", "GB", "TB", "PB"];

/** "812 kB", "1.4 GB"; a dash where the size is not known (zero). */
export function byteSize(bytes: number): string {
  if (!(bytes > 0)) return "–";
  let unit = 0;
  let size = bytes;
  // 999.5 of a unit would be written with four digits.
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  const digits = unit === 0 || size >= 9.95 ? 0 : 1;
  return `${size.toFixed(digits)} ${units[unit]}`;
}
