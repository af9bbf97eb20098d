import { add, atLeast, multiply, subtract } from "../../../engine/ops/arithmetic.ts";
import { l2Normalise } from "../../../engine/ops/normalise-l2.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { abs, exp, log, scale, sqrt, square } from "../../../engine/ops/unary.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import { expectation } from "../../labels/labels.ts";
import type { PhaseContext, StepTask } from "../../training/method.ts";
import { rowsOf } from "../../training/rows.ts";
import { constant, unitMatrix } from "../parts/constants.ts";
import type { CplOptions } from "./options.ts";

/** Under the root of squared distances, which keeps slopes finite. */
const epsilon = 1e-8;
/** τ. Distances of rows of length 1 are at most 2. */
const temperature = 0.2;

/**
 * How far the embeddings of pictures are from the order of their scores (Zha et al., "Rank-N-Contrast", NeurIPS 2023):
 *
 * L = 1/(n (n − 1)) Σ_i Σ_{j≠i} −ln [ e^{s_ij} / Σ_{k∈S_ij} e^{s_ik} ],   S_ij = { k ≠ i : |y_i − y_k| ≥ |y_i − y_j| },   s_ij = −‖v_i − v_j‖ / τ
 *
 * so that those with nearer scores lie nearer. Embeddings are brought to length 1 here, theirs are not.
 * @param embedding [n, d], n at least 2 @param scores y, [n, 1], without gradient
 * @returns [1]
 */
export function rankContrast(embedding: Tensor, scores: Tensor, tau = temperature): Tensor {
  const [n, d] = embedding.shape as [number, number];
  const v = l2Normalise(embedding);
  const squares = sum(square(subtract(reshape(v, [n, 1, d]), reshape(v, [1, n, d]))), -1);
  const s = scale(sqrt(add(squares, constant(v, epsilon))), -1 / tau);
  const others = subtract(constant(v, 1), unitMatrix(v, n));
  const apart = abs(subtract(scores, reshape(scores, [1, n])));
  const rivals = multiply(atLeast(reshape(apart, [n, 1, n]), reshape(apart, [n, n, 1])), reshape(others, [n, 1, n]));
  const all = sum(multiply(rivals, reshape(exp(s), [n, 1, n])), -1);
  return scale(sum(multiply(subtract(log(all), s), others)), 1 / (n * (n - 1)));
}

/** A task that learns {@link rankContrast} of the labelled pictures of a batch too, by the options `embeddingLoss` and `embeddingWeight`. */
export function withRankContrast<Task extends StepTask>(
  task: Task,
  { embeddingLoss, embeddingWeight, levels }: Pick<CplOptions, "embeddingLoss" | "embeddingWeight" | "levels">,
  { labels }: Pick<PhaseContext, "labels">,
): Task {
  if (embeddingLoss === "off") return task;
  const scoreOf = (index: number) => expectation(labels.subarray(index * levels, (index + 1) * levels));
  return {
    ...task,
    figures: [...(task.figures ?? []), "rank contrast"],
    targets(views, place) {
      const scores = views.flatMap(({ part, index }) => (part === "labelled" ? [scoreOf(index)] : []));
      const shape = [scores.length, 1];
      return { ...task.targets(views, place), scores: { data: Float32Array.from(scores), shape } };
    },
    loss(outputs, targets, rows, input) {
      const learnt = task.loss(outputs, targets, rows, input);
      const { row, count } = rows.labelled;
      // Of two there is nothing to tell.
      if (count < 3) return learnt;
      const contrast = rankContrast(rowsOf(outputs.embedding, row, count), targets["scores"]!);
      const loss = add(learnt.loss, scale(contrast, embeddingWeight));
      return { loss, figures: { ...learnt.figures, "rank contrast": contrast } };
    },
  };
}
