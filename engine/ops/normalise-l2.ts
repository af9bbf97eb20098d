import { expectArgument, positive } from "../arguments.ts";
import { record } from "../autograd.ts";
import { Tensor } from "../tensor.ts";
import { lastAxis } from "./along-axis.ts";
import { multiply } from "./arithmetic.ts";
import { expectOperands, expectSameShape } from "./operands.ts";
import { overRows } from "./over-rows.ts";
import { sum } from "./reduce.ts";

/** Runs the kernel over the rows of tensors of equal shape; returns the last of them. */
function normalised(gradient: boolean, epsilon: number, tensors: Readonly<Record<string, Tensor>>): Tensor {
  const last = Object.values(tensors).at(-1)!;
  // Σ x² and y = x / ‖x‖; then Σ y · dy and (dy − y · Σ) / ‖x‖
  const flops = gradient ? 8 : 3;
  const columns = last.shape.at(-1)!;
  overRows("row/l2_normalise", { GRADIENT: gradient }, columns, { rows: tensors }, () => ({ epsilon }), flops);
  return last;
}

/**
 * Rows of length 1: y = x / max(‖x‖, ε) over an axis, the last unless given (negative counts from the last). x: any shape.
 * @throws ShapeError when x is not f32 or has no such axis
 * @throws RangeError when epsilon is not above 0
 */
export function l2Normalise(x: Tensor, epsilon = 1e-12, axis = -1): Tensor {
  expectOperands("l2Normalise", { x });
  expectArgument("l2Normalise", "epsilon", epsilon, positive);
  const { rows, back } = lastAxis("l2Normalise", x, axis);
  const y = normalised(false, epsilon, { x: rows, y: Tensor.like(rows) });
  // dx = (dy − y · (y · dy)) / ‖x‖ where ‖x‖ > ε, else dy / ε
  const gradient = (dy: Tensor) => [normalised(true, epsilon, { x: rows, dy, dx: Tensor.like(rows) })];
  return back(record(["l2Normalise", { epsilon }], [rows], y, gradient));
}

/**
 * Cosine of the angle between rows, in −1…1: a · b / (max(‖a‖, ε) · max(‖b‖, ε)). a, b: […, C] → […]; [C] → [1].
 * Its gradients are those of {@link l2Normalise} and of the product.
 * @throws ShapeError when the shapes differ or are not f32
 * @throws RangeError when epsilon is not above 0
 */
export function cosineSimilarity(a: Tensor, b: Tensor, epsilon = 1e-8): Tensor {
  expectOperands("cosineSimilarity", { a, b });
  expectArgument("cosineSimilarity", "epsilon", epsilon, positive);
  expectSameShape("cosineSimilarity", a, b);
  return sum(multiply(l2Normalise(a, epsilon), l2Normalise(b, epsilon)), -1);
}
