import { expectNames } from "../../engine/arguments.ts";
import { Random } from "../../engine/random.ts";
import { MetricError, type Scores } from "../metrics/pairs.ts";
import { averageRanks } from "../metrics/rank.ts";

export interface ThresholdOptions {
  /** Choose the highest threshold below which at most this share of the good pictures lies, 0 to 1, instead of the balanced one. */
  readonly maxFalseAlarms?: number;
  /** Of the folds. @default 1 */
  readonly seed?: number;
}

const names = { maxFalseAlarms: true, seed: true } satisfies Record<keyof ThresholdOptions, true>;

/** A threshold between bad and good pictures, and how well it separates them. */
export interface Threshold {
  /** Pictures of a lower score are taken for bad ones. */
  readonly threshold: number;
  /** Pictures that it was chosen from. */
  readonly good: number;
  readonly bad: number;
  /** Probability that a good picture has a higher score than a bad one, ties counting half, with its 95 % interval by DeLong et al. 1988. */
  readonly auc: { readonly value: number; readonly low: number; readonly high: number };
  /** Of the pictures themselves, which are too kind to it: shares of good ones below the threshold, and of bad ones not below it. */
  readonly own: Errors;
  /** By cross-validation: each picture judged by a threshold that was chosen without its fold; pooled. */
  readonly crossValidated: Errors & { readonly folds: number };
  /** Whether good pictures have higher scores than bad ones beyond chance: the interval of the AUC lies above one half. */
  readonly separates: boolean;
}

export interface Errors {
  /** Share of the good pictures that are taken for bad. */
  readonly falseAlarms: number;
  /** Share of the bad pictures that are taken for good. */
  readonly misses: number;
  /** Mean of the two. */
  readonly balancedError: number;
}

/** Fewer say nothing of an interval, and leave folds without one kind. */
export const fewestOfKind = 5;

/**
 * The score below which pictures are to be taken for bad. Balanced, it has the least mean of the share of good pictures below it and of bad ones that are not
 * (Youden 1950); of several such the middle of the widest gap between two scores. Every threshold is the middle between neighbouring scores.
 * @param good scores of good pictures, higher is better; at least {@link fewestOfKind} @param bad of bad ones
 * @throws MetricError for too few or scores that are not finite; RangeError for a share that is none
 */
export function findThreshold(good: Scores, bad: Scores, options: ThresholdOptions = {}): Threshold {
  expectNames("findThreshold", options, names);
  const { maxFalseAlarms, seed = 1 } = options;
  if (maxFalseAlarms !== undefined && !(maxFalseAlarms >= 0 && maxFalseAlarms < 1))
    throw new RangeError(`\`maxFalseAlarms\` is a share from 0 to below 1, got ${maxFalseAlarms}`);
  for (const [word, scores] of [
    ["good", good],
    ["bad", bad],
  ] as const) {
    if (scores.length < fewestOfKind)
      throw new MetricError(`a threshold needs at least ${fewestOfKind} ${word} pictures, found ${scores.length}`);
    if (!Array.from(scores).every(Number.isFinite))
      throw new MetricError(`a score of the ${word} pictures is not finite`);
  }
  const threshold = chosen(good, bad, maxFalseAlarms);
  const auc = areaUnderCurve(good, bad);
  return {
    threshold,
    good: good.length,
    bad: bad.length,
    auc,
    own: errorsAt(threshold, good, bad),
    crossValidated: crossValidated(good, bad, { maxFalseAlarms, seed }),
    separates: auc.low > 0.5,
  };
}

/** Number of scores of a rising list that are below a value. */
function below(sorted: Float64Array, value: number): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (sorted[middle]! < value) from = middle + 1;
    else to = middle;
  }
  return from;
}

function chosen(good: Scores, bad: Scores, maxFalseAlarms: number | undefined): number {
  const [sortedGood, sortedBad] = [Float64Array.from(good).sort(), Float64Array.from(bad).sort()];
  const all = Float64Array.from([...sortedGood, ...sortedBad]).sort();
  let best = { threshold: all[0]!, error: Number.POSITIVE_INFINITY, gap: 0 };
  for (let i = 0; i < all.length; i++) {
    // Below the least score none is taken for bad.
    const gap = i === 0 ? 0 : all[i]! - all[i - 1]!;
    if (i > 0 && gap === 0) continue;
    const threshold = i === 0 ? all[0]! : readable(all[i - 1]!, all[i]!);
    const falseAlarms = below(sortedGood, threshold) / good.length;
    const misses = 1 - below(sortedBad, threshold) / bad.length;
    if (maxFalseAlarms !== undefined) {
      if (falseAlarms <= maxFalseAlarms) best = { threshold, error: misses, gap };
      continue;
    }
    const error = (falseAlarms + misses) / 2;
    // Sums of shares differ by rounding where they are the same.
    if (error < best.error - 1e-12 || (error < best.error + 1e-12 && gap > best.gap)) best = { threshold, error, gap };
  }
  return best.threshold;
}

/** A number above a and not above b, near their middle, in as few digits as need be. */
function readable(a: number, b: number): number {
  const middle = a + (b - a) / 2;
  for (let digits = 1; digits <= 17; digits++) {
    const rounded = Number(middle.toPrecision(digits));
    // Within the middle half of the gap: a hair's breadth from a score is no threshold.
    if (Math.abs(rounded - middle) <= (b - a) / 4 && rounded > a && rounded <= b) return rounded;
  }
  return b;
}

function errorsAt(threshold: number, good: Scores, bad: Scores): Errors {
  return errorsOf(
    Array.from(good, (score) => score < threshold),
    Array.from(bad, (score) => score < threshold),
  );
}

/** @param good whether each good picture was taken for a bad one @param bad the same of the bad ones */
function errorsOf(good: readonly boolean[], bad: readonly boolean[]): Errors {
  const share = (taken: readonly boolean[]) => taken.filter(Boolean).length / taken.length;
  const [falseAlarms, misses] = [share(good), 1 - share(bad)];
  return { falseAlarms, misses, balancedError: (falseAlarms + misses) / 2 };
}

const mostFolds = 10;

function crossValidated(
  good: Scores,
  bad: Scores,
  { maxFalseAlarms, seed }: { readonly maxFalseAlarms: number | undefined; readonly seed: number },
): Errors & { readonly folds: number } {
  const folds = Math.min(mostFolds, good.length, bad.length);
  const [foldOfGood, foldOfBad] = [good.length, bad.length].map((count, kind) => {
    const fold = Array.from({ length: count }, (_, i) => i % folds);
    const random = new Random(seed, `threshold ${kind}`);
    for (let i = count - 1; i > 0; i--) {
      const j = random.integer(i + 1);
      [fold[i], fold[j]] = [fold[j]!, fold[i]!];
    }
    return fold;
  }) as [number[], number[]];
  const [takenGood, takenBad] = [new Array<boolean>(good.length), new Array<boolean>(bad.length)];
  for (let fold = 0; fold < folds; fold++) {
    const others = (scores: Scores, of: readonly number[]) => Array.from(scores).filter((_, i) => of[i] !== fold);
    const threshold = chosen(others(good, foldOfGood), others(bad, foldOfBad), maxFalseAlarms);
    foldOfGood.forEach((own, i) => {
      if (own === fold) takenGood[i] = good[i]! < threshold;
    });
    foldOfBad.forEach((own, i) => {
      if (own === fold) takenBad[i] = bad[i]! < threshold;
    });
  }
  return { ...errorsOf(takenGood, takenBad), folds };
}

/** Two-sided 95 % of a normal distribution. */
const z = 1.959963984540054;

/**
 * Area under the receiver operating characteristic by mid-ranks, with its variance from the placements of each picture among the other
 * kind (DeLong, DeLong & Clarke-Pearson 1988, in the form of Sun & Xu 2014). The interval is made of the logit, so that it stays within 0 to 1; where no
 * picture is misplaced and there is no spread, it reaches as far as the rule of three says: 3 / min(m, n).
 */
export function areaUnderCurve(good: Scores, bad: Scores): { value: number; low: number; high: number } {
  const [m, n] = [good.length, bad.length];
  const all = averageRanks([...Array.from(good), ...Array.from(bad)]);
  const [ofGood, ofBad] = [averageRanks(good), averageRanks(bad)];
  const placedGood = Float64Array.from({ length: m }, (_, i) => (all[i]! - ofGood[i]!) / n);
  const placedBad = Float64Array.from({ length: n }, (_, j) => 1 - (all[m + j]! - ofBad[j]!) / m);
  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = (values: Float64Array) => {
    const centre = mean(values);
    return values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1);
  };
  const value = mean(placedGood);
  const deviation = Math.sqrt(variance(placedGood) / m + variance(placedBad) / n);
  if (deviation === 0 || value <= 0 || value >= 1) {
    // Rule of three: an event that was not seen in k trials has a probability below 3 / k with 95 %.
    const reach = Math.min(1, 3 / Math.min(m, n));
    return { value, low: Math.max(0, value - reach), high: Math.min(1, value + reach) };
  }
  const centre = Math.log(value / (1 - value));
  const half = (z * deviation) / (value * (1 - value));
  const back = (x: number) => 1 / (1 + Math.exp(-x));
  return { value, low: back(centre - half), high: back(centre + half) };
}
