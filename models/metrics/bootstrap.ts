import { expectNames } from "../../engine/arguments.ts";
import { Random } from "../../engine/random.ts";
import { checkPairs, type Scores } from "./pairs.ts";

/** A measure with the ends of its confidence interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  /** Share of draws whose measure lies in the interval. @default 0.95 */
  readonly level?: number;
  /** Draws, at least 20. @default 2000 */
  readonly repeats?: number;
  /** @default 1 */
  readonly seed?: number;
}

const names = { level: true, repeats: true, seed: true } satisfies Record<keyof BootstrapOptions, true>;

/** Fewer pairs say nothing about their spread. */
const fewestPairs = 10;

/**
 * Confidence interval of a measure by the percentile bootstrap (Efron & Tibshirani 1993, chapter 13): the pictures are drawn
 * anew, with replacement, and the measure taken of each draw. The same seed gives the same interval.
 * @param measure of predicted and true scores, such as `srcc`
 * @returns the interval, or undefined for fewer than 10 pairs or when more than half of the draws leave the measure undefined
 * @throws MetricError as `checkPairs` says; RangeError when level or repeats mean nothing
 */
export function bootstrapInterval(
  predicted: Scores,
  mos: Scores,
  measure: (predicted: Float64Array, mos: Float64Array) => number,
  options: BootstrapOptions = {},
): Interval | undefined {
  expectNames("bootstrapInterval", options, names);
  const { level = 0.95, repeats = 2000, seed = 1 } = options;
  checkPairs(predicted, mos, 2);
  if (!(level > 0 && level < 1)) throw new RangeError(`the level of an interval is between 0 and 1, got ${level}`);
  if (!Number.isInteger(repeats) || repeats < 20)
    throw new RangeError(`a bootstrap needs at least 20 repeats, got ${repeats}`);
  const n = predicted.length;
  if (n < fewestPairs) return undefined;
  const random = new Random(seed, "bootstrap");
  const drawn: [Float64Array, Float64Array] = [new Float64Array(n), new Float64Array(n)];
  const values: number[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (let i = 0; i < n; i++) {
      const at = random.integer(n);
      drawn[0][i] = predicted[at]!;
      drawn[1][i] = mos[at]!;
    }
    const value = measure(...drawn);
    if (Number.isFinite(value)) values.push(value);
  }
  if (values.length < repeats / 2) return undefined;
  const sorted = Float64Array.from(values).sort();
  return { low: quantile(sorted, (1 - level) / 2), high: quantile(sorted, (1 + level) / 2) };
}

/** Quantile of sorted values, linear between neighbours. */
export function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (at - below) * (sorted[above]! - sorted[below]!);
}
