import { record } from "../autograd.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { Tensor } from "../tensor.ts";
import { expectOperands } from "./operands.ts";

/** y_j = e^{x_j} / Σ_k e^{x_k} over the last axis. x: […, m], any number of rows. Safe for logits of any size. */
export function softmax(x: Tensor): Tensor {
  expectOperands("softmax", { x });
  const y = overRows("softmax/rows", false, { x, y: Tensor.like(x) });
  // dx = y · (dy − Σ_k dy_k y_k)
  return record("softmax", [x], y, (dy) => [overRows("softmax/rows_gradient", false, { y, dy, dx: Tensor.like(x) })]);
}

/** y_j = x_j − ln Σ_k e^{x_k} over the last axis. x: […, m], any number of rows. Safe for logits of any size. */
export function logSoftmax(x: Tensor): Tensor {
  expectOperands("logSoftmax", { x });
  const y = overRows("softmax/rows", true, { x, y: Tensor.like(x) });
  // dx = dy − e^y · Σ_k dy_k
  return record("logSoftmax", [x], y, (dy) => [overRows("softmax/rows_gradient", true, { y, dy, dx: Tensor.like(x) })]);
}

/**
 * Floating-point operations of an element. Forward: the maximum, x − max, exp, Σ, and a division or, of the logarithm, a
 * difference. Gradient: a product, Σ, a difference, a product; of the logarithm Σ, exp, a product, a difference.
 */
const flops = { "softmax/rows": 5, "softmax/rows_gradient": 4 };

/** Runs a kernel with one invocation for each row of tensors of equal shape; returns the last of them. */
function overRows(kernel: keyof typeof flops, log: boolean, tensors: Readonly<Record<string, Tensor>>): Tensor {
  const last = Object.values(tensors).at(-1)!;
  const { device } = last;
  const length = last.shape.at(-1)!;
  const vector = length % 4 === 0;
  for (const { start, count } of rowRanges(device, last.size / length, [length])) {
    const windows = Object.entries(tensors).map(
      ([name, tensor]) => [name, tensor.window(start * length, count * length)] as const,
    );
    device.kernels.run(
      kernel,
      { VECTOR: vector, LOG: log, WORKGROUP: flatWorkgroup },
      Object.fromEntries(windows),
      { rows: count, columns: vector ? length / 4 : length },
      flatGrid(device, count),
      { flops: flops[kernel] * count * length },
    );
  }
  return last;
}
