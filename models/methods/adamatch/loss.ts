import { withoutGradients } from "../../../engine/autograd.ts";
import { mean } from "../../../engine/ops/reduce.ts";
import { softmax } from "../../../engine/ops/softmax.ts";
import { scale } from "../../../engine/ops/unary.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import type { StepLoss } from "../../training/method.ts";
import type { Alignment } from "../parts/alignment.ts";
import { confident, type Guess, hard, largest, learnt, smoothed } from "../parts/consistency.ts";
import { constant } from "../parts/constants.ts";

/** Figure: the least probability of an aligned guess that counts. */
export const threshold = "threshold";

export interface AdaMatchLoss {
  /** τ: what the confidence on labelled pictures is multiplied with. */
  readonly threshold: number;
  /** λ. */
  readonly unlabelledWeight: number;
  /** σ of {@link smoothed}. */
  readonly ordinal?: number | undefined;
}

/**
 * Guesses by the weak views: q̃ = q aligned, c = τ · mean of max q_l over the labelled pictures, k_b = 1[max q̃_b ≥ c], and the target is
 * argmax q̃_b. Moves the alignment on, before it is used. A batch without labelled pictures has c = τ. Nothing here has a gradient.
 * @param labelled [L, m], logits of the weak views of the labelled pictures @param weak [U, m], those of the unlabelled ones
 */
export function guess(
  labelled: Tensor | undefined,
  weak: Tensor,
  alignment: Alignment,
  { threshold: tau, ordinal }: Pick<AdaMatchLoss, "threshold" | "ordinal">,
): Guess & { readonly least: Tensor } {
  return withoutGradients(() => {
    const known = labelled && softmax(labelled);
    const aligned = alignment.aligned(softmax(weak), known);
    const least = known ? scale(mean(largest(known)), tau) : constant(weak, tau);
    const target = hard(aligned);
    return { target, mask: confident(aligned, least), least, ...smoothed(target, ordinal) };
  });
}

/**
 * λ (1/U) Σ_b k_b · −ln p_b[argmax q̃_b] (Berthelot et al. 2022, "AdaMatch").
 * @param labelled, weak as {@link guess} takes them @param strong [U, m], logits of the strong views of the same pictures
 */
export function unlabelledLoss(
  labelled: Tensor | undefined,
  weak: Tensor,
  strong: Tensor,
  alignment: Alignment,
  options: AdaMatchLoss,
): StepLoss {
  const guessed = guess(labelled, weak, alignment, options);
  return learnt(strong, guessed, weak.shape[0]!, options.unlabelledWeight, () => ({ [threshold]: guessed.least }));
}
