import { createHash } from "node:crypto";
import { appendFileSync, createReadStream } from "node:fs";
import { readFile, realpath, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { stringify } from "csv-stringify/sync";
import { expectNames } from "../../engine/arguments.ts";
import { writeFileAtomically } from "../../engine/weights/atomic.ts";
import { asText, printable } from "../data/files/file-name.ts";
import { parseTable } from "../data/tables/table.ts";
import type { Score } from "../labels/score.ts";
import { givesProbabilities } from "../networks/heads.ts";
import type { ModelCard } from "../networks/model.ts";
import type { ScoredPicture, Scorer } from "./scorer.ts";

/** A picture of a pool. */
export interface PoolPicture {
  /** As the file of labels calls it, relative to the folder of the pool. */
  readonly name: string;
  readonly path: string;
  /** Why it is not looked at. */
  readonly leftOut?: string;
}

export interface LabelOptions {
  /** Whether every probability is written. @default when there are at most 10 */
  readonly distribution?: boolean;
  /** Pictures of less confidence get no row. @default 0 */
  readonly leastConfidence?: number;
  /** What becomes of a file that is there: it is gone on with, replaced, or an error. @default "refuse" */
  readonly existing?: "resume" | "replace" | "refuse";
  /** The model's file, by which a file of labels is told from another model's. */
  readonly model: string;
  readonly signal?: AbortSignal;
  /** Told of every picture that is done, and of those that were, at once. */
  readonly onDone?: (count: number) => void;
  /** How the error of a picture is written. @default its message */
  readonly errorText?: (error: Error) => string;
}

const names = {
  distribution: true,
  leastConfidence: true,
  existing: true,
  model: true,
  signal: true,
  onDone: true,
  errorText: true,
} satisfies Record<keyof LabelOptions, true>;

/** What a walk through a pool did. */
export interface LabelCounts {
  /** Rows with a label, those of an earlier walk among them. */
  readonly labelled: number;
  /** Rows with an error. */
  readonly failed: number;
  /** Pictures without a row, for want of confidence. */
  readonly unsure: number;
}

/** A file of labels is there that cannot be gone on with, or is not to be replaced. */
export class LabelFileError extends Error {
  override name = "LabelFileError";
}

/** Probabilities that are written without being asked for, at most. */
const mostColumns = 10;

/**
 * Columns of a file of labels. `p1`, `p2`, … are the probabilities of the classes or of the score set, the lowest quality first; `confidence`
 * is the largest probability of classes, 1 − H/ln m of a distribution (Eq. 8), and absent of a score alone.
 */
export function labelColumns(
  { head, levels }: Pick<ModelCard["options"], "head" | "levels">,
  distribution = levels <= mostColumns,
): string[] {
  const probabilities = distribution ? Array.from({ length: levels }, (_, i) => `p${i + 1}`) : [];
  const own = {
    classes: ["class", "confidence", ...probabilities],
    distribution: ["standardDeviation", "confidence", ...probabilities],
    score: [],
    ensemble: ["ensembleDeviation"],
  }[head];
  return ["name", "score", "low", "high", ...own, "error", "model"];
}

/** How sure a score is, 0 to 1; undefined of a score alone. */
export function labelConfidence({ classProbability, confidence }: Score): number | undefined {
  return classProbability ?? confidence;
}

/**
 * Labels the pictures of a pool with a model, a row of a CSV file for each, in their order. A picture that cannot be scored is a row with
 * an error. The file grows row by row: after an interruption, `existing: "resume"` labels the pictures that have no label in it. With
 * `leastConfidence` those before the last label are not looked at again.
 * @throws LabelFileError when a file is there, unless `existing` says what becomes of it, or when it is not of this model and these
 * options; RangeError when the model tells no confidence and a least one is asked for; the signal's reason; what no picture is to blame for
 */
export async function labelPool(
  scorer: Scorer,
  pictures: readonly PoolPicture[],
  path: string,
  options: LabelOptions,
): Promise<LabelCounts> {
  expectNames("labelPool", options, names);
  const { leastConfidence = 0, signal, onDone, errorText = ({ message }) => message } = options;
  const { range, options: network } = scorer.card;
  if (leastConfidence > 0 && !givesProbabilities(network.head)) {
    throw new RangeError(
      `\`leastConfidence\` ${leastConfidence}: a network with the head ${network.head} does not say how sure it is; leave it out`,
    );
  }
  const columns = labelColumns(network, options.distribution);
  const common = { low: range[0], high: range[1], model: await labellerOf(options.model, scorer) };
  const lines = (rows: readonly object[], header = false) => stringify([...rows], { header, columns });
  const place = await realpath(path).catch(() => path);
  const before = await rowsBefore(place, columns, common.model, options.existing);
  await writeFileAtomically(place, lines(before, true));
  const left = picturesLeft(pictures, before, leastConfidence > 0);
  let [labelled, failed, unsure] = [before.length, 0, 0];
  onDone?.(pictures.length - left.length);
  const sources = left.filter(({ leftOut }) => leftOut === undefined).map((picture) => picture.path);
  const results = scorer.scoreMany(sources, signal ? { signal } : {});
  for (const picture of left) {
    const { leftOut } = picture;
    const result = leftOut === undefined ? ((await results.next()).value as ScoredPicture) : undefined;
    const row = { name: asText(picture.name), ...common };
    if (!result || "error" in result) {
      failed++;
      appendFileSync(place, lines([{ ...row, error: leftOut ?? errorText((result as { error: Error }).error) }]));
    } else if ((labelConfidence(result) ?? 1) < leastConfidence) unsure++;
    else {
      labelled++;
      appendFileSync(place, lines([{ ...fieldsOf(result), ...row }]));
    }
    onDone?.(1);
  }
  return { labelled, failed, unsure };
}

function fieldsOf(result: Score & { readonly histogram?: readonly number[] }) {
  const { histogram = [], ...score } = result;
  const probabilities = Object.fromEntries(histogram.map((share, i) => [`p${i + 1}`, share]));
  return { ...score, ...probabilities, confidence: labelConfidence(score) };
}

/** Those without a label. @param inOrder a picture before the last that has one was unsure, and needs none */
function picturesLeft(
  pictures: readonly PoolPicture[],
  before: readonly Readonly<Record<string, string>>[],
  inOrder: boolean,
): PoolPicture[] {
  const known = new Set(before.map(({ name }) => name));
  const last = inOrder ? pictures.findLastIndex(({ name }) => known.has(asText(name))) : -1;
  return pictures.filter(({ name }, at) => at > last && !known.has(asText(name)));
}

/** Names what labels: 12 hexadecimal digits of the SHA-256 of the model's file and of how it is shown pictures. */
async function labellerOf(path: string, { showing }: Scorer): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(showing));
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex").slice(0, 12);
}

/** The labels of a file that is gone on with. Rows with an error are tried again, and so is one that an interruption cut. */
async function rowsBefore(
  path: string,
  columns: readonly string[],
  model: string,
  existing: LabelOptions["existing"] = "refuse",
): Promise<Readonly<Record<string, string>>[]> {
  const info = await stat(path).catch(() => undefined);
  if (!info) return [];
  const called = printable(path);
  if (!info.isFile()) throw new LabelFileError(`${called} is no file that labels could be added to; name a file`);
  if (info.size === 0 || existing === "replace") return [];
  if (existing === "refuse") {
    throw new LabelFileError(
      `${called} is there; go on with it by \`resume\`, replace it by \`overwrite\`, or name another file`,
    );
  }
  const text = await readFile(path, "utf8");
  const { header, records } = parseTable(text.slice(0, text.lastIndexOf("\n") + 1), path, { mos: false });
  if (header.join() !== columns.join()) {
    throw new LabelFileError(
      `${called} has the columns ${header.join(", ")}, labels of this model the columns ${columns.join(", ")}; replace it by \`overwrite\`, or name another file`,
    );
  }
  const rows = records
    .filter(({ fields }) => fields.length === columns.length)
    .map(({ fields }) => Object.fromEntries(columns.map((column, i) => [column, fields[i]!])));
  const other = rows.find((row) => row["model"] !== model);
  if (other) {
    throw new LabelFileError(
      `${called} has labels of another model, or of one that was shown pictures otherwise (${other["model"]}, this is ${model}); replace it by \`overwrite\`, or name another file`,
    );
  }
  return rows.filter((row) => row["error"] === "");
}
