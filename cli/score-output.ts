import { stringify } from "csv-stringify/sync";
import { GpuError } from "../engine/device/errors.ts";
import { asText, printable } from "../models/data/files/file-name.ts";
import { PictureError } from "../models/data/index.ts";
import type { Score } from "../models/labels/score.ts";
import type { ModelOptions } from "../models/networks/options.ts";
import type { PictureScore } from "../models/scoring/scorer.ts";
import type { Trust, Trusted } from "../models/trust/companion.ts";
import { percent } from "../models/trust/interval.ts";
import type { ReferenceFacts } from "../models/trust/reference.ts";
import { inFlags } from "./option-words.ts";
import { type Output, standardOutput } from "./output.ts";
import { runningOptions } from "./running.ts";
import { detailColumns, percentileColumns, withPercentiles } from "./score-facts.ts";
import type { RowFacts, ScoreRow, TrustedScore } from "./score-row.ts";
import { table } from "./terminal.ts";

/** Names of the numbers of a score: those of every model, which has them or not, and those of one that tells classes. */
export function scoreColumns(options?: Pick<ModelOptions, "head">): (keyof Score)[] {
  if (!options) return ["score"];
  if (options.head === "ensemble") return ["score", "ensembleDeviation"];
  const classes = ["class", "classProbability"] as const;
  return ["score", "standardDeviation", "confidence", ...(options.head === "classes" ? classes : [])];
}

/** Columns of how far scores can be trusted, as CSV has them. */
export function trustColumns(trust: Trust | undefined): string[] {
  const { interval, typicality } = trust?.facts ?? {};
  return [
    ...(interval ? ["intervalLow", "intervalHigh"] : []),
    ...(typicality ? ["typicality", "typicalityShare"] : []),
  ];
}

/** Their values. */
export function trustCells({ interval, typicality }: Trusted): Record<string, unknown> {
  return {
    ...(interval && { intervalLow: interval.low, intervalHigh: interval.high }),
    ...(typicality && { typicality: typicality.word, typicalityShare: typicality.share }),
  };
}

/** The numbers of a score, in the order of their columns. */
export function scoreIn(found: Score & Trusted): Score & Trusted {
  const { score, standardDeviation, confidence, ensembleDeviation, class: best, classProbability } = found;
  const { interval, typicality } = found;
  return {
    score,
    ...(interval && { interval }),
    ...(typicality && { typicality }),
    ...(standardDeviation !== undefined && { standardDeviation }),
    ...(confidence !== undefined && { confidence }),
    ...(ensembleDeviation !== undefined && { ensembleDeviation }),
    ...(best !== undefined && { class: best }),
    ...(classProbability !== undefined && { classProbability }),
  };
}

/** What is to be known of all scores. */
export interface ScoreScale {
  /** Ends, the lower first; the upper one may be infinity. */
  readonly range: readonly [number, number];
  readonly lowerIsBetter?: boolean;
  /** Of the model, where there is one. */
  readonly options?: Pick<ModelOptions, "head">;
  /** Whether rows have reasons. */
  readonly tellsReasons?: boolean;
  /** What the model says of how far they can be trusted. */
  readonly trust?: Trust | undefined;
  /** Scores of known pictures, by which places are told. */
  readonly reference?: ReferenceFacts | undefined;
}

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

const allFacts: readonly string[] = [...detailColumns, "percentile", "referencePercentile"];

/** A row as JSON has it, with those facts alone. */
export function shownRow({ path, ...row }: ScoreRow, facts: readonly string[]): object {
  const entries = Object.entries(row).filter(([name]) => !allFacts.includes(name) || facts.includes(name));
  return { path: asText(path), ...Object.fromEntries(entries) };
}

/** A row as a line of text. */
function rowLine(row: ScoreRow, { range }: ScoreScale): string {
  if ("error" in row) return `-  ${printable(row.path)}  ${printable(row.error)}`;
  const aside = [typicalityWords(row), reasonWords(row.reasons)].filter(Boolean).join("; ");
  const ends = Number.isFinite(range[1]) ? range : ([0, 100] as const);
  return `${scoreWords(row, ends)}  ${printable(row.path)}${aside && `  ${aside}`}`;
}

/** How a table has facts: heading and digits. */
const factColumns: Readonly<Record<keyof RowFacts, readonly [heading: string, digits: number]>> = {
  percentile: ["percentile", 0],
  referencePercentile: ["in the reference", 0],
  size: ["bytes", 0],
  width: ["width", 0],
  height: ["height", 0],
  sharpness: ["sharpness", 2],
};

/** How a table has the numbers of a score: heading and digits. */
const tableColumns: Readonly<Record<keyof Score, readonly [heading: string, digits: number]>> = {
  score: ["score", 2],
  standardDeviation: ["sd", 2],
  confidence: ["confidence", 3],
  ensembleDeviation: ["sd of the heads", 2],
  class: ["class", 0],
  classProbability: ["of the class", 3],
};

/** An end of a scale, which may have none. */
const endWords = (end: number) => (Number.isFinite(end) ? String(end) : "");

function scoreTable(rows: readonly ScoreRow[], scale: ScoreScale, facts: readonly (keyof RowFacts)[]): string {
  const { range, options, lowerIsBetter, trust, tellsReasons = false } = scale;
  const { interval, typicality } = trust?.facts ?? {};
  // The interval says what people can use; what the predicted distribution says stands in JSON and CSV.
  const columns = scoreColumns(options).filter((name) => !interval || !ofDistribution.includes(name));
  const [low, high] = range.map(endWords);
  const ends = `${high ? `${low}-${high}` : `from ${low}`}${lowerIsBetter ? ", lower is better" : ""}`;
  const withErrors = rows.some((row) => "error" in row);
  const withSidecars = rows.some((row) => row.sidecar);
  const headings = columns.map((name) => (name === "score" ? `score (${ends})` : tableColumns[name][0]));
  const cells = rows.map((row) => {
    const score: Partial<TrustedScore> = "error" in row ? {} : row;
    const [first, ...others] = columns.map((name) => score[name]?.toFixed(tableColumns[name][1]) ?? "");
    return [
      printable(row.path),
      interval && !("error" in row) ? scoreWords(row, range) : first!,
      ...others,
      ...(typicality ? [typicalityWords(score)] : []),
      ...facts.map((name) => score[name]?.toFixed(factColumns[name][1]) ?? ""),
      ...(tellsReasons ? [reasonWords(score.reasons)] : []),
      ...(withSidecars ? [printable(row.sidecar ?? "")] : []),
      ...(withErrors ? ["error" in row ? printable(row.error) : ""] : []),
    ];
  });
  const heads = [
    `${headings[0]}${interval ? `, ${percent(interval.level)} interval` : ""}`,
    ...headings.slice(1),
    ...(typicality ? ["kind"] : []),
    ...facts.map((name) => factColumns[name][0]),
    ...(tellsReasons ? ["lowered by"] : []),
    ...(withSidecars ? ["sidecar"] : []),
    ...(withErrors ? ["error"] : []),
  ];
  return `${table(["picture", ...heads], cells)}\n`;
}

const ofDistribution: readonly (keyof Score)[] = ["standardDeviation", "confidence"];

/** A score with its interval in as many digits as it deserves: 58 (45 to 70). */
export function scoreWords({ score, interval }: Score & Trusted, [low, high]: readonly [number, number]): string {
  const digits = Math.min(6, Math.max(0, 2 - Math.round(Math.log10(high - low))));
  const [from, to] = [interval?.low, interval?.high].map((end) => end?.toFixed(digits));
  return `${score.toFixed(digits)}${interval ? ` (${from} to ${to})` : ""}`;
}

/** What is worth saying of how typical a picture is. */
function typicalityWords({ typicality }: Trusted): string {
  return typicality && typicality.word !== "typical" ? typicality.word : "";
}

function reasonNames({ reasons = [] }: Pick<PictureScore, "reasons">): string {
  return reasons.map(({ reason }) => reason).join(";");
}

/** Reasons as a table has them, with their probabilities. */
function reasonWords(reasons: PictureScore["reasons"] = []): string {
  return reasons
    .map(({ reason, probability }) => `${reason.replace("-", " ")} ${Math.round(100 * probability)} %`)
    .join(", ");
}

/** A result of the scorer as a row; the error leaves out the path, which the row has. */
export function rowOf(path: string, result: TrustedScore | { readonly error: Error }, facts: RowFacts = {}): ScoreRow {
  if ("error" in result) return { path, error: errorWords(result.error) };
  return { path, ...scoreIn(result), ...facts, ...(result.reasons && { reasons: result.reasons }) };
}

/** Why a picture has no score, without its path. */
export function errorWords(error: Error): string {
  const own = error instanceof PictureError ? `${error.path}: ` : "";
  const message = error.message.startsWith(own) ? error.message.slice(own.length) : error.message;
  const advice = error instanceof GpuError && error.advice ? `; ${error.advice}` : "";
  return asText(inFlags(message + advice, runningOptions()));
}
