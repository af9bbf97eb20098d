import { expectArgument, object } from "../arguments.ts";
import type { Device } from "../device/device.ts";
import { rowRanges } from "../kernel/grid.ts";
import { expectOperands, indices as indexType, single } from "../ops/operands.ts";
import { ShapeError, Tensor } from "../tensor.ts";
import { overAll } from "./flat.ts";

/** A square sparse matrix: the entries of row i are `rowStart[i] … rowStart[i + 1] − 1`, by rising column. `using` frees it. */
export interface SparseMatrix extends Disposable {
  /** Rows, and columns. */
  readonly size: number;
  /** u32 [size + 1]. */
  readonly rowStart: Tensor;
  /** u32 [entries]. */
  readonly columns: Tensor;
  /** f32 [entries]. */
  readonly values: Tensor;
}

const types = { indices: indexType, weights: single };

/** @throws ShapeError when the tensors of a matrix are not all there, of the right types, on one device with `others` */
export function expectMatrix(operation: string, matrix: SparseMatrix, others: Readonly<Record<string, Tensor>>): void {
  expectArgument(operation, "the matrix", matrix, object);
  const { rowStart, columns, values } = matrix;
  const all = { ...others, rowStart, columns, values };
  expectOperands(operation, all, { ...mapped(others), rowStart: indexType, columns: indexType, values: single });
}

function mapped(others: Readonly<Record<string, Tensor>>) {
  return Object.fromEntries(Object.keys(others).map((name) => [name, single]));
}

/**
 * The symmetrically normalised graph W = D^−½ (A + Aᵀ) D^−½ of neighbour lists, with d_i the row sums of A + Aᵀ, 0 replaced
 * by 1 (CPL-IQA Eq. 4). Its eigenvalues lie in [−1, 1]. Edges of a point to itself are dropped (value 0). Points that are
 * neighbours of each other keep two entries in the same column. The same input gives the same bits.
 * @param indices u32 [N, k], row i listing the points that i has edges to
 * @param weights f32 [N, k], not negative
 * @throws ShapeError when the shapes differ, or 2·N·k entries do not fit one binding of the adapter
 */
export function symmetricGraph(indices: Tensor, weights: Tensor): SparseMatrix {
  expectOperands("symmetricGraph", { indices, weights }, types);
  const { device } = indices;
  if (indices.rank !== 2 || weights.shape.join() !== indices.shape.join()) {
    throw new ShapeError(
      `symmetricGraph needs indices and weights of one shape [N, k], found [${indices.shape}] and [${weights.shape}]`,
    );
  }
  const [size, degree] = indices.shape as [number, number];
  const entries = 2 * size * degree;
  if (entries * 4 + 12 > device.maximumBindingBytes) {
    throw new ShapeError(
      `symmetricGraph: ${entries} entries of ${size} points with ${degree} neighbours do not fit one binding of ${device.maximumBindingBytes} bytes on this adapter; use fewer points or neighbours`,
    );
  }
  return device.scope(() => {
    const inDegree = countEdges(indices);
    const rowStart = startRows(inDegree, degree);
    const columns = Tensor.empty(device, [entries], "u32");
    const values = Tensor.empty(device, [entries]);
    for (const { start, count } of rowRanges(device, size, [degree])) {
      overAll(
        device,
        count * degree,
        "fill",
        {},
        {
          indices: indices.window(start * degree, count * degree),
          weights: weights.window(start * degree, count * degree),
          row_start: rowStart.window(),
          in_degree: inDegree.window(),
          columns: columns.window(),
          values: values.window(),
        },
        { count: count * degree, degree, first_row: start, points: size },
        // An index and a weight become a column and a value twice, at places that the rows' starts and counters give.
        { bytes: 4 * (6 * count * degree + 3 * size) },
      );
    }
    normalise(device, size, rowStart, columns, values);
    const dispose = () => {
      for (const tensor of [rowStart, columns, values]) tensor.dispose();
    };
    return { size, rowStart, columns, values, [Symbol.dispose]: dispose };
  });
}

/** How many edges lead to each point, u32 [N]. */
function countEdges(indices: Tensor): Tensor {
  const { device } = indices;
  const [size, degree] = indices.shape as [number, number];
  const inDegree = Tensor.zeros(device, [size], "u32");
  for (const { start, count } of rowRanges(device, size, [degree])) {
    overAll(
      device,
      count * degree,
      "in_degree",
      {},
      { indices: indices.window(start * degree, count * degree), in_degree: inDegree.window() },
      { count: count * degree, degree, first_row: start, points: size },
    );
  }
  return inDegree;
}

/** First entry of each row with `degree` edges of its own and `inDegree` of others, u32 [N + 1]. */
function startRows(inDegree: Tensor, degree: number): Tensor {
  const { device, size } = inDegree;
  const length = Math.ceil(Math.sqrt(size));
  const blocks = Math.ceil(size / length);
  const sums = Tensor.empty(device, [blocks], "u32");
  const rowStart = Tensor.empty(device, [size + 1], "u32");
  const windows = { in_degree: inDegree.window(), sums: sums.window(), row_start: rowStart.window() };
  overAll(device, blocks, "block_sums", {}, windows, { rows: size, length, blocks });
  overAll(device, blocks, "row_start", {}, windows, { rows: size, length, blocks, degree });
  return rowStart;
}

/** Sorts the rows and divides each value by the square roots of the sums of its row and of its column. */
function normalise(device: Device, size: number, rowStart: Tensor, columns: Tensor, values: Tensor): void {
  const scale = Tensor.empty(device, [size]);
  const windows = {
    row_start: rowStart.window(),
    columns: columns.window(),
    values: values.window(),
    scale: scale.window(),
  };
  overAll(device, size, "sort", {}, windows, { rows: size }, { flops: values.size });
  overAll(device, size, "normalise", {}, windows, { rows: size }, { flops: 2 * values.size });
}
