import { any, axisOf, expectArgument, expectList, number, whole } from "../arguments.ts";
import { record } from "../autograd.ts";
import { isWhole, wholeRange } from "../elements.ts";
import { canCut, flatGrid, flatWorkgroup, greatestCommonDivisor, rowRanges } from "../kernel/grid.ts";
import { elementBytes, type Shape, ShapeError, sizeOf, Tensor } from "../tensor.ts";
import { expectOperandList, expectTensors, moved, movedElement } from "./operands.ts";
import { copyable, place } from "./place.ts";
import { apart } from "./rows-apart.ts";

/** Axes that a kernel can tell apart. */
const largestRank = 6;

/** One axis of a result: place i of it shows place i − before of x, `stride` elements a step, if that is below `from`. */
interface StridedAxis {
  readonly extent: number;
  readonly before: number;
  readonly from: number;
  readonly stride: number;
}

/** Elements from one place of each axis to the next. */
function stridesOf(shape: Shape): number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}

function expectRank(operation: string, x: Tensor): void {
  expectTensors(operation, { x }, { x: moved });
  if (x.rank > largestRank) throw new ShapeError(`${operation} takes at most ${largestRank} axes, found [${x.shape}]`);
}

/** The bits that a kernel writes for a value of the type of x. */
function bitsOf(x: Tensor, value: number): number {
  return isWhole(x.dtype) ? value >>> 0 : new Uint32Array(Float32Array.of(value).buffer)[0]!;
}

/**
 * A tensor of the given axes that shows elements of x, elsewhere `value`. Not recorded. The first axis is cut into
 * windows when one binding does not hold y, and x with it where its first axis is the same one.
 */
function strided(x: Tensor, axes: readonly StridedAxis[], value = 0): Tensor {
  const { device } = x;
  const y = Tensor.like(
    x,
    axes.map((axis) => axis.extent),
  );
  if (y.size === 0) return y;
  const [first, last] = [axes[0]!, axes.at(-1)!];
  const rowY = y.size / first.extent;
  // Rows of x by its first axis; one row when that axis stands elsewhere in y.
  const rowsX = x.size > 0 && first.stride * first.from === x.size ? first.from : 1;
  const rowX = x.size / rowsX;
  const alignment = device.offsetAlignment;
  const step = alignment / greatestCommonDivisor(rowX * elementBytes[x.dtype], alignment);
  const whole = rowsX === 1 || x.sizeBytes + 12 <= device.maximumBindingBytes;
  const moved = first.before === 0 ? 0 : step;
  const fitting = Math.floor((device.maximumBindingBytes - 12) / (rowX * 4)) - moved;
  if (!whole && fitting < 1) {
    throw new ShapeError(`a row of [${x.shape}] does not fit one binding of ${device.maximumBindingBytes} bytes`);
  }
  const vector =
    axes.length > 1 &&
    last.stride === 1 &&
    last.before === 0 &&
    last.from === last.extent &&
    last.extent % 4 === 0 &&
    axes.slice(0, -1).every(({ stride }) => stride % 4 === 0);
  const width = vector ? 4 : 1;
  for (const { start, count } of rowRanges(device, first.extent, [rowY], whole ? first.extent : fitting)) {
    const low = whole ? 0 : Math.floor(clamp(start - first.before, rowsX - 1) / step) * step;
    const high = whole ? rowsX : clamp(start + count - first.before, rowsX);
    const rows = Math.max(1, high - low);
    const parameters: Record<string, number> = { count: (count * rowY) / width, fill: bitsOf(x, value) };
    axes.toReversed().forEach((axis, d) => {
      const outermost = d === axes.length - 1;
      const innermost = d === 0;
      parameters[`extent${d}`] = (outermost ? count : axis.extent) / (innermost ? width : 1);
      parameters[`before${d}`] = outermost ? axis.before - start + low : axis.before;
      parameters[`from${d}`] = (outermost ? axis.from - low : axis.from) / (innermost ? width : 1);
      parameters[`stride${d}`] = innermost ? axis.stride : axis.stride / width;
    });
    // Elements of x that y shows; the others of y are filled.
    const shown = axes.reduce((product, { extent, before, from }, d) => {
      const [begin, end] = d === 0 ? [start, start + count] : [0, extent];
      return product * Math.max(0, Math.min(end, before + from) - Math.max(begin, before));
    }, 1);
    device.kernels.run(
      "shape/strided",
      {
        RANK: axes.length,
        ELEMENT: movedElement(x, vector),
        HALF: x.dtype === "f16",
        WORKGROUP: flatWorkgroup,
      },
      { x: whole ? x.window() : x.window(low * rowX, rows * rowX), y: y.window(start * rowY, count * rowY) },
      parameters,
      flatGrid(device, (count * rowY) / width),
      { bytes: elementBytes[x.dtype] * (shown + count * rowY) },
    );
  }
  return y;
}

function clamp(place: number, most: number): number {
  return Math.min(Math.max(place, 0), most);
}

/** x moved by `before` along each axis, in a tensor of `shape`; what x does not cover is `value`. Not recorded. */
function shifted(x: Tensor, before: readonly number[], shape: Shape, value = 0): Tensor {
  const strides = stridesOf(x.shape);
  return strided(
    x,
    shape.map((extent, d) => ({ extent, before: before[d]!, from: x.shape[d]!, stride: strides[d]! })),
    value,
  );
}

/**
 * The part of x from `starts` (included) to `ends` (excluded) along each axis; negative numbers count from the end.
 * x: any type, at most 6 axes.
 * @throws ShapeError when there is not one start and one end for each axis, or they bound no part of it
 */
export function slice(x: Tensor, starts: readonly number[], ends: readonly number[]): Tensor {
  expectRank("slice", x);
  expectList("slice", "starts", starts, any);
  expectList("slice", "ends", ends, any);
  if (starts.length !== x.rank || ends.length !== x.rank) {
    throw new ShapeError(`slice: [${x.shape}] needs ${x.rank} starts and ends, found [${starts}] and [${ends}]`);
  }
  const place = (at: number, axis: number) => (at < 0 ? at + x.shape[axis]! : at);
  const from = starts.map(place);
  const shape = ends.map((end, axis) => place(end, axis) - from[axis]!);
  shape.forEach((extent, axis) => {
    const start = from[axis]!;
    if (
      !(Number.isInteger(start) && Number.isInteger(ends[axis]) && start >= 0 && extent >= 0) ||
      start + extent > x.shape[axis]!
    ) {
      throw new ShapeError(`slice: ${starts[axis]} to ${ends[axis]} is no part of axis ${axis} of [${x.shape}]`);
    }
  });
  const before = from.map((start) => -start);
  // dx is dy surrounded by zeros to the shape of x
  return record(["slice", { starts: from }], [x], shifted(x, before, shape), (dy) => [shifted(dy, from, x.shape)]);
}

/**
 * x surrounded by `value`: `before` places in front of each axis and `after` behind it. x: any type, at most 6 axes.
 * @throws ShapeError when there is not one whole number ≥ 0 before and after each axis
 */
export function pad(x: Tensor, before: readonly number[], after: readonly number[], value = 0): Tensor {
  expectRank("pad", x);
  expectList("pad", "before", before, any);
  expectList("pad", "after", after, any);
  expectArgument("pad", "the value", value, isWhole(x.dtype) ? whole(...wholeRange(x.dtype)) : number);
  const valid = (places: readonly number[]) =>
    places.length === x.rank && places.every((count) => Number.isSafeInteger(count) && count >= 0);
  if (!valid(before) || !valid(after)) {
    throw new ShapeError(
      `pad: [${x.shape}] needs ${x.rank} whole numbers ≥ 0 before and after, found [${before}] and [${after}]`,
    );
  }
  const shape = x.shape.map((extent, axis) => before[axis]! + extent + after[axis]!);
  const from = before.map((places) => -places);
  // dx is the part of dy that x covers
  return record(["pad", { before, after, value }], [x], shifted(x, before, shape, value), (dy) => [
    shifted(dy, from, x.shape),
  ]);
}

/** Not recorded. */
function permuted(x: Tensor, axes: readonly number[]): Tensor {
  const { device, shape, size } = x;
  const whole = x.sizeBytes + 12 <= device.maximumBindingBytes;
  if (!whole && !(axes[0] === 0 && canCut(device, shape[0]!, [size / shape[0]!]))) return permutedInParts(x, axes);
  const strides = stridesOf(x.shape);
  return strided(
    x,
    axes.map((axis) => ({ extent: x.shape[axis]!, before: 0, from: x.shape[axis]!, stride: strides[axis]! })),
  );
}

/** A tensor larger than one binding: runs along its first axis that is longer than 1, each in its place in the result. */
function permutedInParts(x: Tensor, axes: readonly number[]): Tensor {
  const split = Math.max(
    0,
    x.shape.findIndex((extent) => extent > 1),
  );
  const rowX = x.size / x.shape[split]!;
  const at = axes.indexOf(split);
  const y = Tensor.like(
    x,
    axes.map((axis) => x.shape[axis]!),
  );
  const [outer, inner] = [sizeOf(y.shape.slice(0, at)), sizeOf(y.shape.slice(at + 1))];
  const fitting = Math.floor((x.device.maximumBindingBytes - 12) / (4 * rowX));
  const run = Math.max(1, fitting - (fitting % 2));
  for (let first = 0; first < x.shape[split]!; first += run) {
    const count = Math.min(run, x.shape[split]! - first);
    using part = apart(x, first * rowX, x.shape.with(split, count));
    using moved = permuted(part, axes);
    place(moved, y, outer, count * inner, x.shape[split]! * inner, first * inner);
  }
  return y;
}

/**
 * Axes in another order: axis d of the result is axis `axes[d]` of x (negative counts from the last). x: any type, at
 * most 6 axes.
 * @throws ShapeError when `axes` is not a permutation of the axes of x
 */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  expectRank("permute", x);
  expectList("permute", "axes", axes, any);
  const order = axes.map((axis) => axisOf("permute", x.shape, axis));
  if (order.length !== x.rank || new Set(order).size !== x.rank) {
    throw new ShapeError(`permute: [${axes}] is not a permutation of the axes of [${x.shape}]`);
  }
  const inverse = order.map((_, axis) => order.indexOf(axis));
  // dx = dy with the axes in their old order
  return record(["permute", { axes: order }], [x], permuted(x, order), (dy) => [permuted(dy, inverse)]);
}

/**
 * Tensors one behind the other along an axis (negative counts from the last); all other extents are equal.
 * @throws ShapeError when there is no tensor, or types or other extents differ
 */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  expectOperandList("concat", tensors, moved);
  const head = tensors[0]!;
  const at = axisOf("concat", head.shape, axis);
  for (const tensor of tensors) {
    const fits = tensor.rank === head.rank && tensor.shape.every((extent, i) => i === at || extent === head.shape[i]);
    if (!fits || tensor.dtype !== head.dtype) {
      throw new ShapeError(
        `concat along axis ${at}: ${tensor.dtype} [${tensor.shape}] does not go with ${head.dtype} [${head.shape}]`,
      );
    }
  }
  const extents = tensors.map((tensor) => tensor.shape[at]!);
  const total = extents.reduce((sum, extent) => sum + extent, 0);
  const y = Tensor.like(head, head.shape.with(at, total));
  const firsts = extents.map((_, i) => extents.slice(0, i).reduce((sum, extent) => sum + extent, 0));
  const [outer, inner] = [sizeOf(head.shape.slice(0, at)), sizeOf(head.shape.slice(at + 1))];
  tensors.forEach((tensor, i) => {
    place(tensor, y, outer, extents[i]! * inner, total * inner, firsts[i]! * inner);
  });
  // dx_i is the part of dy that x_i became
  return record(["concat", { axis: at }], tensors, y, (dy) =>
    tensors.map((tensor, i) => (tensor.tracked ? part(dy, tensor.shape, at, firsts[i]!) : undefined)),
  );
}

/** The places `first …` along an axis of y that a tensor of `shape` takes up. */
function part(y: Tensor, shape: Shape, axis: number, first: number): Tensor {
  const { device } = y;
  const [outer, inner] = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1))];
  const firstByte = first * inner * elementBytes[y.dtype];
  const bytes = sizeOf(shape) * elementBytes[y.dtype];
  if (outer === 1 && copyable(firstByte, bytes)) {
    const x = Tensor.like(y, shape);
    device.stream.copy(y.allocation, firstByte, x.allocation, 0, bytes);
    return x;
  }
  const rows = y.alias([outer, y.shape[axis]! * inner]);
  const columns = shape[axis]! * inner;
  const cut = shifted(rows, [0, -first * inner], [outer, columns]);
  const x = cut.alias(shape);
  for (const temporary of [rows, cut]) temporary.dispose();
  return x;
}
