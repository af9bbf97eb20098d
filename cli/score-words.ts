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
import { runningOptions } from "./running.ts";
import { detailColumns } from "./score-facts.ts";
import type { RowFacts, ScoreRow, TrustedScore } from "./score-row.ts";
import { table } from "./terminal.ts";

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

const allFacts: readonly string[] = [...detailColumns, "percentile", "referencePercentile"];

/** A row as JSON has it, with those facts alone. */
export function shownRow({ path, ...row }: ScoreRow, facts: readonly string[]): object {
  const entries = Object.entries(row).filter(([name]) => !allFacts.includes(name) || facts.includes(name));
  return { path: asText(path), ...Object.fromEntries(entries) };
}

/** A row as a line of text. */
export function rowLine(row: ScoreRow, { range }: ScoreScale): string {
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
export const endWords = (end: number) => (Number.isFinite(end) ? String(end) : "");

export function scoreTable(rows: readonly ScoreRow[], scale: ScoreScale, facts: readonly (keyof RowFacts)[]): string {
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

export function reasonNames({ reasons = [] }: Pick<PictureScore, "reasons">): string {
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
