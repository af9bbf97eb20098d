import { Random } from "../../engine/random.ts";
import { membersOf } from "../metrics/paired.ts";
import type { AdaptableHead } from "./adaptable-head.ts";
import { type Sample, type Sums, scaleFit, shareOf, solve, sumsOf, tiltFit, type Weights } from "./tilt-fit.ts";

/** Strengths that are tried, from none to speak of to nothing but a change of scale. */
export const strengths: readonly number[] = Array.from({ length: 13 }, (_, i) => 10 ** (-5 + i / 2));

/** Parts of pictures by lot; those of one group are in one part. @returns places in each part */
export function partsOf(groups: readonly (string | number)[], parts: number, name: string): number[][] {
  const random = new Random(1, name);
  const all = membersOf(groups).map((places) => ({ places, lot: random.integer(2 ** 30) }));
  // The largest groups first, each into the part that has fewest.
  all.sort((a, b) => b.places.length - a.places.length || a.lot - b.lot);
  const found: number[][] = Array.from({ length: parts }, () => []);
  for (const { places } of all) {
    found.reduce((least, part) => (part.length < least.length ? part : least)).push(...places);
  }
  return found.filter((part) => part.length > 0);
}

/**
 * The strength by cross-validation among pictures, with the rule of one standard error: the greatest whose error is not more than one
 * standard error above the least. The fit is linear at the change of scale, so that sums of parts add up.
 */
export function chooseStrength(
  head: AdaptableHead,
  samples: readonly Sample[],
  groups: readonly (string | number)[],
  name: string,
): number {
  const start = scaleFit(head, samples);
  const parts = partsOf(groups, 5, name).map((places) => places.map((i) => samples[i]!));
  const sums = parts.map((part) => sumsOf(head, part, start));
  const total = added(sums);
  const errors = strengths.map((strength) => {
    return parts.flatMap((part, i) => {
      const weights = solve(without(total, sums[i]!), strength);
      return part.map((sample) => (shareOf(head, sample, weights) - sample.target) ** 2);
    });
  });
  const means = errors.map((all) => all.reduce((sum, value) => sum + value, 0) / all.length);
  const least = means.indexOf(Math.min(...means));
  const deviation = Math.sqrt(
    errors[least]!.reduce((sum, value) => sum + (value - means[least]!) ** 2, 0) / (samples.length - 1),
  );
  const limit = means[least]! + deviation / Math.sqrt(samples.length);
  return strengths[means.findLastIndex((mean) => mean <= limit)]!;
}

const added = (all: readonly Sums[]): Sums => ({
  gram: all.slice(1).reduce((sum, { gram }) => sum.map((value, i) => value + gram[i]!), all[0]!.gram),
  right: all.slice(1).reduce((sum, { right }) => sum.map((value, i) => value + right[i]!), all[0]!.right),
});

const without = (total: Sums, part: Sums): Sums => ({
  gram: total.gram.map((value, i) => value - part.gram[i]!),
  right: total.right.map((value, i) => value - part.right[i]!),
});

/** The fit of some pictures, its strength chosen among them alone. */
export function fit(
  head: AdaptableHead,
  samples: readonly Sample[],
  groups: readonly (string | number)[],
  name: string,
): { readonly weights: Weights; readonly strength: number } {
  const strength = chooseStrength(head, samples, groups, name);
  return { weights: tiltFit(head, samples, strength), strength };
}

/**
 * Scores of pictures by fits that have not seen them, their group, or chosen anything by them, as shares of the scale: the mean over
 * repeats with other parts.
 * @param share of the other pictures that each fit learns from, for a learning curve
 */
export function heldOut(
  head: AdaptableHead,
  samples: readonly Sample[],
  groups: readonly (string | number)[],
  { repeats, share = 1, parts = 5 }: { readonly repeats: number; readonly share?: number; readonly parts?: number },
): { readonly scores: Float64Array; readonly learned: number } {
  const scores = new Float64Array(samples.length);
  let [learned, fits] = [0, 0];
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const held of partsOf(groups, parts, `adapt ${repeat}`)) {
      const isHeld = new Set(held);
      const rest = samples.map((_, i) => i).filter((i) => !isHeld.has(i));
      const chosen = share < 1 ? some(rest, groups, share, `curve ${repeat} ${held[0]}`) : rest;
      const own = chosen.map((i) => samples[i]!);
      const ownGroups = chosen.map((i) => groups[i]!);
      const { weights } = fit(head, own, ownGroups, `strength ${repeat} ${held[0]}`);
      for (const i of held) scores[i]! += shareOf(head, samples[i]!, weights) / repeats;
      learned += chosen.length;
      fits++;
    }
  }
  return { scores, learned: learned / fits };
}

/** About a share of places, whole groups. */
function some(places: readonly number[], groups: readonly (string | number)[], share: number, name: string): number[] {
  const order = partsOf(
    places.map((i) => groups[i]!),
    Math.max(2, Math.min(40, places.length)),
    name,
  ).map((part) => part.map((i) => places[i]!));
  const found: number[] = [];
  for (const part of order) if (found.length < share * places.length) found.push(...part);
  return found;
}
