import { withoutGradients } from "../../../engine/autograd.ts";
import { add, subtract } from "../../../engine/ops/arithmetic.ts";
import { softCrossEntropy } from "../../../engine/ops/losses.ts";
import { mean } from "../../../engine/ops/reduce.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { softmax } from "../../../engine/ops/softmax.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import type { HostArray, StepLoss } from "../../training/method.ts";
import { agreement, confident, hard, learnt } from "../parts/consistency.ts";
import { constant } from "../parts/constants.ts";

/** Figure: of the ordered pairs of labelled pictures with unlike scores, the share that the ranking head has in their order. */
export const inOrder = "share of labelled pairs in their order";

/** Logits of all ordered pairs: row n i + j is a_j − a_i, whose first class is "j is the better one". a: [n, 2] → [n², 2]. */
export function pairLogits(a: Tensor): Tensor {
  const n = a.shape[0]!;
  return reshape(subtract(reshape(a, [1, n, 2]), reshape(a, [n, 1, 2])), [n * n, 2]);
}

/**
 * What pairs of pictures with scores y are to be called: row n i + j of `order`, [n², 2], is t, 1 − t with t = (1 + sign(y_j − y_i)) / 2,
 * so that equal ones have ½. `unlike`, [n²], is 1 over their number for pairs with unlike scores, else 0.
 */
export function pairTargets(y: readonly number[]): Readonly<Record<"order" | "unlike", HostArray>> {
  const signs = y.flatMap((first) => y.map((second) => Math.sign(second - first)));
  const count = signs.filter((sign) => sign !== 0).length;
  return {
    order: {
      data: Float32Array.from(signs.flatMap((sign) => [(1 + sign) / 2, (1 - sign) / 2])),
      shape: [signs.length, 2],
    },
    unlike: { data: Float32Array.from(signs, (sign) => (sign === 0 ? 0 : 1 / count)), shape: [signs.length] },
  };
}

export interface PairOptions {
  /** τ. */
  readonly threshold: number;
  /** λ. */
  readonly unlabelledWeight: number;
}

/** What the ranking head gives of labelled pictures, [n, 2], and what {@link pairTargets} gave, on the device. */
export interface LabelledPairs {
  readonly a: Tensor;
  readonly order: Tensor;
  readonly unlike: Tensor;
}

/**
 * ARC: the mean over all n² ordered labelled pairs of −Σ_c t_c ln p_c, and λ times FixMatch on the unlabelled pairs: those of which the weak
 * views are sure, max softmax ≥ τ, are learnt on the strong ones, in the mean over all pairs. The pair of a picture with itself is ln 2, has no
 * gradient, and is sure of nothing while τ > ½.
 * @param labelled absent when none of the batch's could be read
 * @param weak [U, 2], what the ranking head gives of the weak views @param strong of the strong views of the same pictures
 */
export function pairLoss(
  labelled: LabelledPairs | undefined,
  weak: Tensor,
  strong: Tensor,
  { threshold, unlabelledWeight }: PairOptions,
): StepLoss {
  const guess = withoutGradients(() => {
    const q = softmax(pairLogits(weak));
    return { target: hard(q), mask: confident(q, constant(q, threshold)) };
  });
  const unlabelled = learnt(pairLogits(strong), guess, guess.mask.size, unlabelledWeight);
  if (!labelled) return unlabelled;
  const logits = pairLogits(labelled.a);
  const { order, unlike } = labelled;
  return {
    loss: add(mean(softCrossEntropy(logits, order)), unlabelled.loss),
    figures: {
      ...unlabelled.figures,
      [inOrder]: withoutGradients(() => agreement(logits, { target: order, mask: unlike }, 1)),
    },
  };
}
