import { expectArgument, number, oneOf } from "../arguments.ts";
import { record } from "../autograd.ts";
import type { Parameter } from "../kernel/dispatch.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { type DataType, ShapeError, Tensor } from "../tensor.ts";
import { expectOperands } from "./operands.ts";

type Unary = "relu" | "scale" | "exp" | "log" | "sqrt" | "square";
type Binary = "add" | "subtract" | "multiply" | "divide" | "relu_gradient";

/**
 * Runs a kernel over all elements of equally long tensors, in windows where one binding does not hold them; tensors in
 * `whole` are bound as they are in every window.
 * @param flopsPerElement floating-point operations of one element, where there are any
 */
export function overElements(
  kernel: string,
  constants: Readonly<Record<string, string | number | boolean>>,
  tensors: Readonly<Record<string, Tensor>>,
  parameters: Readonly<Record<string, Parameter>> = {},
  whole: Readonly<Record<string, Tensor>> = {},
  flopsPerElement?: number,
): void {
  const first = Object.values(tensors)[0]!;
  const { device } = first;
  for (const { start, count } of rowRanges(device, Math.ceil(first.size / 4), [4])) {
    const windows = [
      ...Object.entries(tensors).map(([name, tensor]) => [name, tensor.window(start * 4, count * 4)] as const),
      ...Object.entries(whole).map(([name, tensor]) => [name, tensor.window()] as const),
    ];
    device.kernels.run(
      kernel,
      { ...constants, WORKGROUP: flatWorkgroup },
      Object.fromEntries(windows),
      { ...parameters, count4: count },
      flatGrid(device, count),
      flopsPerElement === undefined
        ? undefined
        : { flops: flopsPerElement * Math.min(4 * count, first.size - 4 * start) },
    );
  }
}

function unary(op: Unary, x: Tensor, factor = 0): Tensor {
  expectOperands(op, { x });
  const y = Tensor.like(x);
  overElements("elementwise/unary", { OP: op }, { x, y }, { factor }, {}, 1);
  return y;
}

function binary(op: Binary, a: Tensor, b: Tensor): Tensor {
  expectOperands(op, { a, b });
  expectSameShape(op, a, b);
  const y = Tensor.like(a);
  overElements("elementwise/binary", { OP: op }, { a, b, y }, {}, {}, op === "relu_gradient" ? 0 : 1);
  return y;
}

export function expectSameShape(operation: string, a: Tensor, b: Tensor): void {
  if (a.rank !== b.rank || a.shape.some((extent, i) => extent !== b.shape[i])) {
    throw new ShapeError(`${operation}: shapes [${a.shape}] and [${b.shape}] differ`);
  }
}

/** y = max(x, 0). */
export function relu(x: Tensor): Tensor {
  const y = unary("relu", x);
  // dx = 0 where y = 0, else dy
  return record("relu", [x], y, (dy) => [binary("relu_gradient", dy, y)]);
}

/** y = factor · x. Throws RangeError when the factor is no number. */
export function scale(x: Tensor, factor: number): Tensor {
  expectArgument("scale", "the factor", factor, number);
  // dx = factor · dy
  return record("scale", [x], unary("scale", x, factor), (dy) => [unary("scale", dy, factor)]);
}

const castTypes = oneOf("f32", "f16");

/**
 * The same numbers as f32 or f16, rounded to nearest; beyond ±65,504 f16 is infinite. Operations on f16 tensors give f16.
 * @throws ShapeError when x holds u32, or the adapter has no f16
 */
export function cast(x: Tensor, dtype: "f32" | "f16"): Tensor {
  expectOperands("cast", { x });
  expectArgument("cast", "the type", dtype, castTypes);
  // dx = dy in the type of x
  return record("cast", [x], converted(x, dtype), (dy) => [converted(dy, x.dtype)]);
}

function converted(x: Tensor, dtype: DataType): Tensor {
  if (x.dtype === dtype) return x.alias();
  const y = Tensor.empty(x.device, x.shape, dtype);
  overElements("elementwise/unary", { OP: "scale" }, { x, y }, { factor: 1 }, {}, 0);
  return y;
}

/** y = e^x. */
export function exp(x: Tensor): Tensor {
  const y = unary("exp", x);
  // dx = dy · y
  return record("exp", [x], y, (dy) => [binary("multiply", dy, y)]);
}

/** y = ln x; −∞ at 0, NaN below. */
export function log(x: Tensor): Tensor {
  // dx = dy / x
  return record("log", [x], unary("log", x), (dy) => [binary("divide", dy, x)]);
}

/** y = √x, for x > 0. */
export function sqrt(x: Tensor): Tensor {
  const y = unary("sqrt", x);
  // dx = (dy / 2) / y
  return record("sqrt", [x], y, (dy) => [binary("divide", unary("scale", dy, 0.5), y)]);
}

/** y = x². */
export function square(x: Tensor): Tensor {
  // dx = 2x · dy
  return record("square", [x], unary("square", x), (dy) => [unary("scale", binary("multiply", dy, x), 2)]);
}

/** y = a + b, shapes equal. */
export function add(a: Tensor, b: Tensor): Tensor {
  // da = dy    db = dy
  return record("add", [a, b], binary("add", a, b), (dy) => [dy, dy]);
}

/** y = a − b, shapes equal. */
export function subtract(a: Tensor, b: Tensor): Tensor {
  // da = dy    db = −dy
  return record("subtract", [a, b], binary("subtract", a, b), (dy) => [
    dy,
    b.tracked ? unary("scale", dy, -1) : undefined,
  ]);
}

/** y = a · b element by element, shapes equal. */
export function multiply(a: Tensor, b: Tensor): Tensor {
  // da = dy · b    db = dy · a
  return record("multiply", [a, b], binary("multiply", a, b), (dy) => [
    a.tracked ? binary("multiply", dy, b) : undefined,
    b.tracked ? binary("multiply", dy, a) : undefined,
  ]);
}

/** y = a / b element by element, shapes equal. */
export function divide(a: Tensor, b: Tensor): Tensor {
  const y = binary("divide", a, b);
  // da = dy / b    db = −dy · y / b
  return record("divide", [a, b], y, (dy) => [
    a.tracked ? binary("divide", dy, b) : undefined,
    b.tracked ? unary("scale", binary("divide", binary("multiply", dy, y), b), -1) : undefined,
  ]);
}

/** sum + x in the place of `sum`, or in a new tensor when somebody else holds the elements of `sum`. Not recorded. */
export function addInto(sum: Tensor, x: Tensor): Tensor {
  if (sum.shared) {
    const total = Tensor.like(sum);
    overElements("elementwise/binary", { OP: "add" }, { a: sum, b: x, y: total }, {}, {}, 1);
    sum.dispose();
    return total;
  }
  overElements("elementwise/accumulate", {}, { sum, x }, {}, {}, 1);
  return sum;
}
