import { record } from "../autograd.ts";
import { Tensor } from "../tensor.ts";
import { expectOperands } from "./operands.ts";
import { overRows } from "./over-rows.ts";

/** y_j = e^{x_j} / Σ_k e^{x_k} over the last axis. x: […, m], any number of rows. Safe for logits of any size. */
export function softmax(x: Tensor): Tensor {
  expectOperands("softmax", { x });
  const y = softmaxRows("softmax/rows", false, { x, y: Tensor.like(x) });
  // dx = y · (dy − Σ_k dy_k y_k)
  return record("softmax", [x], y, (dy) => [
    softmaxRows("softmax/rows_gradient", false, { y, dy, dx: Tensor.like(x) }),
  ]);
}

/** y_j = x_j − ln Σ_k e^{x_k} over the last axis. x: […, m], any number of rows. Safe for logits of any size. */
export function logSoftmax(x: Tensor): Tensor {
  expectOperands("logSoftmax", { x });
  const y = softmaxRows("softmax/rows", true, { x, y: Tensor.like(x) });
  // dx = dy − e^y · Σ_k dy_k
  return record("logSoftmax", [x], y, (dy) => [
    softmaxRows("softmax/rows_gradient", true, { y, dy, dx: Tensor.like(x) }),
  ]);
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
