import { z } from "zod";
import type { Companion } from "./companion-kind.ts";
import { foldsOf } from "./folds.ts";

/** How typical pictures are told from others. */
export const typicalityForm = z.strictObject({
  /** Photographs whose features it was made from. */
  photographs: z.int().min(2),
  /** Distances of such photographs from others, rising: quantiles in equal steps from the least to the greatest. */
  distances: z
    .array(z.number().min(0))
    .min(2)
    .max(10_001)
    .refine((all) => all.every((distance, i) => i === 0 || distance >= all[i - 1]!), "they rise"),
});

export type TypicalityFacts = z.output<typeof typicalityForm>;

/** From the most typical on. */
export const typicalityWords = ["typical", "unusual", "unlike"] as const;
export type TypicalityWord = (typeof typicalityWords)[number];

/** Pictures that fewer of the known photographs than such a share exceed are called so. */
const shares = { unusual: 0.03, unlike: 0.01 } as const;

/** Quantiles that are kept, in steps of 0.1 %. */
const steps = 1000;

/** Fewer photographs say nothing of the rarest of them. */
export const leastPhotographs = 50;

export function typicalityShapes(_: TypicalityFacts, featureLength: number) {
  return { mean: [featureLength], deviation: [featureLength] };
}

type Tensors = Companion["tensors"];

/**
 * How much a picture is like the photographs that a model knows, by the mean square of its feature's entries, each by the mean and deviation that
 * it has over those photographs.
 * @param feature pooled feature of the picture
 */
export function typicalityOf(
  feature: Float32Array,
  { distances }: TypicalityFacts,
  { mean, deviation }: Tensors,
): { share: number; word: TypicalityWord } {
  const distance = distanceOf(feature, mean!.data, deviation!.data);
  const share = 1 - shareBelow(distance, distances);
  return { share, word: share > shares.unusual ? "typical" : share > shares.unlike ? "unusual" : "unlike" };
}

/**
 * Learns from photographs what is typical. The distances are of photographs that were left out in turn.
 * @param features pooled features, of the same length
 * @throws RangeError for too few, and numbers that are not finite
 */
export function fitTypicality(features: readonly Float32Array[]): { facts: TypicalityFacts; tensors: Tensors } {
  expectPhotographs(features.length);
  const foldOf = foldsOf(features.length, "typicality");
  const distances = new Float64Array(features.length);
  for (const fold of new Set(foldOf)) {
    const { mean, deviation } = momentsOf(features.filter((_, i) => foldOf[i] !== fold));
    features.forEach((feature, i) => {
      if (foldOf[i] === fold) distances[i] = distanceOf(feature, mean, deviation);
    });
  }
  distances.sort();
  const { mean, deviation } = momentsOf(features);
  const shape = [mean.length];
  return {
    facts: { photographs: features.length, distances: quantilesOf(distances) },
    tensors: { mean: { shape, data: mean }, deviation: { shape, data: deviation } },
  };
}

/** @throws RangeError for fewer than {@link leastPhotographs} */
export function expectPhotographs(count: number): void {
  if (count >= leastPhotographs) return;
  throw new RangeError(
    `what is typical is learned from at least ${leastPhotographs} photographs, found ${count}; some hundreds of all kinds are better`,
  );
}

function momentsOf(features: readonly Float32Array[]): { mean: Float32Array; deviation: Float32Array } {
  const [first] = features;
  const mean = new Float64Array(first!.length);
  const square = new Float64Array(first!.length);
  for (const feature of features) for (let j = 0; j < mean.length; j++) mean[j]! += feature[j]! / features.length;
  for (const feature of features) {
    for (let j = 0; j < mean.length; j++) square[j]! += (feature[j]! - mean[j]!) ** 2 / features.length;
  }
  return { mean: Float32Array.from(mean), deviation: Float32Array.from(square, Math.sqrt) };
}

/** Mean of ((x − mean) / deviation)² over the entries; those that never change say nothing. */
export function distanceOf(feature: Float32Array, mean: Float32Array, deviation: Float32Array): number {
  let sum = 0;
  for (let j = 0; j < mean.length; j++) {
    if (deviation[j]! > 1e-6) sum += ((feature[j]! - mean[j]!) / deviation[j]!) ** 2;
  }
  return sum / mean.length;
}

/** Quantiles in equal steps, straight between sorted values. */
function quantilesOf(sorted: Float64Array): number[] {
  return Array.from({ length: steps + 1 }, (_, k) => {
    const at = (k * (sorted.length - 1)) / steps;
    const below = Math.floor(at);
    const next = sorted[Math.min(below + 1, sorted.length - 1)]!;
    return sorted[below]! + (at - below) * (next - sorted[below]!);
  });
}

/** Share of what quantiles stand for that lies below a value. */
function shareBelow(value: number, quantiles: readonly number[]): number {
  const last = quantiles.length - 1;
  const above = quantiles.findIndex((quantile) => quantile > value);
  if (above < 0) return 1;
  if (above === 0) return 0;
  const [from, to] = [quantiles[above - 1]!, quantiles[above]!];
  return (above - 1 + (value - from) / (to - from)) / last;
}
