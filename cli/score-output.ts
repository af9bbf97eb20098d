import { stringify } from "csv-stringify/sync";
import { asText } from "../models/data/files/file-name.ts";
import { type Output, standardOutput } from "./output.ts";
import { detailColumns, percentileColumns, withPercentiles } from "./score-facts.ts";
import type { RowFacts, ScoreRow } from "./score-row.ts";
import {
  endWords,
  reasonNames,
  rowLine,
  type ScoreScale,
  scoreColumns,
  scoreTable,
  shownRow,
  trustCells,
  trustColumns,
} from "./score-words.ts";

export type ScoreForm = "table" | "json" | "csv";

/** Forms of rows that are written one at a time for ever: JSON or text, a line for each. */
export type StreamForm = "csv" | "jsonl" | "lines";

export interface ScoreOutputOptions {
  readonly form: ScoreForm | StreamForm;
  readonly out: Output;
  /** Best first, which is known at the end alone. */
  readonly sort: boolean;
  /** What results call the model. */
  readonly model: string;
  /** Whether rows say what became of sidecars. */
  readonly tellsSidecars?: boolean;
  /** Whether places among the pictures are shown. */
  readonly percentiles?: boolean;
  /** Whether size, sides and sharpness are shown. */
  readonly details?: boolean;
  /** Picks the rows to be written, once all are there. */
  readonly select?: ((rows: readonly ScoreRow[], lowerIsBetter: boolean) => ScoreRow[]) | undefined;
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
  /** Rows that the last writing of all has. */
  #written = 0;
  #scale: ScoreScale | undefined;

  constructor(options: ScoreOutputOptions) {
    this.#options = options;
  }

  /** Nothing is written before it is known. */
  set scale(scale: ScoreScale) {
    this.#scale = scale;
  }

  /** Rows that were chosen, once all are written. */
  get written(): number {
    return this.#written;
  }

  /** Rows that are chosen of those that are there. */
  get chosen(): readonly ScoreRow[] {
    return this.#chosen(this.rows);
  }

  get rows(): readonly ScoreRow[] {
    return this.#rows.filter((row) => row !== undefined);
  }

  set(place: number, row: ScoreRow): void {
    this.#rows[place] = row;
    if (!this.#streams || !this.#scale) return;
    const ready: ScoreRow[] = [];
    for (let next = this.#rows[this.#next]; next; next = this.#rows[++this.#next]) ready.push(next);
    this.#append(ready);
  }

  /** Writes a row that follows those written so far, and does not keep it. */
  append(row: ScoreRow): void {
    const { form, out } = this.#options;
    if (form === "csv") this.#append([row]);
    else if (form === "jsonl") out.append(`${JSON.stringify(shownRow(row, this.#facts))}\n`);
    else out.append(`${rowLine(row, this.#scale!)}\n`);
  }

  /** Writes what is not written yet of the rows that are there; without any, nothing. Calling it again does nothing. */
  finish(interrupted: boolean): void {
    if (this.#finished) return;
    this.#finished = true;
    const rows = this.rows;
    if (rows.length === 0 || !this.#scale) return;
    if (this.#streams) this.#append(this.#rows.slice(this.#next).filter((row) => row !== undefined));
    else this.#writeWhole(rows, interrupted);
  }

  #writeWhole(rows: readonly ScoreRow[], interrupted: boolean): void {
    const { sort, form, out } = this.#options;
    const sign = this.#scale?.lowerIsBetter ? -1 : 1;
    const rank = (row: ScoreRow) => ("error" in row ? Number.NEGATIVE_INFINITY : sign * row.score);
    const chosen = this.#chosen(rows);
    const ordered = sort ? chosen.toSorted((a, b) => rank(b) - rank(a)) : chosen;
    this.#written = ordered.length;
    const text = this.#text(ordered, interrupted);
    try {
      out.replace(text);
    } catch (error) {
      // What took hours is not lost for want of a place.
      if (out !== standardOutput && form !== "table") standardOutput.append(text);
      throw error;
    }
  }

  /** Rows with their places, those alone that are asked for. */
  #chosen(rows: readonly ScoreRow[]): readonly ScoreRow[] {
    const { select, percentiles } = this.#options;
    if (!select && !percentiles) return rows;
    const placed = withPercentiles(rows, this.#scale!);
    return select ? select(placed, this.#scale!.lowerIsBetter === true) : placed;
  }

  get #streams(): boolean {
    const { form, sort, percentiles, select } = this.#options;
    return form === "csv" && !sort && !percentiles && !select;
  }

  /** Columns beside those of the score. */
  get #facts(): (keyof RowFacts)[] {
    const { percentiles, details } = this.#options;
    return [...(percentiles ? percentileColumns(this.#scale!.reference) : []), ...(details ? detailColumns : [])];
  }

  #append(rows: readonly ScoreRow[]): void {
    if (rows.length === 0) return;
    this.#options.out.append(this.#csv(rows, !this.#hasHeader));
    this.#hasHeader = true;
  }

  #text(rows: readonly ScoreRow[], interrupted: boolean): string {
    const { form, model } = this.#options;
    if (form === "csv") return this.#csv(rows, true);
    if (form === "table") return scoreTable(rows, this.#scale!, this.#facts);
    const { range, lowerIsBetter } = this.#scale!;
    const direction = lowerIsBetter ? "lower is better" : "higher is better";
    const pictures = rows.map((row) => shownRow(row, this.#facts));
    const ending = interrupted ? { interrupted } : {};
    return `${JSON.stringify({ model, range, direction, ...ending, pictures }, null, 2)}\n`;
  }

  #csv(rows: readonly ScoreRow[], header: boolean): string {
    const { range, options, trust, tellsReasons } = this.#scale!;
    const [low, high] = range.map(endWords);
    const [score, ...others] = scoreColumns(options);
    const reasons = tellsReasons ? ["reasons"] : [];
    const trusted = trustColumns(trust);
    const sidecar = this.#options.tellsSidecars ? ["sidecar"] : [];
    const beside = [...this.#facts, ...reasons, ...sidecar];
    const columns = ["path", score!, "low", "high", ...trusted, ...others, ...beside, "error"];
    return stringify(
      rows.map(({ path, ...row }) => {
        const cells = "error" in row ? {} : { ...trustCells(row), reasons: reasonNames(row) };
        return { low, high, path: asText(path), ...row, ...cells };
      }),
      { header, columns },
    );
  }
}
