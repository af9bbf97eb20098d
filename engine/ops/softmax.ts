import { record } from "../autograd.ts";
import { Tensor } from "../tensor.ts";
import { lastAxis } from "./along-axis.ts";
import { expectTensors } from "./operands.ts";
import { overRows } from "./over-rows.ts";

/**
 * y_j = e^{x_j} / Σ_k e^{x_k} over an axis, the last unless given (negative counts from the last). Safe for logits of any size.
 * @throws ShapeError when x holds indices or has no such axis
 */
export function softmax(x: Tensor, axis = -1): Tensor {
  expectTensors("softmax", { x });
  const { rows, back } = lastAxis("softmax", x, axis);
  const y = softmaxRows("softmax/rows", false, { x: rows, y: Tensor.like(rows) });
  // dx = y · (dy − Σ_k dy_k y_k)
  const gradient = (dy: Tensor) => [softmaxRows("softmax/rows_gradient", false, { y, dy, dx: Tensor.like(rows) })];
  return back(record("softmax", [rows], y, gradient));
}

/**
 * y_j = x_j − ln Σ_k e^{x_k} over an axis, the last unless given (negative counts from the last). Safe for logits of any size.
 * @throws ShapeError when x holds indices or has no such axis
 */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  expectTensors("logSoftmax", { x });
  const { rows, back } = lastAxis("logSoftmax", x, axis);
  const y = softmaxRows("softmax/rows", true, { x: rows, y: Tensor.like(rows) });
  // dx = dy − e^y · Σ_k dy_k
  const gradient = (dy: Tensor) => [softmaxRows("softmax/rows_gradient", true, { y, dy, dx: Tensor.like(rows) })];
  return back(record("logSoftmax", [rows], y, gradient));
}

/**
 * Floating-point operations of an element. Forward: the maximum, x − max, exp, Σ, and a division or, of the logarithm, a
 * difference. Gradient: a product, Σ, a difference, a product; of the logarithm Σ, exp, a product, a difference.
 */
const flops = { "softmax/rows": 5, "softmax/rows_gradient": 4 };

/** Runs a kernel over the rows of tensors of equal shape; returns the last of them. */
function softmaxRows(kernel: keyof typeof flops, log: boolean, tensors: Readonly<Record<string, Tensor>>): Tensor {
  const last = Object.values(tensors).at(-1)!;
  overRows(kernel, { LOG: log }, last.shape.at(-1)!, { rows: tensors }, () => ({}), flops[kernel]);
  return last;
}
