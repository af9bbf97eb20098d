/** What stands for a number that is not there, or not defined. */
export const dash = "–";

/** The number, or NaN for anything else: JSON turns NaN into null. */
export function numberOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : Number.NaN;
}

/** With a fixed number of decimals; a dash when it is not a finite number. */
export function decimals(value: unknown, digits: number): string {
  const number = numberOf(value);
  // A rounded -0.001 is no negative number.
  return Number.isNaN(number) ? dash : number.toFixed(digits).replace(/^-(0(?:\.0*)?)$/, "$1");
}

/** Share of a whole, e.g. "12.5 %". */
export function percent(part: number, whole: number): string {
  return whole > 0 && part >= 0 ? `${((100 * part) / whole).toFixed(1)} %` : dash;
}

/** "512 MiB", "1.50 GiB"; a dash for what is not a positive number. */
export function bytes(value: unknown): string {
  let number = numberOf(value);
  if (!(number > 0)) return dash;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (number >= 1000 && unit < units.length - 1) {
    number /= 1024;
    unit++;
  }
  return `${unit === 0 ? number : number.toPrecision(3)} ${units[unit]}`;
}

/** "2025-06-01 12:30 UTC", or the text itself when it is no date. */
export function dateAndTime(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  return `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** Makes text safe between tags and inside quoted attributes. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
