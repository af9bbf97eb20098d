import { axisOf } from "../arguments.ts";
import { record } from "../autograd.ts";
import { canCut, flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { type Shape, sizeOf, Tensor } from "../tensor.ts";
import { addInto } from "./add-into.ts";
import { expectOperands } from "./operands.ts";
import { overElements } from "./over-elements.ts";
import { apart, putBack } from "./rows-apart.ts";

/** Elements that one invocation adds up; longer axes are cut into parts, which keeps rounding small as well. */
export const partLength = 256;

/** Sum of x, seen as [outer, axis, inner], over its middle axis → f32 [outer, 1, inner]. Not recorded. */
export function sumAxis(x: Tensor, outer: number, axis: number, inner: number): Tensor {
  if (!canSum(x, outer, axis, inner)) return sumApart(x, outer, axis, inner);
  const y = partSums(x, outer, axis, inner);
  const parts = y.shape[1]!;
  if (parts === 1) return y;
  const total = sumAxis(y, outer, parts, inner);
  y.dispose();
  return total;
}

/** Windows of x and of its parts can be cut; else its rows are taken out one by one. */
function canSum({ device }: Tensor, outer: number, axis: number, inner: number): boolean {
  if (outer === 1) return canCut(device, axis, [inner]);
  return canCut(device, outer, [axis * inner, Math.ceil(axis / partLength) * inner]);
}

/** {@link sumAxis} over rows that lie where no window can begin, or are longer than one. */
function sumApart(x: Tensor, outer: number, axis: number, inner: number): Tensor {
  const { device } = x;
  if (outer === 1) {
    let total = Tensor.zeros(device, [1, 1, inner]);
    for (let a = 0; a < axis; a++) {
      using row = apart(x, a * inner, [1, 1, inner]);
      total = addInto(total, row);
    }
    return total;
  }
  const y = Tensor.empty(device, [outer, 1, inner]);
  for (let o = 0; o < outer; o++) {
    using row = apart(x, o * axis * inner, [1, axis, inner]);
    using total = sumAxis(row, 1, axis, inner);
    putBack(total, y, o * inner);
  }
  return y;
}

/** One round of {@link sumAxis}: the sums over parts of the middle axis → f32 [outer, parts, inner]. Not recorded. */
export function partSums(x: Tensor, outer: number, axis: number, inner: number): Tensor {
  const { device } = x;
  const vector = inner % 4 === 0;
  const width = vector ? inner / 4 : inner;
  // Windows cut the outermost axis; when that is the summed one, every window makes parts of its own.
  const alongAxis = outer === 1;
  const partsOf = (length: number) => Math.ceil(length / partLength);
  const ranges = alongAxis
    ? rowRanges(device, axis, [inner])
    : rowRanges(device, outer, [axis * inner, partsOf(axis) * inner]);
  const allParts = alongAxis ? ranges.reduce((sum, range) => sum + partsOf(range.count), 0) : partsOf(axis);
  const y = Tensor.empty(device, [outer, allParts, inner]);
  let firstPart = 0;
  for (const { start, count } of ranges) {
    const [rows, length] = alongAxis ? [1, count] : [count, axis];
    const parts = partsOf(length);
    const rowSize = alongAxis ? inner : axis * inner;
    device.kernels.run(
      "reduce/axis",
      { VECTOR: vector, WORKGROUP: flatWorkgroup },
      {
        x: x.window(start * rowSize, count * rowSize),
        y: alongAxis ? y.window() : y.window(start * allParts * inner, count * allParts * inner),
      },
      {
        outer: rows,
        axis: length,
        inner: width,
        parts,
        part_length: partLength,
        first_part: firstPart,
        all_parts: allParts,
      },
      flatGrid(device, rows * parts * width),
      { flops: rows * length * inner },
    );
    if (alongAxis) firstPart += parts;
  }
  return y;
}

/** Sum over the leading axis, in order: [parts, …shape] → shape. Not recorded; `parts` is disposed of. */
export function sumParts(parts: Tensor, shape: Shape): Tensor {
  const count = parts.shape[0]!;
  const flat = count === 1 ? parts : sumAxis(parts, 1, count, sizeOf(shape));
  const y = flat.alias(shape);
  flat.dispose();
  parts.dispose();
  return y;
}

/** factor · y repeated over the middle axis of [outer, axis, inner], in a tensor of the type and shape of `model`. */
function expand(y: Tensor, model: Tensor, outer: number, axis: number, inner: number, factor: number): Tensor {
  const x = Tensor.like(model);
  expandInto(x, y, outer, axis, inner, factor);
  return x;
}

function expandInto(x: Tensor, y: Tensor, outer: number, axis: number, inner: number, factor: number): void {
  const { device } = y;
  const alongAxis = outer === 1;
  const [rows, rowSize] = alongAxis ? [axis, inner] : [outer, axis * inner];
  if (rows > 1 && !canCut(device, rows, [rowSize, inner])) {
    expandApart(x, y, outer, axis, inner, factor);
    return;
  }
  if (axis === 1) {
    const flops = factor === 1 ? 0 : 1;
    overElements("elementwise/unary", { OP: "scale", GRADIENT: false }, { x: y, y: x }, { factor }, {}, flops);
    return;
  }
  for (const { start, count } of rowRanges(device, rows, [rowSize, inner])) {
    device.kernels.run(
      "reduce/expand",
      { WORKGROUP: flatWorkgroup },
      {
        y: alongAxis ? y.window() : y.window(start * inner, count * inner),
        x: x.window(start * rowSize, count * rowSize),
      },
      { outer: alongAxis ? 1 : count, axis: alongAxis ? count : axis, inner, factor },
      flatGrid(device, count * rowSize),
      { flops: factor === 1 ? 0 : count * rowSize },
    );
  }
}

/** {@link expandInto} over rows that lie where no window can begin, or are longer than one. */
function expandApart(x: Tensor, y: Tensor, outer: number, axis: number, inner: number, factor: number): void {
  if (outer === 1) {
    // Along the axis every row is the same one.
    using row = Tensor.like(x, [inner]);
    expandInto(row, y, 1, 1, inner, factor);
    for (let a = 0; a < axis; a++) putBack(row, x, a * inner);
    return;
  }
  for (let o = 0; o < outer; o++) {
    using own = apart(y, o * inner, [inner]);
    using rows = Tensor.like(x, [axis, inner]);
    expandInto(rows, own, 1, axis, inner, factor);
    putBack(rows, x, o * axis * inner);
  }
}

function reduction(name: string, x: Tensor, axis: number | undefined, factorOf: (length: number) => number): Tensor {
  expectOperands(name, { x });
  const at = axis === undefined ? undefined : axisOf(name, x.shape, axis);
  const outer = at === undefined ? 1 : sizeOf(x.shape.slice(0, at));
  const length = at === undefined ? x.size : x.shape[at]!;
  const inner = at === undefined ? 1 : sizeOf(x.shape.slice(at + 1));
  const rest = at === undefined ? [] : x.shape.filter((_, i) => i !== at);
  const factor = factorOf(length);
  const total = sumAxis(x, outer, length, inner);
  const scaled = factor === 1 ? total : expand(total, total, 1, 1, total.size, factor);
  const y = scaled.alias(rest.length > 0 ? rest : [1]);
  // dx[…, a, …] = factor · dy for every a
  return record([name, { axis: at }], [x], y, (dy) => [expand(dy, x, outer, length, inner, factor)]);
}

/** Sum over one axis (negative counts from the last), which disappears, or over all elements → [1]. Always f32. */
export function sum(x: Tensor, axis?: number): Tensor {
  return reduction("sum", x, axis, () => 1);
}

/** Mean over one axis (negative counts from the last), which disappears, or over all elements → [1]. Always f32. */
export function mean(x: Tensor, axis?: number): Tensor {
  return reduction("mean", x, axis, (length) => 1 / length);
}
