import { withoutGradients } from "../../../engine/autograd.ts";
import { relu } from "../../../engine/ops/activations.ts";
import { softCrossEntropy, weightedMean } from "../../../engine/ops/losses.ts";
import { cosineSimilarity } from "../../../engine/ops/normalise-l2.ts";
import { Tensor } from "../../../engine/tensor.ts";
import type { StepLoss } from "../../training/method.ts";
import { agreement, type Guess } from "../parts/consistency.ts";
import { ones } from "../parts/constants.ts";

/** Figure: the mean cosine between what g makes of the two views, over all unlabelled pictures; 0 where they are orthogonal. */
export const cosine = "cosine between features of weak and strong views";
/** Figure: L_d. */
export const distance = "feature distance loss";
/** Figure: the share of turned views whose turn is told. */
export const told = "share of turns told";

/** How many turns there are to tell: by 0, 1, 2 and 3 quarters. */
export const turns = 4;

/**
 * L_d = (1/U) Σ_b k_b · max(0, cos(g(s_b), g(w_b))): views of one label are to have features apart, until they are orthogonal. In the
 * cosine lengths below 1e-8 count as 1e-8: with a feature of 0 it is 0, where the maximum has no slope.
 * @param weak [n, d], g of the weak views of some unlabelled pictures @param strong that of their strong ones
 * @param size U, unlabelled pictures in the batch
 */
export function distanceLoss(weak: Tensor, strong: Tensor, { mask }: Pick<Guess, "mask">, size: number): StepLoss {
  const cosines = cosineSimilarity(strong, weak);
  const loss = weightedMean(relu(cosines), mask, size);
  return {
    loss,
    figures: withoutGradients(() => ({ [cosine]: weightedMean(cosines, ones(cosines), size), [distance]: loss })),
  };
}

/**
 * L_r = (1/4V) Σ_j Σ_r −ln p_jr[r], p = softmax(logits): which turn each view shows.
 * @param logits [4 n, 4], of some further pictures: four rows each, turned by 0, 1, 2 and 3 quarters
 * @param size V, further pictures in the batch
 */
export function turnLoss(logits: Tensor, size: number): StepLoss {
  const shown = Float32Array.from({ length: logits.size }, (_, i) =>
    i % turns === Math.floor(i / turns) % turns ? 1 : 0,
  );
  const target = Tensor.constant(logits.device, shown, logits.shape);
  const lost = softCrossEntropy(logits, target);
  const mask = ones(lost);
  return {
    loss: weightedMean(lost, mask, turns * size),
    figures: withoutGradients(() => ({ [told]: agreement(logits, { target, mask }, turns * size) })),
  };
}
