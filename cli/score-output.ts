import { stringify } from "csv-stringify/sync";
import { GpuError } from "../engine/device/errors.ts";
import { asText, printable } from "../models/data/files/file-name.ts";
import { PictureError } from "../models/data/index.ts";
import type { Score } from "../models/labels/score.ts";
import type { ModelOptions } from "../models/networks/options.ts";
import type { PictureScore } from "../models/scoring/scorer.ts";
import type { Trust, Trusted } from "../models/trust/companion.ts";
import { percent } from "../models/trust/interval.ts";
import { inFlags } from "./option-words.ts";
import { type Output, standardOutput } from "./output.ts";
import { runningOptions } from "./running.ts";
import { table } from "./terminal.ts";

/** A score with how far it can be trusted and what most likely lowers it, where the model or a head says so. */
export type TrustedScore = Score & Trusted & Pick<PictureScore, "reasons">;

/** A picture with its score, or why it has none. */
export type ScoreRow = {
  readonly path: string;
  /** What became of its sidecar. */
  readonly sidecar?: string;
} & (TrustedScore | { readonly error: string });

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
}

export type ScoreForm = "table" | "json" | "csv";

export interface ScoreOutputOptions {
  readonly form: ScoreForm;
  readonly out: Output;
  /** Best first, which is known at the end alone. */
  readonly sort: boolean;
  /** What results call the model. */
  readonly model: string;
  /** Whether rows say what became of sidecars. */
  readonly tellsSidecars?: boolean;
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
  #scale: ScoreScale | undefined;

  constructor(options: ScoreOutputOptions) {
    this.#options = options;
  }

  /** Nothing is written before it is known. */
  set scale(scale: ScoreScale) {
    this.#scale = scale;
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
    if (form === "table") return scoreTable(rows, this.#scale!);
    const { range, lowerIsBetter } = this.#scale!;
    const direction = lowerIsBetter ? "lower is better" : "higher is better";
    const pictures = rows.map(({ path, ...row }) => ({ path: asText(path), ...row }));
    const ending = interrupted ? { interrupted } : {};
    return `${JSON.stringify({ model, range, direction, ...ending, pictures }, null, 2)}\n`;
  }

  #csv(rows: readonly ScoreRow[], header: boolean): string {
    const { range, options, trust, tellsReasons } = this.#scale!;
    const [low, high] = range.map(endWords);
    const [score, ...others] = scoreColumns(options);
    const reasons = tellsReasons ? ["reasons"] : [];
    const sidecar = this.#options.tellsSidecars ? ["sidecar"] : [];
    const columns = ["path", score!, "low", "high", ...trustColumns(trust), ...others, ...reasons, ...sidecar, "error"];
    return stringify(
      rows.map(({ path, ...row }) => {
        const cells = "error" in row ? {} : { ...trustCells(row), reasons: reasonNames(row) };
        return { low, high, path: asText(path), ...row, ...cells };
      }),
      { header, columns },
    );
  }
}

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

function scoreTable(rows: readonly ScoreRow[], scale: ScoreScale): string {
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
      ...(tellsReasons ? [reasonWords(score.reasons)] : []),
      ...(withSidecars ? [printable(row.sidecar ?? "")] : []),
      ...(withErrors ? ["error" in row ? printable(row.error) : ""] : []),
    ];
  });
  const heads = [
    `${headings[0]}${interval ? `, ${percent(interval.level)} interval` : ""}`,
    ...headings.slice(1),
    ...(typicality ? ["kind"] : []),
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
export function rowOf(path: string, result: TrustedScore | { readonly error: Error }): ScoreRow {
  if ("error" in result) return { path, error: errorWords(result.error) };
  return { path, ...scoreIn(result), ...(result.reasons && { reasons: result.reasons }) };
}

/** Why a picture has no score, without its path. */
export function errorWords(error: Error): string {
  const own = error instanceof PictureError ? `${error.path}: ` : "";
  const message = error.message.startsWith(own) ? error.message.slice(own.length) : error.message;
  const advice = error instanceof GpuError && error.advice ? `; ${error.advice}` : "";
  return asText(inFlags(message + advice, runningOptions()));
}
