import { record } from "../autograd.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { ShapeError, Tensor } from "../tensor.ts";
import { transpose } from "./shape.ts";

/**
 * Matrix product of each entry of a batch. a: [B, M, K], b: [B, K, N] → [B, M, N].
 * @throws ShapeError when the operands are not batches of matrices or the extents differ
 */
export function batchedMatmul(a: Tensor, b: Tensor): Tensor {
  const fits = a.rank === 3 && b.rank === 3 && a.shape[0] === b.shape[0] && a.shape[2] === b.shape[1];
  if (!fits) {
    throw new ShapeError(
      `batched matrix product: [${a.shape}] times [${b.shape}]: batch and inner extents must be equal`,
    );
  }
  // da = dy · bᵀ    db = aᵀ · dy
  return record("batchedMatmul", [a, b], products(a, b), (dy) => [
    a.tracked ? dy.device.scope(() => products(dy, transpose(b))) : undefined,
    b.tracked ? dy.device.scope(() => products(transpose(a), dy)) : undefined,
  ]);
}

/** The products, in calls over as many entries as the adapter's bindings hold. Not recorded. */
function products(a: Tensor, b: Tensor): Tensor {
  const { device } = a;
  const [batch, rows, inner] = a.shape as [number, number, number];
  const columns = b.shape[2]!;
  const vector = columns % 4 === 0;
  const width = vector ? columns / 4 : columns;
  const out = Tensor.like(a, [batch, rows, columns]);
  for (const { start, count } of rowRanges(device, batch, [rows * inner, inner * columns, rows * columns])) {
    const part = (tensor: Tensor) => tensor.window((start * tensor.size) / batch, (count * tensor.size) / batch);
    device.kernels.run(
      "matmul/batched",
      { ROWS: blockRows, VECTOR: vector, WORKGROUP: flatWorkgroup },
      { a: part(a), b: part(b), out: part(out) },
      { batch: count, rows, inner, columns: width },
      flatGrid(device, count * Math.ceil(rows / blockRows) * width),
      { flops: 2 * count * rows * inner * columns },
    );
  }
  return out;
}

/** Rows that one invocation makes: each number of b is loaded once for all of them. */
const blockRows = 4;
