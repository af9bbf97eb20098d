import { withoutGradients } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { divide, subtract } from "../../../engine/ops/arithmetic.ts";
import { mean, sum } from "../../../engine/ops/reduce.ts";
import { softmax } from "../../../engine/ops/softmax.ts";
import { clamp, exp, scale, square } from "../../../engine/ops/unary.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import type { StepLoss } from "../../training/method.ts";
import type { Alignment } from "../parts/alignment.ts";
import { type Guess, hard, largest, learnt, smoothed } from "../parts/consistency.ts";
import { DeviceState, filled, towards } from "../parts/state.ts";

const threshold = "mean confidence";
const variance = "variance of the confidence";
/** Names of the figures. */
export const figures = [threshold, variance];

export interface SoftMatchLoss {
  /** ρ. */
  readonly momentum: number;
  /** n: standard deviations below the mean at which a weight is e^−½. */
  readonly deviations: number;
  /** λ. */
  readonly unlabelledWeight: number;
  /** σ of {@link smoothed}. */
  readonly ordinal?: number | undefined;
}

/** μ and σ², mean and variance of the confidence so far; they start at 1/C and 1. */
export type SoftMatchState = DeviceState<"mean" | "variance">;

export function softMatchState(device: Device, levels: number): SoftMatchState {
  return new DeviceState(device, "softmatch", { mean: filled(1 / levels, [1]), variance: filled(1, [1]) });
}

/**
 * Guesses by the weak views: x_b = max q̃_b with q̃ the aligned guess; μ and σ² move on by the batch's mean and unbiased variance of x;
 * the weight is exp(−n² min(0, x_b − μ)² / 2σ²). The target is argmax q_b, not aligned. A single picture has no variance.
 * @param labelled [L, m], logits of labelled pictures, for the alignment @param weak [U, m]. Nothing here has a gradient.
 */
export function guess(
  labelled: Tensor | undefined,
  weak: Tensor,
  alignment: Alignment,
  state: SoftMatchState,
  { momentum, deviations: n, ordinal }: SoftMatchLoss,
): Guess {
  return withoutGradients(() => {
    const q = softmax(weak);
    const x = largest(alignment.aligned(q, labelled && softmax(labelled)));
    const centre = mean(x);
    const spread = () => scale(sum(square(subtract(x, centre))), 1 / (x.size - 1));
    state.move({
      mean: towards(state.get("mean"), centre, 1 - momentum),
      ...(x.size > 1 && { variance: towards(state.get("variance"), spread(), 1 - momentum) }),
    });
    const below = square(clamp(subtract(x, state.get("mean")), Number.NEGATIVE_INFINITY, 0));
    // A network that is equally sure of everything for ever has no variance left.
    const relative = divide(below, clamp(state.get("variance"), 1e-12, Number.POSITIVE_INFINITY));
    const target = hard(q);
    return { target, mask: exp(scale(relative, (-n * n) / 2)), ...smoothed(target, ordinal) };
  });
}

/**
 * λ (1/U) Σ_b weight_b · −ln p_b[argmax q_b] (Chen et al. 2023, "SoftMatch").
 * @param labelled, weak as {@link guess} takes them @param strong [U, m], logits of the strong views of the same pictures
 */
export function unlabelledLoss(
  labelled: Tensor | undefined,
  weak: Tensor,
  strong: Tensor,
  alignment: Alignment,
  state: SoftMatchState,
  options: SoftMatchLoss,
): StepLoss {
  const guessed = guess(labelled, weak, alignment, state, options);
  return learnt(strong, guessed, weak.shape[0]!, options.unlabelledWeight, () => ({
    [threshold]: scale(state.get("mean"), 1),
    [variance]: scale(state.get("variance"), 1),
  }));
}
