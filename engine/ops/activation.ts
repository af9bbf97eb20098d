import { type Checks, expectArgument, expectOptions, finite, oneOf } from "../arguments.ts";
import { record } from "../autograd.ts";
import { Tensor } from "../tensor.ts";
import { overElements } from "./elementwise.ts";
import { expectOperands } from "./operands.ts";

type Activation = "gelu" | "gelu_tanh" | "silu" | "sigmoid" | "tanh" | "relu6" | "hardswish" | "pow";

/** Floating-point operations of f(x) and of dy · f′(x), by the formulas below. */
const flops: Readonly<Record<Activation, readonly [forward: number, gradient: number]>> = {
  gelu: [5, 11],
  gelu_tanh: [9, 18],
  silu: [4, 8],
  sigmoid: [3, 6],
  tanh: [1, 4],
  relu6: [2, 0],
  hardswish: [5, 4],
  pow: [1, 3],
};

/** Whole exponents up to this are taken by multiplication, which is exact to rounding and knows negative numbers. */
const largestWholeExponent = 64;

function activation(op: Activation, x: Tensor, exponent = 0): Tensor {
  expectOperands(op, { x });
  const y = Tensor.like(x);
  overElements(
    "elementwise/activation",
    constants(op, false, exponent),
    { x, y },
    { exponent, factor: 1 },
    {},
    flops[op][0],
  );
  return y;
}

/** dy · f′(x). */
function slope(op: Activation, x: Tensor, dy: Tensor, exponent = 0, factor = 1): Tensor {
  const y = Tensor.like(x);
  overElements(
    "elementwise/activation",
    constants(op, true, exponent),
    { x, y, dy },
    { exponent, factor },
    {},
    flops[op][1],
  );
  return y;
}

function constants(op: Activation, gradient: boolean, exponent: number) {
  const whole = Number.isInteger(exponent) && Math.abs(exponent) <= largestWholeExponent;
  return { OP: op, GRADIENT: gradient, WHOLE: whole };
}

interface GeluOptions {
  readonly approximate?: "none" | "tanh";
}

const geluChecks: Checks<GeluOptions> = { approximate: oneOf("none", "tanh") };

/**
 * Gaussian error linear unit, y = x · Φ(x) with Φ the normal distribution (Hendrycks & Gimpel 2016).
 * @param approximate `none` for Φ by the error function, as vision transformers use it; `tanh` for
 * x/2 · (1 + tanh(√(2/π)(x + 0.044715 x³)))
 * @throws ShapeError when x is not f32
 */
export function gelu(x: Tensor, options: GeluOptions = {}): Tensor {
  expectOptions("gelu", options, geluChecks);
  const op = options.approximate === "tanh" ? "gelu_tanh" : "gelu";
  // dx = dy · (Φ(x) + x · φ(x)); tanh form, t = tanh u: dx = dy · ((1 + t)/2 + x/2 · (1 − t²) · u′)
  return record("gelu", [x], activation(op, x), (dy) => [slope(op, x, dy)]);
}

/** y = x · σ(x), also called swish. Throws ShapeError when x is not f32. */
export function silu(x: Tensor): Tensor {
  // dx = dy · σ · (1 + x · (1 − σ))
  return record("silu", [x], activation("silu", x), (dy) => [slope("silu", x, dy)]);
}

/** y = σ(x) = 1/(1 + e^−x), in 0…1. Throws ShapeError when x is not f32. */
export function sigmoid(x: Tensor): Tensor {
  // dx = dy · σ(x) · (1 − σ(x))
  return record("sigmoid", [x], activation("sigmoid", x), (dy) => [slope("sigmoid", x, dy)]);
}

/** y = tanh x, in −1…1. Throws ShapeError when x is not f32. */
export function tanh(x: Tensor): Tensor {
  // dx = dy · (1 − tanh² x)
  return record("tanh", [x], activation("tanh", x), (dy) => [slope("tanh", x, dy)]);
}

/** y = min(max(x, 0), 6). Throws ShapeError when x is not f32. */
export function relu6(x: Tensor): Tensor {
  // dx = dy where 0 < x < 6, else 0
  return record("relu6", [x], activation("relu6", x), (dy) => [slope("relu6", x, dy)]);
}

/** y = x · min(max(x + 3, 0), 6) / 6 (Howard et al. 2019, MobileNetV3). Throws ShapeError when x is not f32. */
export function hardswish(x: Tensor): Tensor {
  // dx = dy · (0 where x < −3, (2x + 3)/6 up to 3, 1 above)
  return record("hardswish", [x], activation("hardswish", x), (dy) => [slope("hardswish", x, dy)]);
}

/**
 * y = x^exponent. Any x for a whole exponent from −64 to 64; for others x > 0, also x = 0 when the exponent is above 0.
 * @throws ShapeError when x is not f32
 * @throws RangeError when the exponent is not a finite number
 */
export function pow(x: Tensor, exponent: number): Tensor {
  expectArgument("pow", "the exponent", exponent, finite);
  // dx = exponent · x^(exponent − 1) · dy
  return record("pow", [x], activation("pow", x, exponent), (dy) => [
    exponent === 0 ? Tensor.zeros(x.device, x.shape, x.dtype) : slope("pow", x, dy, exponent - 1, exponent),
  ]);
}
