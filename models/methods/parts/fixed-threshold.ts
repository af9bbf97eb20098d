import { z } from "zod";
import { withoutGradients } from "../../../engine/autograd.ts";
import { softmax } from "../../../engine/ops/softmax.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import { positive, share } from "../../options.ts";
import type { StepLoss } from "../../training/method.ts";
import { confident, type Guess, hard, learnt, sharpened, smoothed } from "./consistency.ts";
import { constant } from "./constants.ts";

/** Options of a fixed threshold. */
export const thresholdShape = {
  threshold: share.default(0.95).describe("τ: least probability of a pseudo-label that counts"),
  pseudoLabels: z
    .enum(["hard", "soft"])
    .default("hard")
    .describe("what unlabelled pictures learn: the most probable class, or the probabilities"),
  temperature: positive.default(0.5).describe("with soft pseudo-labels: what their logits are divided by"),
};

export interface FixMatchLoss {
  /** τ: the least probability of a pseudo-label that counts. */
  readonly threshold: number;
  /** λ. */
  readonly unlabelledWeight: number;
  /** σ of {@link smoothed}. */
  readonly ordinal?: number | undefined;
  readonly pseudoLabels: "hard" | "soft";
  /** T, of soft pseudo-labels. */
  readonly temperature: number;
}

/**
 * Pseudo-labels by the weak views: k_b = 1[max q_b ≥ τ], q = softmax(z); the target is argmax q_b or, with soft ones,
 * softmax(z / T). weak: [U, m]. Nothing here has a gradient.
 */
export function guess(weak: Tensor, { threshold, pseudoLabels, temperature, ordinal }: FixMatchLoss): Guess {
  return withoutGradients(() => {
    const q = softmax(weak);
    const mask = confident(q, constant(weak, threshold));
    if (pseudoLabels === "soft") return { target: sharpened(weak, temperature), mask };
    const target = hard(q);
    return { target, mask, ...smoothed(target, ordinal) };
  });
}

/**
 * λ (1/U) Σ_b k_b · −ln p_b[argmax q_b], p = softmax(strong) (Sohn et al. 2020, "FixMatch", Eq. 4).
 * @param weak logits [n, m] of the weak views of some unlabelled pictures @param strong those of their strong ones
 * @param size U, unlabelled pictures in the batch
 */
export function unlabelledLoss(weak: Tensor, strong: Tensor, size: number, options: FixMatchLoss): StepLoss {
  return learnt(strong, guess(weak, options), size, options.unlabelledWeight);
}
