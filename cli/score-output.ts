import { stringify } from "csv-stringify/sync";
import { GpuError } from "../engine/device/errors.ts";
import { asText, printable } from "../models/data/files/file-name.ts";
import { type MosRange, PictureError } from "../models/data/index.ts";
import type { ScoredPicture } from "../models/scoring/scorer.ts";
import { inFlags } from "./option-words.ts";
import { type Output, standardOutput } from "./output.ts";
import { runningOptions } from "./running.ts";
import { table } from "./terminal.ts";

/** A picture with its score, or why it has none. */
export type ScoreRow = { readonly path: string } & (
  | { readonly score: number; readonly standardDeviation: number; readonly confidence: number }
  | { readonly error: string }
);

export type ScoreForm = "table" | "json" | "csv";

export interface ScoreOutputOptions {
  readonly form: ScoreForm;
  readonly out: Output;
  /** Best first, which is known at the end alone. */
  readonly sort: boolean;
  /** What results call the model. */
  readonly model: string;
}

/**
 * Rows in their order, whenever each comes. CSV is written as far as it is known, a row at a time; the other forms, and what is
 * sorted, at the end.
 */
export class ScoreOutput {
  readonly #options: ScoreOutputOptions;
  readonly #rows: (ScoreRow | undefined)[] = [];
  /** Rows before this one are written. */
  #next = 0;
  #hasHeader = false;
  #finished = false;
  #range: MosRange | undefined;

  constructor(options: ScoreOutputOptions) {
    this.#options = options;
  }

  /** Ends of the model's scale; nothing is written before they are known. */
  set range(range: MosRange) {
    this.#range = range;
  }

  get rows(): readonly ScoreRow[] {
    return this.#rows.filter((row) => row !== undefined);
  }

  set(place: number, row: ScoreRow): void {
    this.#rows[place] = row;
    if (!this.#streams || !this.#range) return;
    const ready: ScoreRow[] = [];
    for (let next = this.#rows[this.#next]; next; next = this.#rows[++this.#next]) ready.push(next);
    this.#append(ready);
  }

  /** Writes what is not written yet of the rows that are there; without any, nothing. Calling it again does nothing. */
  finish(interrupted: boolean): void {
    if (this.#finished) return;
    this.#finished = true;
    const rows = this.rows;
    if (rows.length === 0 || !this.#range) return;
    if (this.#streams) this.#append(this.#rows.slice(this.#next).filter((row) => row !== undefined));
    else this.#writeWhole(rows, interrupted);
  }

  #writeWhole(rows: readonly ScoreRow[], interrupted: boolean): void {
    const { sort, form, out } = this.#options;
    const rank = (row: ScoreRow) => ("error" in row ? Number.NEGATIVE_INFINITY : row.score);
    const ordered = sort ? rows.toSorted((a, b) => rank(b) - rank(a)) : rows;
    const text = this.#text(ordered, interrupted);
    try {
      out.replace(text);
    } catch (error) {
      // What took hours is not lost for want of a place.
      if (out !== standardOutput && form !== "table") standardOutput.append(text);
      throw error;
    }
  }

  get #streams(): boolean {
    return this.#options.form === "csv" && !this.#options.sort;
  }

  #append(rows: readonly ScoreRow[]): void {
    if (rows.length === 0) return;
    this.#options.out.append(this.#csv(rows, !this.#hasHeader));
    this.#hasHeader = true;
  }

  #text(rows: readonly ScoreRow[], interrupted: boolean): string {
    const { form, model } = this.#options;
    if (form === "csv") return this.#csv(rows, true);
    if (form === "table") return scoreTable(rows, this.#range!);
    const range = [...this.#range!];
    const pictures = rows.map(({ path, ...row }) => ({ path: asText(path), ...row }));
    const ending = interrupted ? { interrupted } : {};
    return `${JSON.stringify({ model, range, direction: "higher is better", ...ending, pictures }, null, 2)}\n`;
  }

  #csv(rows: readonly ScoreRow[], header: boolean): string {
    const [low, high] = this.#range!;
    const columns = ["path", "score", "low", "high", "standardDeviation", "confidence", "error"];
    return stringify(
      rows.map(({ path, ...row }) => ({ low, high, path: asText(path), ...row })),
      { header, columns },
    );
  }
}

function scoreTable(rows: readonly ScoreRow[], [low, high]: MosRange): string {
  const cells = rows.map((row) =>
    "error" in row
      ? [printable(row.path), "", "", "", printable(row.error)]
      : [printable(row.path), row.score.toFixed(2), row.standardDeviation.toFixed(2), row.confidence.toFixed(3), ""],
  );
  const withErrors = cells.some((row) => row[4]);
  const headers = ["picture", `score (${low}-${high})`, "sd", "confidence", ...(withErrors ? ["error"] : [])];
  return `${table(
    headers,
    cells.map((row) => row.slice(0, headers.length)),
  )}\n`;
}

/** A result of the scorer as a row; the error leaves out the path, which the row has. */
export function rowOf(path: string, result: ScoredPicture): ScoreRow {
  if (!("error" in result)) {
    const { score, standardDeviation, confidence } = result;
    return { path, score, standardDeviation, confidence };
  }
  const { error } = result;
  const own = error instanceof PictureError ? `${error.path}: ` : "";
  const message = error.message.startsWith(own) ? error.message.slice(own.length) : error.message;
  const advice = error instanceof GpuError && error.advice ? `; ${error.advice}` : "";
  return { path, error: asText(inFlags(message + advice, runningOptions())) };
}
