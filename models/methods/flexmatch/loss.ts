import { withoutGradients } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { divide, subtract } from "../../../engine/ops/arithmetic.ts";
import { pad, slice } from "../../../engine/ops/join.ts";
import { mean, sum } from "../../../engine/ops/reduce.ts";
import { softmax } from "../../../engine/ops/softmax.ts";
import { topK } from "../../../engine/ops/top-k.ts";
import { clamp, scale } from "../../../engine/ops/unary.ts";
import { writeRows } from "../../../engine/ops/write-rows.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import type { StepLoss } from "../../training/method.ts";
import { byClass, classFigures, confident, type Guess, hard, learnt, ofClass, smoothed } from "../parts/consistency.ts";
import { constant } from "../parts/constants.ts";
import { DeviceState } from "../parts/state.ts";

const threshold = "threshold";

/** Names of the figures. */
export const figuresOf = (levels: number) => [threshold, ...classFigures(threshold, levels)];

export interface FlexMatchLoss {
  /** τ. */
  readonly threshold: number;
  /** Whether pictures without a guess count as a class when the most frequent one is looked for. */
  readonly thresholdWarmUp: boolean;
  /** λ. */
  readonly unlabelledWeight: number;
  /** σ of {@link smoothed}. */
  readonly ordinal?: number | undefined;
}

/** The last confident guess for each unlabelled picture, [pictures, 1 + m]: one-hot rows, the first column standing for none yet. */
export type FlexMatchState = DeviceState<"guesses">;

export function flexMatchState(device: Device, pictures: number, levels: number): FlexMatchState {
  const data = new Float32Array(pictures * (levels + 1));
  for (let row = 0; row < pictures; row++) data[row * (levels + 1)] = 1;
  return new DeviceState(device, "flexmatch", { guesses: { data, shape: [pictures, levels + 1] } });
}

/**
 * Guesses by the weak views. n_c pictures have c as their last confident guess, n_0 none; β_c = n_c / max(n_0, n_1 … n_m), and
 * k_b = 1[max q_b ≥ τ β / (2 − β)] with β of argmax q_b. Then pictures with max q_b ≥ τ have argmax q_b as their last one.
 * @param weak [U, m] logits @param pictures u32 [U], their rows in the state. Nothing here has a gradient.
 */
export function guess(
  weak: Tensor,
  pictures: Tensor,
  state: FlexMatchState,
  { threshold: tau, thresholdWarmUp, ordinal }: FlexMatchLoss,
): Guess & { readonly least: Tensor } {
  return withoutGradients(() => {
    const levels = weak.shape[1]!;
    const q = softmax(weak);
    const target = hard(q);
    const guesses = state.get("guesses");
    const counts = sum(guesses, 0);
    const ofClasses = slice(counts, [1], [levels + 1]);
    // Without a guess at all every β is 0.
    const most = clamp(topK(thresholdWarmUp ? counts : ofClasses, 1).values, 1, Number.POSITIVE_INFINITY);
    const beta = divide(ofClasses, most);
    const least = scale(divide(beta, subtract(constant(weak, 2), beta)), tau);
    const mask = confident(q, ofClass(target, least));
    writeRows(guesses, pad(target, [0, 1], [0, 0]), pictures, confident(q, constant(weak, tau)));
    return { target, mask, least, ...smoothed(target, ordinal) };
  });
}

/**
 * λ (1/U) Σ_b k_b · −ln p_b[argmax q_b] (Zhang et al. 2021, "FlexMatch").
 * @param weak, pictures as {@link guess} takes them @param strong [U, m], logits of the strong views of the same pictures
 */
export function unlabelledLoss(
  weak: Tensor,
  strong: Tensor,
  pictures: Tensor,
  state: FlexMatchState,
  options: FlexMatchLoss,
): StepLoss {
  const guessed = guess(weak, pictures, state, options);
  return learnt(strong, guessed, weak.shape[0]!, options.unlabelledWeight, () => ({
    [threshold]: mean(guessed.least),
    ...byClass(threshold, guessed.least),
  }));
}
