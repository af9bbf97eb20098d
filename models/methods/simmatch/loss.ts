import { withoutGradients } from "../../../engine/autograd.ts";
import { add, divide, multiply, subtract } from "../../../engine/ops/arithmetic.ts";
import { matmul } from "../../../engine/ops/contraction/matmul.ts";
import { permute } from "../../../engine/ops/join.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { logSoftmax, softmax } from "../../../engine/ops/softmax.ts";
import { scale } from "../../../engine/ops/unary.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import type { StepLoss } from "../../training/method.ts";
import type { Alignment } from "../parts/alignment.ts";
import type { Bank } from "../parts/bank.ts";
import { confident, type Guess, learnt } from "../parts/consistency.ts";
import { constant } from "../parts/constants.ts";
import type { EmbeddedView } from "../parts/embedder.ts";

export const instances = "instance loss";

export interface SimMatchLoss {
  /** τ. */
  readonly threshold: number;
  /** T of the guesses, and of what is learnt of them. */
  readonly similarityTemperature: number;
  readonly strongTemperature: number;
  /** c: what a guess keeps of itself beside those of similar labelled pictures. */
  readonly ownShare: number;
  /** λ_in. */
  readonly instanceWeight: number;
  /** λ_u. */
  readonly unlabelledWeight: number;
}

/** What guesses are made with beside the outputs. */
export interface Memory {
  readonly alignment: Alignment;
  /** Labelled pictures with their labels. */
  readonly bank: Bank;
  /** [1]: 1 once the bank is looked at, before that 0. */
  readonly compares: Tensor;
}

/**
 * Guesses by the weak views. With o_b = softmax(f · bank / T) over labelled pictures k: the guess q' = c q + (1 − c) Σ_k o_bk y_k, q aligned;
 * and what their likeness is to be, o'_b = norm(o_bk · (q_b · y_k)). Nothing here has a gradient.
 * @param labelled [L, m], logits of labelled pictures, for the alignment
 */
export function guess(
  labelled: Tensor | undefined,
  { logits, embedding }: EmbeddedView,
  { alignment, bank, compares }: Memory,
  { threshold, similarityTemperature, ownShare }: SimMatchLoss,
): Guess & { readonly likeness: Tensor } {
  return withoutGradients(() => {
    const own = alignment.aligned(softmax(logits), labelled && softmax(labelled));
    const near = softmax(bank.similarities(embedding, similarityTemperature));
    const { answers } = bank;
    const unfolded = multiply(near, matmul(own, permute(answers, [1, 0])));
    const total = add(reshape(sum(unfolded, 1), [unfolded.shape[0]!, 1]), constant(own, 1e-30));
    const called = subtract(matmul(near, answers), own);
    const target = add(own, multiply(scale(called, 1 - ownShare), compares));
    return { target, mask: confident(target, constant(own, threshold)), likeness: divide(unfolded, total) };
  });
}

/** L_in = −(1/U) Σ_b Σ_k o'_bk ln softmax_k(f · bank / T), of all pictures. likeness: o', [U, K]; strong: f, [U, d] → [1]. */
export function instanceLoss(likeness: Tensor, strong: Tensor, bank: Bank, temperature: number): Tensor {
  const learnt = logSoftmax(bank.similarities(strong, temperature));
  return scale(sum(multiply(likeness, learnt)), -1 / strong.shape[0]!);
}

/**
 * λ_u (1/U) Σ_b k_b · −Σ_c q'_bc ln p_bc + λ_in L_in with k_b = 1[max q'_b ≥ τ] (Zheng et al. 2022, "SimMatch").
 * @param labelled, weak as {@link guess} takes them @param strong strong views of the same pictures
 */
export function unlabelledLoss(
  labelled: Tensor | undefined,
  weak: EmbeddedView,
  strong: EmbeddedView,
  memory: Memory,
  options: SimMatchLoss,
): StepLoss {
  const { strongTemperature, instanceWeight, unlabelledWeight } = options;
  const guessed = guess(labelled, weak, memory, options);
  const compared = instanceLoss(guessed.likeness, strong.embedding, memory.bank, strongTemperature);
  const own = multiply(compared, memory.compares);
  const { loss, figures } = learnt(strong.logits, guessed, strong.logits.shape[0]!, unlabelledWeight, () => ({
    [instances]: scale(own, 1),
  }));
  return { loss: add(loss, scale(own, instanceWeight)), figures: figures! };
}
