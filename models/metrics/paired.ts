import { expectNames } from "../../engine/arguments.ts";
import { Random } from "../../engine/random.ts";
import { quantile } from "./bootstrap.ts";

/** A measure of two predictors of the same pictures. */
export interface PairedDifference {
  readonly before: number;
  readonly after: number;
  /** `after` less `before`. */
  readonly difference: number;
  /** Ends of the paired 95 % interval of the difference; absent where it cannot be made. */
  readonly interval?: readonly [number, number];
}

/** Scores by two predictors and the true ones, of the same pictures in the same order. */
export interface PairedScores {
  readonly before: Float64Array;
  readonly after: Float64Array;
  readonly truth: Float64Array;
}

const names = { groups: true, repeats: true, seed: true } as const;

/**
 * A measure of two predictors, with the percentile interval of the paired bootstrap of their difference: pictures are drawn anew, with
 * replacement, and both measured on each draw.
 * @param measure of predicted and true scores, such as `srcc`
 * @param options.groups of each picture, such as its scene: groups are drawn whole. Each picture is one of its own unless given
 * @param options.repeats draws, 1000 unless given
 * @param options.seed 1 unless given; the same seed gives the same interval
 * @returns no interval when more than half of the draws leave the measure undefined, as those of one group do
 */
export function pairedDifference(
  measure: (predicted: Float64Array, truth: Float64Array) => number,
  { before, after, truth }: PairedScores,
  options: { readonly groups?: readonly (string | number)[]; readonly repeats?: number; readonly seed?: number } = {},
): PairedDifference {
  expectNames("pairedDifference", options, names);
  const { groups = [...truth.keys()], repeats = 1000, seed = 1 } = options;
  if (before.length !== truth.length || after.length !== truth.length || groups.length !== truth.length)
    throw new RangeError(
      `pairedDifference: ${truth.length} pictures have ${before.length} and ${after.length} scores and ${groups.length} groups`,
    );
  const all = membersOf(groups);
  const random = new Random(seed, "paired bootstrap");
  const differences: number[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    const places = all.flatMap(() => all[random.integer(all.length)]!);
    const of = (values: Float64Array) => Float64Array.from(places, (i) => values[i]!);
    const drawn = of(truth);
    const difference = measure(of(after), drawn) - measure(of(before), drawn);
    if (Number.isFinite(difference)) differences.push(difference);
  }
  const sorted = Float64Array.from(differences).sort();
  const [a, b] = [measure(after, truth), measure(before, truth)];
  const known = all.length > 1 && sorted.length > repeats / 2;
  return {
    before: b,
    after: a,
    difference: a - b,
    ...(known && { interval: [quantile(sorted, 0.025), quantile(sorted, 0.975)] as const }),
  };
}

/** Places of the members of each group. */
export function membersOf(groups: readonly (string | number)[]): number[][] {
  return [...Map.groupBy(groups.keys(), (i) => groups[i]!).values()];
}
