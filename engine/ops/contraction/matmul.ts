import { record } from "../../autograd.ts";
import { greatestCommonDivisor } from "../../kernel/grid.ts";
import { ShapeError, sizeOf, Tensor } from "../../tensor.ts";
import { expectTensors } from "../operands.ts";
import { sumAxis } from "../reduce.ts";
import { transpose, upToFour, withColumns, withRowsAndColumns } from "../shape.ts";
import { contract, matrixProduct } from "./contract.ts";
import { contractWeight } from "./contract-weight.ts";

/** C = A · B, with a bias per column when given; operands of any extents. Not recorded. */
function product(a: Tensor, b: Tensor, bias?: Tensor): Tensor {
  const { device } = a;
  const [rows, inner] = a.shape as [number, number];
  const columns = b.shape[1]!;
  const [k, n] = [upToFour(inner), upToFour(columns)];
  return device.scope(() => {
    const out = Tensor.like(a, [rows, n]);
    contract(
      withColumns(a, k),
      withRowsAndColumns(b, k, n),
      out,
      matrixProduct({ rows, channels: k, columns: n, filled: [inner, columns] }),
      { bias: bias && withColumns(bias, n) },
    );
    return withColumns(out, columns);
  });
}

/** Aᵀ · D for a: [rows, K], d: [rows, N] → [K, N]. Not recorded. */
export function transposedProduct(a: Tensor, d: Tensor): Tensor {
  const { device } = a;
  const [rows, inner] = a.shape as [number, number];
  const columns = d.shape[1]!;
  const [k, n] = [upToFour(inner), upToFour(columns)];
  // The kernel walks lines of positions, four at a time: rows are grouped into lines of a common length.
  const line = greatestCommonDivisor(rows, 64) >= 4 ? greatestCommonDivisor(rows, 64) : rows;
  return device.scope(() => {
    const weight = contractWeight(withColumns(a, k), withColumns(d, n), {
      images: rows / line,
      input: [1, line],
      channels: k,
      output: [1, line],
      columns: n,
      filled: [inner, columns],
      kernel: [1, 1],
      stride: [1, 1],
      padding: [0, 0],
    });
    return withRowsAndColumns(weight.alias([k, n]), inner, columns);
  });
}

/**
 * Matrix product. a: [M, K], b: [K, N] → [M, N].
 * @throws ShapeError when the operands are not matrices or the inner extents differ
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  expectTensors("matmul", { a, b });
  return linear(a, b);
}

/**
 * y = x · weight + bias. x: [M, K], weight: [K, N], bias: [N] → [M, N].
 * @throws ShapeError when the extents do not fit
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  expectTensors("linear", bias ? { x, weight, bias } : { x, weight });
  if (x.rank !== 2 || weight.rank !== 2 || x.shape[1] !== weight.shape[0]) {
    throw new ShapeError(`matrix product: [${x.shape}] times [${weight.shape}]: inner extents must be equal`);
  }
  if (bias && bias.size !== weight.shape[1]) {
    throw new ShapeError(`linear: bias [${bias.shape}] for ${weight.shape[1]} columns`);
  }
  const y = product(x, weight, bias);
  // dx = dy · weightᵀ    dweight = xᵀ · dy    dbias = Σ_rows dy
  return record("linear", bias ? [x, weight, bias] : [x, weight], y, (dy) => [
    x.tracked ? dy.device.scope(() => product(dy, transpose(weight))) : undefined,
    weight.tracked ? transposedProduct(x, dy) : undefined,
    bias?.tracked ? columnSums(dy) : undefined,
  ]);
}

/** Sum over all axes but the last: […, C] → [C]. Not recorded. */
export function columnSums(x: Tensor): Tensor {
  const columns = x.shape.at(-1)!;
  const flat = sumAxis(x, 1, sizeOf(x.shape.slice(0, -1)), columns);
  const y = flat.alias([columns]);
  flat.dispose();
  return y;
}
