/** A data set that cannot be used at all; the message says what was found and what to do. */
export class DatasetError extends Error {
  override name = "DatasetError";
}

/** A row that was left out. */
export interface Problem {
  /**
   * - `name`: no picture name; `missing`: no such picture; `duplicate`: the picture was listed before
   * - `mos`: not a number, or outside the range; `line`: the CSV line itself is malformed; `picture`: it cannot be decoded, or
   *   is a folder that cannot be read
   */
  readonly kind: "name" | "missing" | "duplicate" | "mos" | "line" | "picture";
  /** Name of the picture, as the CSV has it; empty when there is none. */
  readonly name: string;
  /** Line of the CSV, from 1, when it comes from one. */
  readonly line?: number;
  /** One sentence for the user. */
  readonly detail: string;
}

/** A problem as one line: the picture's name, once, its line in the CSV, and what is wrong. */
export function problemText({ name, line, detail }: Problem): string {
  const without = (text: string, start: string) => (text.startsWith(start) ? text.slice(start.length) : text);
  const why = without(line === undefined ? detail : without(detail, `line ${line}: `), `${name}: `);
  const where = line === undefined ? "" : `line ${line}`;
  if (name === "") return where ? `${where}: ${why}` : why;
  return `${name}${where && ` (${where})`}: ${why}`;
}

const kindWords: Record<Problem["kind"], string> = {
  name: "without a picture name",
  missing: "no such picture",
  duplicate: "listed before",
  mos: "no usable MOS",
  line: "not to be read",
  picture: "not to be decoded",
};

/** Every problem once: the first `most` as sentences, the others by kind with their lines, or names where they have none. */
export function problemLines(problems: readonly Problem[], most: number): string[] {
  const rest = Map.groupBy(problems.slice(most), ({ kind }) => kind);
  const counted = [...rest].map(([kind, all]) => {
    const lines = all.flatMap(({ line }) => (line === undefined ? [] : [line]));
    const names = all.flatMap(({ line, name }) => (line === undefined ? [name] : []));
    const where = [...(lines.length > 0 ? [linesText(lines, lines.length)] : []), ...names].join(", ");
    return `${all.length} more, ${kindWords[kind]}: ${where}`;
  });
  return [...problems.slice(0, most).map(problemText), ...counted];
}

/** Lines in words, with ends of runs: "lines 3, 5-9". At most so many runs are written out. */
export function linesText(lines: readonly number[], most = 12): string {
  const runs: [number, number][] = [];
  for (const line of [...lines].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && line <= last[1] + 1) last[1] = line;
    else runs.push([line, line]);
  }
  const shown = runs.slice(0, most);
  const words = shown.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
  const more = runs.length > most ? lines.filter((line) => line > shown.at(-1)![1]).length : 0;
  return `line${lines.length === 1 ? "" : "s"} ${words.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
