import { Random } from "../../engine/random.ts";
import { type Dataset, DatasetError, type Row, ratedRows, unratedRows } from "./dataset.ts";
import type { MosRange } from "./range.ts";
import { officialSplit, parseRatio, split } from "./split.ts";

type Rated = Row & { readonly mos: number };

/** How a data set becomes parts. */
export interface ProtocolOptions {
  /** Parts drawn by the seed, or those that the authors of the data set made. @default "random" */
  readonly protocol?: "random" | "official";
  /**
   * "1:3:1" is labelled : unlabelled : test, "4:1" labelled : test. Of an official split the training part is divided by the
   * first two of three numbers, and all labelled by two.
   */
  readonly ratio: string;
  readonly seed: number;
  /** Rows of one group stay together, or every picture is on its own. */
  readonly by: "image" | "group";
  /** Share of the labelled part that is held out of training. @default 0 */
  readonly validationShare?: number;
}

/** The parts of a data set. Rows without a MOS are unlabelled. */
export interface Parts {
  readonly labelled: readonly Rated[];
  readonly unlabelled: readonly Row[];
  /** Neither trained on nor tested on. */
  readonly validation: readonly Rated[];
  readonly test: readonly Rated[];
  /** How they came about, e.g. "1:3:1 by image, seed 1". */
  readonly description: string;
}

/**
 * Divides a data set by a protocol. The validation part of an official split stays one, beside what `validationShare` holds
 * out of the labelled part.
 * @throws DatasetError when a part would be empty, a row says no part or an unknown one; RangeError for a wrong ratio
 */
export function divide(dataset: Pick<Dataset, "rows">, options: ProtocolOptions): Parts {
  const { protocol = "random", ratio, seed, by, validationShare = 0 } = options;
  const three = ratio.split(":").length === 3;
  const names = three ? (["labelled", "unlabelled", "test"] as const) : (["labelled", "test"] as const);
  const shares: Record<string, number> = parseRatio<string>(ratio, names);
  const { rated, unrated, ...drawn } =
    protocol === "official" ? official(dataset.rows) : { ...byMos(dataset.rows), validation: [], test: undefined };
  if (drawn.test) delete shares["test"];
  const whole = { labelled: rated, unlabelled: [], test: drawn.test ?? [] };
  const parts = { ...whole, ...(Object.keys(shares).length > 1 && split(rated, { parts: shares, seed, by })) };
  const held = holdOut(parts.labelled, { share: validationShare, seed, by });
  const how = protocol === "official" ? `official, training part ${three ? ratio.replace(/:[^:]*$/, "") : "all labelled"}` : ratio;
  const validated = validationShare > 0 ? `, ${validationShare} of the labelled held out` : "";
  return {
    labelled: held.kept,
    unlabelled: [...parts.unlabelled, ...unrated],
    validation: [...drawn.validation, ...held.out],
    test: parts.test,
    description: `${how} by ${by}, seed ${seed}${validated}`,
  };
}

function byMos(rows: readonly Row[]) {
  return { rated: ratedRows(rows), unrated: unratedRows(rows) };
}

/** Words that files use for the parts of an official split. */
const partWords = { training: /^train/i, validation: /^(val|dev)/i, test: /^test/i };

function official(rows: readonly Row[]) {
  const parts = { training: [] as Row[], validation: [] as Row[], test: [] as Row[] };
  for (const [word, members] of officialSplit(rows)) {
    const part = (Object.keys(partWords) as (keyof typeof partWords)[]).find((name) => partWords[name].test(word));
    if (!part) {
      throw new DatasetError(
        `The official split has a part "${word}" (${members.length} pictures, such as ${members[0]!.name}); expected are training, validation and test. Leave its rows out with exclude.`,
      );
    }
    parts[part].push(...members);
  }
  for (const part of ["training", "test"] as const) {
    if (parts[part].length === 0) throw new DatasetError(`The official split has no ${part} part.`);
  }
  return { ...byMos(parts.training), validation: ratedRows(parts.validation), test: ratedRows(parts.test) };
}

function holdOut(rows: readonly Rated[], { share, seed, by }: { share: number; seed: number; by: "image" | "group" }) {
  if (!(share >= 0 && share < 1)) throw new RangeError(`The validation share must be from 0 to below 1, got ${share}.`);
  if (share === 0) return { kept: rows, out: [] };
  const { kept, out } = split(rows, { parts: { kept: 1 - share, out: share }, seed, by });
  return { kept, out };
}

/**
 * A share of rows, drawn by a seed: a smaller share of the same rows is contained in a larger one. In their given order.
 * @param share 0 … 1
 * @param stream names the draw, so that two of the same seed differ
 */
export function shareOf<R extends { readonly name: string }>(
  rows: readonly R[],
  share: number,
  { seed, stream }: { readonly seed: number; readonly stream: string },
): R[] {
  const names = rows.map(({ name }) => name).sort();
  const kept = new Set(new Random(seed, stream).shuffle(names).slice(0, Math.round(share * rows.length)));
  return rows.filter(({ name }) => kept.has(name));
}

/**
 * Adds Gaussian noise to every MOS and takes it back into the range. A picture's noise depends on the seed and its name
 * alone.
 * @param noise mean and standard deviation in MOS units
 */
export function withLabelNoise<R extends Rated>(
  rows: readonly R[],
  noise: { readonly mean: number; readonly sd: number },
  { seed, range }: { readonly seed: number; readonly range: MosRange },
): R[] {
  if (noise.mean === 0 && noise.sd === 0) return [...rows];
  const random = new Random(seed, "label noise");
  return rows.map((row) => {
    const mos = row.mos + noise.mean + noise.sd * random.fork(row.name).normal();
    return { ...row, mos: Math.max(range[0], Math.min(range[1], mos)) };
  });
}
