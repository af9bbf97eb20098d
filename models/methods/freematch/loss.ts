import { withoutGradients } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { add, atLeast, divide, multiply } from "../../../engine/ops/arithmetic.ts";
import { mean, sum } from "../../../engine/ops/reduce.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { softmax } from "../../../engine/ops/softmax.ts";
import { topK } from "../../../engine/ops/top-k.ts";
import { clamp, log, scale } from "../../../engine/ops/unary.ts";
import { Tensor } from "../../../engine/tensor.ts";
import type { StepLoss } from "../../training/method.ts";
import {
  byClass,
  classFigures,
  confident,
  type Guess,
  hard,
  largest,
  learnt,
  ofClass,
  smoothed,
} from "../parts/consistency.ts";
import { constant } from "../parts/constants.ts";
import { asShares, dividedWherePositive } from "../parts/shares.ts";
import { DeviceState, filled, towards } from "../parts/state.ts";

const threshold = "threshold";
const fairness = "fairness loss";
const fairnessPresent = "fairness loss of the classes present";

/** Names of the figures. */
export const figuresOf = (levels: number) => [
  ...[threshold, fairness, fairnessPresent],
  ...classFigures(threshold, levels),
];

export interface FreeMatchLoss {
  /** ρ. */
  readonly momentum: number;
  readonly confidence: "mean" | "quantile";
  /** Ends of t. */
  readonly leastThreshold: number;
  readonly mostThreshold: number;
  /** Ends of τ. */
  readonly leastClassThreshold: number;
  readonly mostClassThreshold: number;
  /** w_f. */
  readonly fairnessWeight: number;
  /** λ. */
  readonly unlabelledWeight: number;
  /** σ of {@link smoothed}. */
  readonly ordinal?: number | undefined;
}

/** t, the confidence so far; P, the mean guess; h, how often each class was the most probable one. All start at 1/C. */
export type FreeMatchState = DeviceState<"threshold" | "guesses" | "classes">;

export function freeMatchState(device: Device, levels: number): FreeMatchState {
  const even = filled(1 / levels, [levels]);
  return new DeviceState(device, "freematch", { threshold: filled(1 / levels, [1]), guesses: even, classes: even });
}

/**
 * Guesses by the weak views. First t, P and h move on by the batch; then τ_c = t P_c / max P, and k_b = 1[max q_b ≥ τ of argmax q_b].
 * weak: [U, m] logits. Nothing here has a gradient.
 */
export function guess(weak: Tensor, state: FreeMatchState, options: FreeMatchLoss): Guess & { readonly least: Tensor } {
  return withoutGradients(() => {
    const q = softmax(weak);
    const target = hard(q);
    const share = 1 - options.momentum;
    const { leastThreshold, mostThreshold, leastClassThreshold, mostClassThreshold } = options;
    const t = towards(state.get("threshold"), confidenceOf(largest(q), options), share);
    state.move({
      threshold: clamp(t, leastThreshold, mostThreshold),
      guesses: towards(state.get("guesses"), mean(q, 0), share),
      classes: towards(state.get("classes"), mean(target, 0), share),
    });
    const guesses = state.get("guesses");
    const relative = divide(guesses, topK(guesses, 1).values);
    const least = clamp(multiply(relative, state.get("threshold")), leastClassThreshold, mostClassThreshold);
    return { target, mask: confident(q, ofClass(target, least)), least, ...smoothed(target, options.ordinal) };
  });
}

/** Mean, or the 0.8-quantile between the two nearest. certainty: [U] → [1]. */
function confidenceOf(certainty: Tensor, { confidence }: Pick<FreeMatchLoss, "confidence">): Tensor {
  const count = certainty.size;
  if (confidence === "mean" || count === 1) return mean(certainty);
  const place = 0.2 * (count - 1);
  const before = Math.floor(place);
  const weights = new Float32Array(count);
  weights[before] = 1 - (place - before);
  if (before + 1 < count) weights[before + 1] = place - before;
  return sum(multiply(topK(certainty, count).values, Tensor.constant(certainty.device, weights, [count])));
}

/**
 * L_f = Σ_c A_c ln(B_c + 1e-12) over the pictures that count, A = norm(P / h), B = norm(p̄ / h̄) with p̄ the mean of p = softmax(strong) and
 * h̄_c the share with argmax p = c; 1/0 := 0, and 0 if none counts. P, h, h̄ have no gradient. A class that none of them is has
 * A_c ln 1e-12 in it and no gradient: `present` leaves these out.
 */
export function fairnessLoss(
  strong: Tensor,
  { mask }: Guess,
  state: FreeMatchState,
): { readonly loss: Tensor; readonly present: Tensor } {
  const p = softmax(strong);
  const counts = reshape(mask, [mask.size, 1]);
  const { wanted, times, isPresent, any } = withoutGradients(() => {
    const times = sum(multiply(hard(p), counts), 0);
    const half = constant(strong, 0.5);
    return {
      wanted: asShares(dividedWherePositive(state.get("guesses"), state.get("classes"))),
      times,
      isPresent: atLeast(times, half),
      any: atLeast(sum(mask), half),
    };
  });
  // The number of pictures cancels in norm(p̄ / h̄).
  const found = asShares(dividedWherePositive(sum(multiply(p, counts), 0), times));
  const terms = multiply(multiply(wanted, any), log(add(found, constant(strong, 1e-12))));
  return { loss: sum(terms), present: withoutGradients(() => sum(multiply(terms, isPresent))) };
}

/**
 * λ (1/U) Σ_b k_b · −ln p_b[argmax q_b] + w_f L_f (Wang et al. 2023, "FreeMatch").
 * @param weak [U, m], logits of the weak views of the unlabelled pictures @param strong those of their strong ones
 */
export function unlabelledLoss(weak: Tensor, strong: Tensor, state: FreeMatchState, options: FreeMatchLoss): StepLoss {
  const guessed = guess(weak, state, options);
  const fair = fairnessLoss(strong, guessed, state);
  const { loss, figures } = learnt(strong, guessed, weak.shape[0]!, options.unlabelledWeight, () => ({
    [threshold]: mean(guessed.least),
    [fairness]: fair.loss,
    [fairnessPresent]: fair.present,
    ...byClass(threshold, guessed.least),
  }));
  const { fairnessWeight } = options;
  return { figures: figures!, loss: fairnessWeight > 0 ? add(loss, scale(fair.loss, fairnessWeight)) : loss };
}
