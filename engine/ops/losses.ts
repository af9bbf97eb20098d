import { expectArgument, finite } from "../arguments.ts";
import { record } from "../autograd.ts";
import { flatGrid, flatWorkgroup } from "../kernel/grid.ts";
import type { Constants } from "../kernel/template.ts";
import { ShapeError, Tensor } from "../tensor.ts";
import { expectOperands, expectSameShape, expectTensors } from "./operands.ts";
import { overRows } from "./over-rows.ts";

type RowLoss = "cross_entropy" | "kl_divergence" | "earth_movers" | "expectation";

/** Tensors of a row loss beside the logits: those with a row of their own length m for each row, and those taken whole. */
interface Against {
  readonly targets?: Tensor;
  readonly levels?: Tensor;
  readonly scores?: Tensor;
}

/**
 * Floating-point operations of an element. Each begins with the maximum, x − max, exp and Σ; the divergence of the
 * distributions has the gradient of the cross-entropy.
 */
const flops: Readonly<Record<RowLoss, readonly [forward: number, gradient: number]>> = {
  cross_entropy: [7, 9],
  kl_divergence: [9, 9],
  earth_movers: [9, 16],
  expectation: [6, 10],
};

/** Runs the kernel of a loss or of its gradient over the batch; [B] vectors are bound whole. */
function runLoss(
  gradient: boolean,
  loss: RowLoss,
  rows: Readonly<Record<string, Tensor>>,
  whole: Readonly<Record<string, Tensor>>,
): void {
  const columns = rows["logits"]!.shape[1]!;
  const kernel = loss === "earth_movers" ? "loss/earth_movers" : gradient ? "loss/rows_gradient" : "loss/rows";
  const constants: Constants = loss === "earth_movers" ? { GRADIENT: gradient, VECTOR: false } : { LOSS: loss };
  const flopsPerElement = flops[loss][gradient ? 1 : 0];
  overRows(kernel, constants, columns, { rows, whole }, (first_row) => ({ first_row }), flopsPerElement);
}

function rowLoss(name: string, loss: RowLoss, logits: Tensor, { targets, ...vectors }: Against): Tensor {
  const losses = Tensor.empty(logits.device, [logits.shape[0]!]);
  const rows = { logits, ...(targets && { targets }) };
  runLoss(false, loss, rows, { ...vectors, losses });
  return record(name, [logits], losses, (dlosses) => {
    const dlogits = Tensor.like(logits);
    // ln t is a constant beside −t ln p: the divergence has the gradient of the cross-entropy.
    const slope = loss === "kl_divergence" ? "cross_entropy" : loss;
    runLoss(true, slope, { ...rows, dlogits }, { ...vectors, dlosses });
    return [dlogits];
  });
}

function expectLogits(operation: string, logits: Tensor): void {
  if (logits.rank !== 2 || logits.shape[1] === 0) {
    throw new ShapeError(`${operation} takes logits [B, m], found ${logits.dtype} [${logits.shape}]`);
  }
}

function expectVector(operation: string, name: string, vector: Tensor, length: number): void {
  if (vector.rank !== 1 || vector.size !== length) {
    throw new ShapeError(`${operation}: ${name} must be f32 [${length}], found ${vector.dtype} [${vector.shape}]`);
  }
}

function expectTargets(operation: string, logits: Tensor, target: Tensor): void {
  expectTensors(operation, { logits, target });
  expectLogits(operation, logits);
  expectSameShape(operation, logits, target);
}

/**
 * Cross-entropy with soft labels: −Σ_j t_j ln p_j for each row, p = softmax(logits).
 * logits, target: [B, m] → [B]. The target gets no gradient.
 */
export function softCrossEntropy(logits: Tensor, target: Tensor): Tensor {
  expectTargets("softCrossEntropy", logits, target);
  // dlogits_j = dy · (p_j Σ_k t_k − t_j)
  return rowLoss("softCrossEntropy", "cross_entropy", logits, { targets: target });
}

/**
 * Kullback-Leibler divergence of the prediction from the target: Σ_j t_j (ln t_j − ln p_j) for each row, in nats,
 * 0 ln 0 = 0. logits, target: [B, m] → [B]. The target gets no gradient.
 */
export function klDivergence(logits: Tensor, target: Tensor): Tensor {
  expectTargets("klDivergence", logits, target);
  // dlogits_j = dy · (p_j Σ_k t_k − t_j)
  return rowLoss("klDivergence", "kl_divergence", logits, { targets: target });
}

/**
 * Earth mover's distance with r = 2: √(1/m · Σ_j (CDF_p(j) − CDF_t(j))²) for each row (Talebi and Milanfar, "NIMA",
 * Eq. 1). logits, target: [B, m] → [B]. The target gets no gradient; at distance 0 the gradient is taken as 0.
 */
export function earthMoversDistance(logits: Tensor, target: Tensor): Tensor {
  expectTargets("earthMoversDistance", logits, target);
  // dlogits_j = dy · p_j (S_j − Σ_k p_k S_k) / (m y),  S_j = Σ_{k ≥ j} (CDF_p(k) − CDF_t(k))
  return rowLoss("earthMoversDistance", "earth_movers", logits, { targets: target });
}

/**
 * Distance of the expected score from the true one: |Σ_j M_j p_j − y| for each row. logits: [B, m], scores y: [B],
 * levels M: [m] → [B]. Scores and levels get no gradient; where the distance is 0 the gradient is taken as 0.
 */
export function expectationL1(logits: Tensor, scores: Tensor, levels: Tensor): Tensor {
  expectTensors("expectationL1", { logits, scores, levels });
  expectLogits("expectationL1", logits);
  expectVector("expectationL1", "scores", scores, logits.shape[0]!);
  expectVector("expectationL1", "levels", levels, logits.shape[1]!);
  // dlogits_j = dy · sign(E − y) · p_j (M_j − E),  E = Σ_j M_j p_j
  return rowLoss("expectationL1", "expectation", logits, { scores, levels });
}

/**
 * Σ_i w_i rows_i / divisor → [1]: the batch loss with a confidence for each row (CPL-IQA, Eq. 9). rows, weights: [B].
 * @param weights get no gradient
 * @param divisor B unless given
 */
export function weightedMean(rows: Tensor, weights: Tensor, divisor = rows?.size): Tensor {
  expectOperands("weightedMean", { rows, weights });
  expectArgument("weightedMean", "the divisor", divisor, finite);
  expectVector("weightedMean", "rows", rows, rows.size);
  expectVector("weightedMean", "weights", weights, rows.size);
  if (divisor === 0) throw new ShapeError("weightedMean: cannot divide by 0");
  const { device, size: count } = rows;
  const y = Tensor.empty(device, [1]);
  const tensors = { rows: { rows, weights }, whole: { y } };
  overRows("loss/weighted_mean", { VECTOR: false }, count, tensors, () => ({ divisor }), 2);
  // drows_i = dy · w_i / divisor
  return record("weightedMean", [rows], y, (dy) => {
    const drows = Tensor.like(rows);
    device.kernels.run(
      "loss/weighted_mean_gradient",
      { WORKGROUP: flatWorkgroup },
      { weights: weights.window(), dy: dy.window(), drows: drows.window() },
      { count, divisor },
      flatGrid(device, count),
      { flops: 2 * count },
    );
    return [drows];
  });
}
