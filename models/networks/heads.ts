import { softmax } from "../../engine/ops/softmax.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { PictureError } from "../data/index.ts";

/** Logits → distributions over the score set, [N, m]. */
export const distributions = ({ logits }: { readonly logits: Tensor }) => softmax(logits);

/** A distribution. @throws PictureError "no-score" when its entries are not finite or do not add up to 1 */
export function checked(distribution: Float32Array, name: string): Float32Array {
  const sum = distribution.reduce((total, share) => total + share, 0);
  if (Math.abs(sum - 1) <= 1e-3) return distribution;
  const wrong = distribution.filter((share) => !Number.isFinite(share)).length;
  const found = wrong > 0 ? `${wrong} of ${distribution.length} are not finite` : `they add up to ${sum}`;
  throw new PictureError(name, "no-score", `The model gives it no probabilities: ${found}.`);
}

/** Mean of distributions, element by element. */
export function meanOf(distributions: readonly Float32Array[]): Float32Array {
  return Float32Array.from(distributions[0]!, (_, j) => {
    let sum = 0;
    for (const distribution of distributions) sum += distribution[j]!;
    return sum / distributions.length;
  });
}
