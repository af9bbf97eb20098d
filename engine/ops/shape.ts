import { record } from "../autograd.ts";
import { canCut, flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { expectShape, type Shape, ShapeError, sizeOf, Tensor } from "../tensor.ts";
import { expectTensors, moved, movedElement, stored } from "./operands.ts";
import { place } from "./place.ts";
import { apart, putBack } from "./rows-apart.ts";

/** The same elements under another shape of equal size. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  expectTensors("reshape", { x }, { x: stored });
  expectShape(shape, "reshape");
  // dx is dy under the shape of x
  return record("reshape", [x], x.alias(shape), (dy) => [dy.alias(x.shape)]);
}

/** Swaps the last two axes: […, M, N] → […, N, M]. */
export function transpose(x: Tensor): Tensor {
  expectTensors("transpose", { x }, { x: moved });
  if (x.rank < 2) throw new ShapeError(`transpose needs two axes, found [${x.shape}]`);
  // dx = dyᵀ
  return record("transpose", [x], swapLast(x), (dy) => [swapLast(dy)]);
}

function swapLast(x: Tensor): Tensor {
  const { device } = x;
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  const leading = x.shape.slice(0, -2);
  const y = Tensor.like(x, [...leading, columns, rows]);
  const slab = rows * columns;
  const slabs = sizeOf(leading);
  if (!canCut(device, slabs, [slab])) {
    for (let first = 0; first < x.size; first += slab) {
      using own = apart(x, first, [rows, columns]);
      using swapped = swapInParts(own);
      putBack(swapped, y, first);
    }
    return y;
  }
  for (const { start, count } of rowRanges(device, slabs, [slab])) {
    device.kernels.run(
      "shape/transpose",
      { ELEMENT: movedElement(x, false), WORKGROUP: flatWorkgroup },
      { x: x.window(start * slab, count * slab), y: y.window(start * slab, count * slab) },
      { batch: count, rows, columns },
      flatGrid(device, count * slab),
    );
  }
  return y;
}

/** The transpose of one matrix, made of runs of its rows where one binding does not hold it. */
function swapInParts(x: Tensor): Tensor {
  const [rows, columns] = x.shape as [number, number];
  // A single row is its own transpose.
  if (rows === 1) return x.alias([columns, 1]);
  const fitting = Math.floor((x.device.maximumBindingBytes - 12) / (4 * columns));
  if (fitting >= rows) return swapLast(x);
  const y = Tensor.like(x, [columns, rows]);
  const run = Math.max(1, fitting - (fitting % 2));
  for (let first = 0; first < rows; first += run) {
    const count = Math.min(run, rows - first);
    using part = apart(x, first * columns, [count, columns]);
    using swapped = swapInParts(part);
    place(swapped, y, columns, count, rows, first);
  }
  return y;
}

/** vec4s that an invocation of shaders/shape/columns.wgsl makes. */
const vectors = 4;

/**
 * x seen as rows of its last axis, each cut or filled with zeros to `columns`. Kernels that load vec4s take their
 * operands through this when the last axis is not a multiple of 4. Not recorded.
 */
export function withColumns(x: Tensor, columns: number): Tensor {
  const { device } = x;
  const from = x.shape.at(-1)!;
  if (from === columns) return x.alias();
  const rows = sizeOf(x.shape.slice(0, -1));
  const y = Tensor.like(x, [...x.shape.slice(0, -1), columns]);
  for (const { start, count } of rowRanges(device, rows, [from, columns])) {
    device.kernels.run(
      "shape/columns",
      { WORKGROUP: flatWorkgroup, VECTORS: vectors, ALIGNED: columns % 4 === 0 },
      { x: x.window(start * from, count * from), y: y.window(start * columns, count * columns) },
      { rows: count, x_columns: from, y_columns: columns },
      flatGrid(device, Math.ceil((count * columns) / (4 * vectors))),
    );
  }
  return y;
}

/** The next multiple of 4. */
export function upToFour(extent: number): number {
  return Math.ceil(extent / 4) * 4;
}

/**
 * A weight [taps, rows, columns] with rows and columns filled with zeros or cut to new extents. Not recorded.
 */
export function withRowsAndColumns(x: Tensor, rows: number, columns: number): Tensor {
  const [fromRows, fromColumns] = x.shape.slice(-2) as [number, number];
  const leading = x.shape.slice(0, -2);
  const wide = withColumns(x, columns);
  if (fromRows === rows && fromColumns === columns) return wide;
  const flat = wide.alias([...leading, fromRows * columns]);
  const filled = withColumns(flat, rows * columns);
  const y = filled.alias([...leading, rows, columns]);
  for (const temporary of [wide, flat, filled]) temporary.dispose();
  return y;
}
