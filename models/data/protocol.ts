import { expectNames } from "../../engine/arguments.ts";
import { Random } from "../../engine/random.ts";
import { DatasetError, type Row } from "./dataset.ts";
import { libraryWords, type OptionWords } from "./option-words.ts";
import type { MosRange } from "./range.ts";
import { officialSplit, parseRatio, type SplitOptions, split } from "./split.ts";

type Rated<R extends Row> = R & { readonly mos: number };

/** How a data set becomes parts. */
export interface ProtocolOptions {
  /**
   * Parts drawn by the seed, those that the authors of the data set made, or one of several folds as the test part, so that over
   * all of them each picture is tested once. @default "random"
   */
  readonly protocol?: "random" | "official" | "folds";
  /**
   * "1:3:1" is labelled : unlabelled : test, "4:1" labelled : test. Of an official split, and of folds, the training part is
   * divided by the first two of three numbers, and all labelled by two.
   */
  readonly ratio: string;
  readonly seed: number;
  /** Rows of one group stay together, or every picture is on its own. */
  readonly by: "image" | "group";
  /** Share of the labelled part that is held out of training. @default 0 */
  readonly validationShare?: number;
  /** With the protocol folds: how many there are, of equal size. @default 5 */
  readonly folds?: number;
  /** With the protocol folds: which of them is tested, the first being 1. @default 1 */
  readonly fold?: number;
  /** Class of a MOS: with it, every drawn part has its share of each class (a stratified split). Not by group. */
  readonly strata?: (mos: number) => number;
  /** How messages call the options of data sets. @default by their names in the library */
  readonly words?: OptionWords;
}

const names = {
  protocol: true,
  ratio: true,
  seed: true,
  by: true,
  validationShare: true,
  folds: true,
  fold: true,
  strata: true,
  words: true,
} satisfies Record<keyof ProtocolOptions, true>;

/** The parts of a data set. Rows without a MOS are unlabelled, but for those whose group is validated or tested on. */
export interface Parts<R extends Row> {
  readonly labelled: readonly Rated<R>[];
  readonly unlabelled: readonly R[];
  /** Neither trained on nor tested on. */
  readonly validation: readonly Rated<R>[];
  readonly test: readonly Rated<R>[];
  /** How they came about, e.g. "1:3:1 by image, seed 1". */
  readonly description: string;
}

/**
 * Divides a data set by a protocol. The validation part of an official split stays one, beside what `validationShare` holds
 * out of the labelled part.
 * @throws DatasetError as {@link split}, and when a rated row says no part of the official split or an unknown one;
 * RangeError for a wrong ratio or a fold that there is not
 */
export function divide<R extends Row>(rows: readonly R[], options: ProtocolOptions): Parts<R> {
  expectNames("divide", options, names);
  const { protocol = "random", ratio, seed, by, validationShare = 0, words = libraryWords } = options;
  const { folds = 5, fold = 1, strata } = options;
  const drawing = { seed, by, words, ...(strata && { strata: ({ mos }: Rated<R>) => strata(mos) }) };
  const { test: testShare, ...trainingShares } = ratioShares(ratio);
  const unrated = rows.filter(({ mos }) => mos === undefined);
  const made =
    protocol === "official"
      ? officialParts(rows, words)
      : protocol === "folds"
        ? foldParts(rated(rows), { folds, fold }, drawing)
        : undefined;
  const shares = made ? trainingShares : { ...trainingShares, test: testShare! };
  const drawn: Record<string, Rated<R>[]> = split(made?.training ?? rated(rows), { parts: shares, ...drawing });
  const labelled = drawn["labelled"]!;
  const held =
    validationShare === 0
      ? { labelled, validation: [] }
      : split(labelled, { parts: { labelled: 1 - validationShare, validation: validationShare }, ...drawing });
  const validation = [...(made?.validation ?? []), ...held.validation];
  const test = made?.test ?? drawn["test"]!;
  const heldGroups = new Set([...validation, ...test].map(({ group }) => group));
  const tested = protocol === "folds" ? `fold ${fold} of ${folds}` : "official";
  const how = made ? `${tested}, training part ${Object.values(shares).join(":")}` : ratio;
  const heldOut = validationShare === 0 ? "" : `, ${validationShare} of the labelled held out`;
  return {
    labelled: held.labelled,
    unlabelled: [
      ...(drawn["unlabelled"] ?? []),
      ...unrated.filter(({ group }) => by === "image" || group === undefined || !heldGroups.has(group)),
    ],
    validation,
    test,
    description: `${how} by ${by}${strata ? ", stratified" : ""}, seed ${seed}${heldOut}`,
  };
}

/** Shares of labelled : unlabelled : test, such as 1:3:1, or of labelled : test, such as 4:1. @throws RangeError for others */
export function ratioShares(ratio: string): Record<string, number> {
  const names = ratio.split(":").length === 2 ? ["labelled", "test"] : ["labelled", "unlabelled", "test"];
  return parseRatio<string>(ratio, names);
}

function rated<R extends Row>(rows: readonly R[]): Rated<R>[] {
  return rows.filter((row): row is Rated<R> => row.mos !== undefined);
}

/**
 * One of several folds of equal size as the test part, the others to train on.
 * @throws RangeError for a fold that there is not; DatasetError as {@link split}
 */
function foldParts<R extends Row>(
  rows: readonly Rated<R>[],
  { folds, fold }: { readonly folds: number; readonly fold: number },
  drawing: Omit<SplitOptions<string, Rated<R>>, "parts">,
) {
  if (!(Number.isInteger(folds) && folds >= 2))
    throw new RangeError(`The \`folds\` must be a whole number of at least 2, got ${folds}.`);
  if (!(Number.isInteger(fold) && fold >= 1 && fold <= folds))
    throw new RangeError(`The \`fold\` must be a whole number from 1 to ${folds}, got ${fold}.`);
  const nameOf = (index: number) => `fold ${index + 1}`;
  const parts = Object.fromEntries(Array.from({ length: folds }, (_, i) => [nameOf(i), 1]));
  const drawn = split(rows, { parts, ...drawing });
  const { [nameOf(fold - 1)]: test, ...others } = drawn;
  return { training: Object.values(others).flat(), validation: [], test: test! };
}

/** How files call the parts of an official split. */
const partWords = { training: /^train/i, validation: /^(val|dev)/i, test: /^test/i };

function officialParts<R extends Row>(rows: readonly R[], words: OptionWords) {
  const parts = { training: [] as Rated<R>[], validation: [] as Rated<R>[], test: [] as Rated<R>[] };
  for (const [word, members] of officialSplit(rated(rows), words)) {
    const part = (Object.keys(partWords) as (keyof typeof partWords)[]).find((name) => partWords[name].test(word));
    if (!part) {
      throw new DatasetError(
        `The official split has a part "${word}" (${members.length} pictures, such as ${members[0]!.name}); expected are training, validation and test. Leave its rows out with ${words.exclude}.`,
      );
    }
    parts[part].push(...members);
  }
  for (const part of ["training", "test"] as const) {
    if (parts[part].length === 0) throw new DatasetError(`The official split has no ${part} part.`);
  }
  return parts;
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
export function withLabelNoise<R extends Rated<Row>>(
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
