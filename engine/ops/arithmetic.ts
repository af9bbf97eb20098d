import { record } from "../autograd.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { type Shape, ShapeError, sizeOf, Tensor } from "../tensor.ts";
import { expectOperands } from "./operands.ts";
import { overElements } from "./over-elements.ts";
import { sumAxis } from "./reduce.ts";
import { scaled } from "./unary.ts";

type Binary = "add" | "subtract" | "multiply" | "divide" | "at_least";

/** Axes that a kernel can tell apart. */
const largestRank = 6;

/** Neighbouring axes of the result that both operands treat alike, taken as one. */
interface Axis {
  extent: number;
  /** The operand is repeated along it. */
  readonly repeatsA: boolean;
  readonly repeatsB: boolean;
}

/**
 * The shape of both operands after NumPy's broadcasting: aligned at the last axis, extents equal or one of them 1.
 * @throws ShapeError when they do not go together
 */
export function broadcastShape(operation: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    if (x !== y && x !== 1 && y !== 1) {
      throw new ShapeError(`${operation}: shapes [${a}] and [${b}] cannot be broadcast: ${x} against ${y}`);
    }
    return Math.max(x, y);
  });
}

function axesOf(operation: string, a: Shape, b: Shape, shape: Shape): Axis[] {
  const axes: Axis[] = [];
  shape.forEach((extent, i) => {
    if (extent === 1) return;
    const repeatsA = (a[i - shape.length + a.length] ?? 1) === 1;
    const repeatsB = (b[i - shape.length + b.length] ?? 1) === 1;
    const last = axes.at(-1);
    if (last && last.repeatsA === repeatsA && last.repeatsB === repeatsB) last.extent *= extent;
    else axes.push({ extent, repeatsA, repeatsB });
  });
  if (axes.length > largestRank) {
    throw new ShapeError(
      `${operation}: [${a}] with [${b}] alternates over ${axes.length} axes, at most ${largestRank}`,
    );
  }
  return axes.length > 0 ? axes : [{ extent: 1, repeatsA: false, repeatsB: false }];
}

function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

/** Not recorded. */
function combine(op: Binary, a: Tensor, b: Tensor, operation: string = op): Tensor {
  expectOperands(operation, { a, b });
  if (!sameShape(a.shape, b.shape)) return combineRepeated(op, a, b, operation);
  const y = Tensor.like(a);
  overElements("elementwise/binary", { OP: op }, { a, b, y }, {}, {}, 1);
  return y;
}

/** {@link combine} where an operand is repeated along some axes. */
function combineRepeated(op: Binary, a: Tensor, b: Tensor, operation: string): Tensor {
  const { device } = a;
  const shape = broadcastShape(operation, a.shape, b.shape);
  const axes = axesOf(operation, a.shape, b.shape, shape);
  const y = Tensor.like(a, shape);
  const [first, last] = [axes[0]!, axes.at(-1)!];
  const vector = axes.length > 1 && last.extent % 4 === 0;
  const width = vector ? 4 : 1;
  const rowA = first.repeatsA ? 0 : a.size / first.extent;
  const rowB = first.repeatsB ? 0 : b.size / first.extent;
  const rowY = y.size / first.extent;
  for (const { start, count } of rowRanges(
    device,
    first.extent,
    [rowA, rowB, rowY].filter((row) => row > 0),
  )) {
    const windowOf = (tensor: Tensor, row: number) =>
      row === 0 ? tensor.window() : tensor.window(start * row, count * row);
    const parameters: Record<string, number> = { count: (count * rowY) / width };
    let [strideA, strideB] = [1, 1];
    axes.toReversed().forEach(({ extent, repeatsA, repeatsB }, d) => {
      const steps = d === 0 ? extent / width : extent;
      parameters[`extent${d}`] = steps;
      parameters[`a_stride${d}`] = repeatsA ? 0 : strideA;
      parameters[`b_stride${d}`] = repeatsB ? 0 : strideB;
      if (!repeatsA) strideA *= steps;
      if (!repeatsB) strideB *= steps;
    });
    device.kernels.run(
      "elementwise/broadcast",
      {
        OP: op,
        RANK: axes.length,
        VECTOR: vector,
        A_SPLAT: vector && last.repeatsA,
        B_SPLAT: vector && last.repeatsB,
        WORKGROUP: flatWorkgroup,
      },
      { a: windowOf(a, rowA), b: windowOf(b, rowB), y: windowOf(y, rowY) },
      parameters,
      flatGrid(device, (count * rowY) / width),
      { flops: count * rowY },
    );
  }
  return y;
}

/**
 * Sum of x over the axes along which a tensor of `shape` was repeated to the shape of x; x where there are none. Otherwise
 * `x` itself is disposed of.
 */
function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const extents = [...x.shape];
  const leading = extents.length - shape.length;
  let total = x;
  const repeated = (axis: number) => extents[axis] !== 1 && (axis < leading || shape[axis - leading] === 1);
  for (let axis = 0; axis < extents.length; axis++) {
    if (!repeated(axis)) continue;
    let end = axis + 1;
    while (end < extents.length && repeated(end)) end++;
    const summed = sumAxis(
      total,
      sizeOf(extents.slice(0, axis)),
      sizeOf(extents.slice(axis, end)),
      sizeOf(extents.slice(end)),
    );
    total.dispose();
    total = summed;
    extents.fill(1, axis, end);
  }
  const y = total.alias(shape);
  total.dispose();
  return y;
}

function negated(x: Tensor): Tensor {
  const y = scaled(x, -1);
  x.dispose();
  return y;
}

/**
 * y = a + b. Extents are equal or 1, aligned at the last axis as in NumPy.
 * @throws ShapeError when the shapes cannot be broadcast, alternate over more than 6 axes, or hold indices
 */
export function add(a: Tensor, b: Tensor): Tensor {
  // da = dy    db = dy    each summed over the axes along which it was repeated, here and below
  return record("add", [a, b], combine("add", a, b), (dy) => [
    a.tracked ? sumTo(dy.alias(), a.shape) : undefined,
    b.tracked ? sumTo(dy.alias(), b.shape) : undefined,
  ]);
}

/** y = a − b; shapes and errors as in {@link add}. */
export function subtract(a: Tensor, b: Tensor): Tensor {
  // da = dy    db = −dy
  return record("subtract", [a, b], combine("subtract", a, b), (dy) => [
    a.tracked ? sumTo(dy.alias(), a.shape) : undefined,
    b.tracked ? negated(sumTo(dy.alias(), b.shape)) : undefined,
  ]);
}

/** y = a · b element by element; shapes and errors as in {@link add}. */
export function multiply(a: Tensor, b: Tensor): Tensor {
  // da = dy · b    db = dy · a
  return record("multiply", [a, b], combine("multiply", a, b), (dy) => [
    a.tracked ? sumTo(combine("multiply", dy, b), a.shape) : undefined,
    b.tracked ? sumTo(combine("multiply", dy, a), b.shape) : undefined,
  ]);
}

/** y = a / b element by element; shapes and errors as in {@link add}. */
export function divide(a: Tensor, b: Tensor): Tensor {
  const y = combine("divide", a, b);
  // da = dy / b    db = −dy · y / b
  return record("divide", [a, b], y, (dy) => [
    a.tracked ? sumTo(combine("divide", dy, b), a.shape) : undefined,
    b.tracked ? negated(sumTo(combine("divide", combine("multiply", dy, y), b), b.shape)) : undefined,
  ]);
}

/**
 * y = 1 where a ≥ b, else 0, and 0 where either is NaN; shapes and errors as in {@link add}. Has no gradient: it is flat wherever it
 * is smooth.
 */
export function atLeast(a: Tensor, b: Tensor): Tensor {
  return combine("at_least", a, b, "atLeast");
}
