import { withoutGradients } from "../../../engine/autograd.ts";
import { add, atLeast, divide, multiply, subtract } from "../../../engine/ops/arithmetic.ts";
import { matmul } from "../../../engine/ops/contraction/matmul.ts";
import { concat, permute } from "../../../engine/ops/join.ts";
import { mean, sum } from "../../../engine/ops/reduce.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { softmax } from "../../../engine/ops/softmax.ts";
import { log, scale } from "../../../engine/ops/unary.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import type { StepLoss } from "../../training/method.ts";
import type { Alignment } from "../parts/alignment.ts";
import type { Bank } from "../parts/bank.ts";
import { confident, type Guess, learnt } from "../parts/consistency.ts";
import { constant, unitMatrix } from "../parts/constants.ts";

export const contrast = "contrastive loss";
/** Figure: pictures of the batch (and of the graph's bank) that a picture is called like, itself not counted. */
export const neighbours = "neighbours in the graph";

export interface CoMatchLoss {
  /** τ. */
  readonly threshold: number;
  /** T. */
  readonly similarityTemperature: number;
  /** α: what a guess keeps of itself beside those of similar pictures. */
  readonly ownShare: number;
  /** θ: least likeness of two guesses that makes pictures neighbours. */
  readonly graphThreshold: number;
  /** λ_c. */
  readonly graphWeight: number;
  /** λ_u. */
  readonly unlabelledWeight: number;
}

/** What the network makes of the views of U unlabelled pictures. */
export interface Seen {
  /** Logits of the weak and of the first strong views, [U, m]. */
  readonly weak: Tensor;
  readonly strong: Tensor;
  /** Embeddings of the weak and of both strong views, [U, d], rows of length 1. */
  readonly embeddings: { readonly weak: Tensor; readonly first: Tensor; readonly second: Tensor };
}

/** What guesses are made with beside the outputs. */
export interface Memory {
  readonly alignment: Alignment;
  readonly bank: Bank;
  /** [1]: 1 once guesses are smoothed by the bank, before that 0. */
  readonly smooths: Tensor;
  /** Second strong views of earlier batches with their smoothed guesses. */
  readonly graphBank?: Bank | undefined;
}

/**
 * Guesses by the weak views: q0 aligned, and q = α q0 + (1 − α) Σ_k a_k y_k with a = softmax(f · bank / T) over the rows y_k of the bank.
 * Nothing here has a gradient.
 * @param labelled [L, m], logits of labelled pictures, for the alignment
 */
export function guess(
  labelled: Tensor | undefined,
  { weak, embeddings }: Pick<Seen, "weak" | "embeddings">,
  { alignment, bank, smooths }: Memory,
  { threshold, similarityTemperature, ownShare }: CoMatchLoss,
): Guess & { readonly own: Tensor } {
  return withoutGradients(() => {
    const own = alignment.aligned(softmax(weak), labelled && softmax(labelled));
    const near = matmul(softmax(bank.similarities(embeddings.weak, similarityTemperature)), bank.answers);
    const target = add(own, multiply(scale(subtract(near, own), 1 - ownShare), smooths));
    return { own, target, mask: confident(target, constant(weak, threshold)) };
  });
}

/**
 * The graph of guesses, rows adding up to 1: Q_bj = q_b · q_j, 1 on the diagonal, 0 below θ, over its row sum. Has no gradient.
 * @param q [U, m] @param bank guesses of earlier batches, [K, m], with 1 for those that are there, [1, K] @returns [U, U + K]
 */
export function guessGraph(
  q: Tensor,
  threshold: number,
  bank?: { readonly answers: Tensor; readonly present: Tensor },
): Tensor {
  return withoutGradients(() => {
    const own = matmul(q, permute(q, [1, 0]));
    const count = q.shape[0]!;
    const eye = unitMatrix(q, count);
    const inBatch = add(multiply(own, subtract(constant(q, 1), eye)), eye);
    const likeness = bank
      ? concat([inBatch, multiply(matmul(q, permute(bank.answers, [1, 0])), bank.present)], 1)
      : inBatch;
    const kept = multiply(likeness, atLeast(likeness, constant(q, threshold)));
    return divide(kept, reshape(sum(kept, 1), [count, 1]));
  });
}

/**
 * L_c = −(1/U) Σ_b Σ_j Q_bj ln(S_bj + 10⁻⁷) with S = row softmax of f(s0) · f(s1) / T. Has gradients by both.
 * @param graph [U, U + K] of {@link guessGraph} @param first f(s0), second f(s1), both [U, d]
 * @param earlier logits of f(s0) with a bank, [U, K]
 */
export function graphLoss(graph: Tensor, first: Tensor, second: Tensor, temperature: number, earlier?: Tensor): Tensor {
  const within = scale(matmul(first, permute(second, [1, 0])), 1 / temperature);
  const shares = softmax(earlier ? concat([within, earlier], 1) : within);
  const terms = multiply(graph, log(add(shares, constant(graph, 1e-7))));
  return scale(sum(terms), -1 / first.shape[0]!);
}

/**
 * λ_u (1/U) Σ_b k_b · −Σ_c q_bc ln p_bc + λ_c L_c with k_b = 1[max q_b ≥ τ] (Li, Xiong & Hoi 2021, "CoMatch").
 * @param labelled as {@link guess} takes it
 */
export function unlabelledLoss(
  labelled: Tensor | undefined,
  seen: Seen,
  memory: Memory,
  options: CoMatchLoss,
): StepLoss & { readonly guessed: ReturnType<typeof guess> } {
  const { graphThreshold, graphWeight, similarityTemperature: temperature, unlabelledWeight } = options;
  const { strong, embeddings } = seen;
  const { graphBank } = memory;
  const guessed = guess(labelled, seen, memory, options);
  const graph = guessGraph(guessed.target, graphThreshold, graphBank);
  const earlier = graphBank?.similarities(embeddings.first, temperature);
  const own = graphLoss(graph, embeddings.first, embeddings.second, temperature, earlier);
  const pictures = strong.shape[0]!;
  const { loss, figures } = learnt(strong, guessed, pictures, unlabelledWeight, () => {
    const edges = atLeast(graph, constant(graph, 1e-30));
    return { [contrast]: scale(own, 1), [neighbours]: subtract(mean(sum(edges, 1)), constant(graph, 1)) };
  });
  return { loss: add(loss, scale(own, graphWeight)), figures: figures!, guessed };
}
