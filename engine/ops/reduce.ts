import { record } from "../autograd.ts";
import type { Device } from "../device/device.ts";
import { isWhole } from "../elements.ts";
import { canCut, flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { type DataType, type Shape, ShapeError, sizeOf, Tensor } from "../tensor.ts";
import { type Axes, type ReduceOptions, reduced } from "./axes.ts";
import { kindOf, moved } from "./operands.ts";
import { overElements } from "./over-elements.ts";
import { apart, columnsApart, putBack } from "./rows-apart.ts";

/** Elements that one invocation adds up; longer axes are cut into parts, which keeps rounding small as well. */
export const partLength = 256;

/** What elements become together; formulas stand in shaders/reduce/axis.wgsl. */
export type Reduction = "sum" | "product" | "maximum" | "minimum";

/**
 * x, seen as [outer, axis, inner], reduced over its middle axis → [outer, 1, inner]: f32, maxima and minima of the type of x, and so
 * what is made of whole numbers. Not recorded.
 */
export function reduceAxis(op: Reduction, x: Tensor, outer: number, axis: number, inner: number): Tensor {
  if (axis === 0) return ofNothing(op, x, [outer, 1, inner]);
  if (!canReduce(x, outer, axis, inner)) return reduceApart(op, x, outer, axis, inner);
  const y = reduceParts(op, x, outer, axis, inner);
  const parts = y.shape[1]!;
  if (parts === 1) return y;
  const total = reduceAxis(op, y, outer, parts, inner);
  y.dispose();
  return total;
}

/** What no elements become together: the sum 0, the product 1. There is no largest and no smallest of them. */
function ofNothing(op: Reduction, x: Tensor, shape: Shape): Tensor {
  const type = typeOf(op, x);
  if (op === "sum") return Tensor.zeros(x.device, shape, type);
  if (op === "product") return Tensor.constant(x.device, Array<number>(sizeOf(shape)).fill(1), shape, type);
  throw new ShapeError(`there is no ${op} of no elements`);
}

/** Sum of x, seen as [outer, axis, inner], over its middle axis → f32 [outer, 1, inner]. Not recorded. */
export function sumAxis(x: Tensor, outer: number, axis: number, inner: number): Tensor {
  return reduceAxis("sum", x, outer, axis, inner);
}

/** Windows of x and of its parts can be cut, and parts of one row fit a window; else rows are taken out one by one. */
function canReduce({ device }: Tensor, outer: number, axis: number, inner: number): boolean {
  if (outer === 1) {
    if (!canCut(device, axis, [inner])) return false;
    const parts = rowRanges(device, axis, [inner]).reduce(
      (total, { count }) => total + Math.ceil(count / partLength),
      0,
    );
    return inner <= columnStep(device) || parts * inner * 4 + 12 <= device.maximumBindingBytes;
  }
  return canCut(device, outer, [axis * inner, Math.ceil(axis / partLength) * inner]);
}

/** Columns of any type of which whole multiples end where a window can begin. */
function columnStep({ offsetAlignment }: Device): number {
  return offsetAlignment / 2;
}

/** {@link reduceAxis} over rows that lie where no window can begin, or are longer than one. */
function reduceApart(op: Reduction, x: Tensor, outer: number, axis: number, inner: number): Tensor {
  const { device } = x;
  const y = Tensor.empty(device, [outer, 1, inner], typeOf(op, x));
  if (outer === 1) {
    // So many columns that all their rows fit a window, which begin where a window can, and what is left.
    const step = columnStep(device);
    const fitting = Math.min(inner, Math.floor((device.maximumBindingBytes - 12) / 4 / axis));
    const run = Math.max(1, Math.floor(fitting / step)) * step;
    for (let first = 0; first < inner; first += run) {
      const count = Math.min(run, inner - first);
      using columns = columnsApart(x, axis, inner, first, count);
      using total = reduceAxis(op, columns, 1, axis, count);
      putBack(total, y, first);
    }
    return y;
  }
  for (let o = 0; o < outer; o++) {
    using row = apart(x, o * axis * inner, [1, axis, inner]);
    using total = reduceAxis(op, row, 1, axis, inner);
    putBack(total, y, o * inner);
  }
  return y;
}

function typeOf(op: Reduction, x: Tensor): DataType {
  return op === "maximum" || op === "minimum" || isWhole(x.dtype) ? x.dtype : "f32";
}

/** One round of {@link sumAxis}: the sums over parts of the middle axis → f32 [outer, parts, inner]. Not recorded. */
export function partSums(x: Tensor, outer: number, axis: number, inner: number): Tensor {
  return reduceParts("sum", x, outer, axis, inner);
}

/** One round of {@link reduceAxis}: parts of the middle axis → [outer, parts, inner]. Not recorded. */
function reduceParts(op: Reduction, x: Tensor, outer: number, axis: number, inner: number): Tensor {
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
  const y = Tensor.empty(device, [outer, allParts, inner], typeOf(op, x));
  let firstPart = 0;
  for (const { start, count } of ranges) {
    const [rows, length] = alongAxis ? [1, count] : [count, axis];
    const parts = partsOf(length);
    const rowSize = alongAxis ? inner : axis * inner;
    device.kernels.run(
      "reduce/axis",
      { OP: op, TYPE: kindOf(x), VECTOR: vector, WORKGROUP: flatWorkgroup },
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

function reduction(
  name: string,
  given: Tensor,
  axes: Axes | undefined,
  options: ReduceOptions,
  factorOf: (length: number) => number,
): Tensor {
  const types = name === "sum" ? moved : undefined;
  const { x, outer, axis, inner, shape, details } = reduced(name, given, axes, options, types);
  const factor = factorOf(axis);
  const total = sumAxis(x, outer, axis, inner);
  const scaled = factor === 1 ? total : expand(total, total, 1, 1, total.size, factor);
  // dx[…, a, …] = factor · dy for every a
  return record([name, details], [x], scaled.alias(shape), (dy) => [expand(dy, x, outer, axis, inner, factor)]);
}

/**
 * Sum over one axis or several (negative ones count from the last), which disappear, or over all elements → [1]; 0 of none.
 * f32, and of u32 and i32 their type, modulo 2^32.
 * @throws ShapeError when it has no such axis, or one is named twice
 */
export function sum(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  return reduction("sum", x, axes, options, () => 1);
}

/** Mean over one axis or several, or over all elements, as {@link sum}; NaN of none. */
export function mean(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  return reduction("mean", x, axes, options, (length) => 1 / length);
}
