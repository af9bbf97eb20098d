import { record } from "../../autograd.ts";
import { type DataType, ShapeError, Tensor } from "../../tensor.ts";
import { expectTensors } from "../operands.ts";
import { transpose, upToFour, withColumns, withRowsAndColumns } from "../shape.ts";
import { contract, matrixProduct } from "./contract.ts";
import { contractWeight } from "./contract-weight.ts";

/**
 * Matrix product of each entry of a batch. a: [B, M, K], b: [B, K, N] → [B, M, N].
 * @throws ShapeError when the operands are not batches of matrices or the extents differ
 */
export function batchedMatmul(a: Tensor, b: Tensor): Tensor {
  expectTensors("batchedMatmul", { a, b });
  const fits = a.rank === 3 && b.rank === 3 && a.shape[0] === b.shape[0] && a.shape[2] === b.shape[1];
  if (!fits) {
    throw new ShapeError(
      `batched matrix product: [${a.shape}] times [${b.shape}]: batch and inner extents must be equal`,
    );
  }
  // da = dy · bᵀ    db = aᵀ · dy
  return record("batchedMatmul", [a, b], products(a, b), (dy) => [
    a.tracked ? dy.device.scope(() => products(dy, transpose(b))) : undefined,
    b.tracked ? transposedProducts(a, dy, b.dtype) : undefined,
  ]);
}

/** a · b for each entry. Not recorded. */
function products(a: Tensor, b: Tensor): Tensor {
  const { device } = a;
  const [entries, rows, inner] = a.shape as [number, number, number];
  const columns = b.shape[2]!;
  const [k, n] = [upToFour(inner), upToFour(columns)];
  return device.scope(() => {
    const out = Tensor.like(a, [entries, rows, n]);
    const shape = matrixProduct({ entries, rows, channels: k, columns: n, filled: [inner, columns] });
    contract(withColumns(a, k), withRowsAndColumns(b, k, n), out, shape);
    return withColumns(out, columns);
  });
}

/** aᵀ · d for each entry of a: [B, M, K], d: [B, M, N] → [B, K, N]. */
function transposedProducts(a: Tensor, d: Tensor, dtype: DataType): Tensor {
  const [images, rows, inner] = a.shape as [number, number, number];
  const columns = d.shape[2]!;
  const [k, n] = [upToFour(inner), upToFour(columns)];
  return a.device.scope(() => {
    const products = contractWeight(withColumns(a, k), withColumns(d, n), {
      images,
      input: [1, rows],
      channels: k,
      output: [1, rows],
      columns: n,
      filled: [inner, columns],
      kernel: [1, 1],
      stride: [1, 1],
      padding: [0, 0],
      apart: dtype,
    });
    return withRowsAndColumns(products.alias([images, k, n]), inner, columns);
  });
}
