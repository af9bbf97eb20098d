import { record } from "../autograd.ts";
import { flatGrid, flatWorkgroup, rowRanges, runsOf } from "../kernel/grid.ts";
import { elementBytes, type Shape, ShapeError, Tensor } from "../tensor.ts";
import { expectTensors, indices as indexType, moved, movedElement } from "./operands.ts";

const gatherTypes = { table: moved, indices: indexType };

/**
 * Rows of a table by their numbers, an embedding lookup: y[…, :] = table[indices[…], :]. table: [V, D], indices: u32 […]
 * → […, D]. An index of V or above gives a row of zeros and no gradient.
 * @throws ShapeError when the table does not have two axes or the indices are not u32; in the gradient, when the indices
 * or the numbers of rows do not fit one binding of the adapter
 */
export function gatherRows(table: Tensor, indices: Tensor): Tensor {
  expectTensors("gatherRows", { table, indices }, gatherTypes);
  if (table.rank !== 2) throw new ShapeError(`gatherRows takes a table [V, D], found [${table.shape}]`);
  // dtable[v] = Σ dy[i] over the i with indices[i] = v, in ascending order
  return record("gatherRows", [table], rowsOf(table, indices), (dy) => [scatterAdd(dy, indices, table.shape)]);
}

/** Rows of a table [V, D] by their numbers → [indices…, D]; zeros for a number of V or above. Not recorded. */
export function rowsOf(table: Tensor, indices: Tensor): Tensor {
  const { device } = table;
  const [tableRows, columns] = table.shape as readonly [number, number];
  const y = Tensor.like(table, [...indices.shape, columns]);
  const vector = columns % 4 === 0;
  const width = vector ? columns / 4 : columns;
  const rowBytes = elementBytes[table.dtype] * columns;
  for (const { start, count } of rowRanges(device, indices.size, [1, columns])) {
    for (const run of runsOf(device, tableRows, [columns])) {
      // As many indices as rows lie in a window of the table; those of other windows leave y as it is.
      const found = Math.round(count * (run.count / Math.max(1, tableRows)));
      const moved = Math.min(found, run.count) + (run.start === 0 ? count : found);
      device.kernels.run(
        "gather/rows",
        { FIRST: run.start === 0, ELEMENT: movedElement(table, vector), WORKGROUP: flatWorkgroup },
        {
          table: table.window(run.start * columns, run.count * columns),
          indices: indices.window(start, count),
          y: y.window(start * columns, count * columns),
        },
        { rows: count, columns: width, first_row: run.start, table_rows: run.count },
        flatGrid(device, count * width),
        { bytes: 4 * count + moved * rowBytes },
      );
    }
  }
  return y;
}

/** Sum of the rows of dy […, D] that have the same index, [V, D]. Equal bits however the invocations run. Not recorded. */
export function scatterAdd(dy: Tensor, indices: Tensor, shape: Shape): Tensor {
  const { device } = dy;
  const [tableRows, columns] = shape as readonly [number, number];
  const { starts, places } = invert(indices, tableRows);
  const dtable = Tensor.empty(device, shape);
  const vector = columns % 4 === 0;
  const width = vector ? columns / 4 : columns;
  for (const { start, count } of rowRanges(device, tableRows, [columns])) {
    for (const run of runsOf(device, indices.size, [columns])) {
      // The share of the window's places that belong to these rows, if all rows are asked for alike.
      const added = Math.round((run.count * count) / tableRows);
      const sums = (run.start === 0 ? 1 : 2) * count * columns;
      device.kernels.run(
        "gather/rows_gradient",
        { FIRST: run.start === 0, VECTOR: vector, WORKGROUP: flatWorkgroup },
        {
          dy: dy.window(run.start * columns, run.count * columns),
          starts: starts.window(),
          places: places.window(),
          dtable: dtable.window(start * columns, count * columns),
        },
        { rows: count, columns: width, first_row: start, first_place: run.start, place_count: run.count },
        flatGrid(device, count * width),
        {
          flops: added * columns,
          bytes: 4 * (count + 1 + added) + elementBytes[dy.dtype] * added * columns + 4 * sums,
        },
      );
    }
  }
  starts.dispose();
  places.dispose();
  return dtable;
}

/** For each row v < rows, where in the list of indices it stands: places[starts[v]] … places[starts[v + 1] − 1], ascending. */
export function invert(indices: Tensor, rows: number): { starts: Tensor; places: Tensor } {
  const { device, size } = indices;
  const counts = Tensor.zeros(device, [rows], "u32");
  const length = Math.max(1, Math.ceil(Math.sqrt(rows)));
  const blocks = Math.ceil(rows / length);
  const sums = Tensor.empty(device, [blocks], "u32");
  const starts = Tensor.empty(device, [rows + 1], "u32");
  const places = Tensor.empty(device, [size], "u32");
  const windows = {
    indices: indices.window(),
    counts: counts.window(),
    starts: starts.window(),
    places: places.window(),
  };
  const prefix = { in_degree: windows.counts, sums: sums.window(), row_start: windows.starts };
  const run = (
    kernel: string,
    bindings: typeof windows | typeof prefix,
    parameters: Record<string, number>,
    n: number,
  ) => device.kernels.run(kernel, { WORKGROUP: flatWorkgroup }, bindings, parameters, flatGrid(device, n));
  run("gather/count", windows, { count: size, rows }, size);
  // The graph's prefix sum, without edges of a row's own.
  run("graph/block_sums", prefix, { rows, length, blocks }, blocks);
  run("graph/row_start", prefix, { rows, length, blocks, degree: 0 }, blocks);
  run("gather/invert", windows, { count: size, rows }, size);
  run("gather/order", windows, { rows }, rows);
  counts.dispose();
  sums.dispose();
  return { starts, places };
}
