import { z } from "zod";
import { quantile } from "../metrics/bootstrap.ts";
import { percentileOfQuantiles } from "../metrics/percentile.ts";
import type { Companion, CompanionKind } from "./companion-kind.ts";

const referenceForm = z.strictObject({
  /** Which pictures, in words. */
  of: z.string().min(1).max(1000),
  pictures: z.int().min(2),
  /** Their scores, rising: quantiles in equal steps from the least to the greatest. */
  quantiles: z
    .array(z.number())
    .min(2)
    .max(10_001)
    .refine((all) => all.every((score, i) => i === 0 || score >= all[i - 1]!), "they rise"),
});

/** Scores that a model gave to known pictures, by which the place of another is told. */
export type ReferenceFacts = z.output<typeof referenceForm>;

export type Reference = Companion<ReferenceFacts>;

export const referenceKind: CompanionKind<ReferenceFacts> = {
  form: referenceForm,
  shapes: () => ({}),
  fault: ({ quantiles }, { range: [low, high] }) =>
    quantiles[0]! >= low && quantiles.at(-1)! <= high
      ? undefined
      : `its scores go from ${quantiles[0]} to ${quantiles.at(-1)}, the model's from ${low} to ${high}`,
  readsFeature: () => false,
};

/** Quantiles that are kept, in steps of 1 %. */
const steps = 100;

/** Scores of fewer pictures are no distribution to compare with. */
export const leastReference = 50;

/** What is kept of the scores of pictures. @param of which pictures, in words @throws RangeError for fewer than {@link leastReference} */
export function referenceOf(scores: readonly number[], of: string): ReferenceFacts {
  if (scores.length < leastReference)
    throw new RangeError(`a reference needs the scores of at least ${leastReference} pictures, found ${scores.length}`);
  const sorted = Float64Array.from(scores).sort();
  const quantiles = Array.from({ length: steps + 1 }, (_, k) => Number(quantile(sorted, k / steps).toPrecision(6)));
  return { of, pictures: scores.length, quantiles };
}

/** Place of a score among those of the reference, 0 to 100. */
export function referencePercentile(score: number, { quantiles }: ReferenceFacts): number {
  return percentileOfQuantiles(score, quantiles);
}
