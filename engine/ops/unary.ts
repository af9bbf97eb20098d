import { type Checks, expectArgument, expectOptions, finite, number, oneOf, positive } from "../arguments.ts";
import { record } from "../autograd.ts";
import type { Constants } from "../kernel/template.ts";
import { Tensor } from "../tensor.ts";
import { expectOperands } from "./operands.ts";
import { overElements } from "./over-elements.ts";

/** One function of one number: its formula and its derivative stand in `shaders/elementwise/unary.wgsl` under its name. */
interface Unary {
  /** Floating-point operations of f(x) and of dy · f′, by the convention above `CallCost`. */
  readonly flops: readonly [forward: number, gradient: number];
  /** What f′ is made from there: x unless given, or y = f(x). */
  readonly derivativeOf?: "y";
}

const functions = {
  relu: { flops: [1, 0], derivativeOf: "y" },
  relu6: { flops: [2, 0] },
  hardswish: { flops: [5, 4] },
  sigmoid: { flops: [3, 6] },
  silu: { flops: [4, 8] },
  tanh: { flops: [1, 4] },
  gelu: { flops: [5, 11] },
  gelu_tanh: { flops: [9, 18] },
  normal_cdf: { flops: [4, 5] },
  exp: { flops: [1, 1], derivativeOf: "y" },
  log: { flops: [1, 1] },
  sqrt: { flops: [1, 2], derivativeOf: "y" },
  square: { flops: [1, 2] },
  pow: { flops: [1, 3] },
  scale: { flops: [1, 1] },
  abs: { flops: [0, 1] },
  clamp: { flops: [2, 0] },
  signed_sqrt: { flops: [3, 4] },
} as const satisfies Record<string, Unary>;

type Name = keyof typeof functions;

/** The numbers of a call besides its elements: fields of the kernel's `Params` for this function. */
type Parameters = Readonly<Record<string, number>>;

/** y = f(x), not recorded. */
function valuesOf(name: Name, x: Tensor, parameters: Parameters = {}): Tensor {
  const y = Tensor.like(x);
  overElements(
    "elementwise/unary",
    constants(name, false, parameters),
    { x, y },
    parameters,
    {},
    functions[name].flops[0],
  );
  return y;
}

/** dy · f′(x), not recorded; `x` may be f(x) where the table says so. */
function slopesOf(name: Name, x: Tensor, dy: Tensor, parameters: Parameters = {}): Tensor {
  const y = Tensor.like(x);
  const flops = functions[name].flops[1];
  overElements("elementwise/unary", constants(name, true, parameters), { x, y, dy }, parameters, {}, flops);
  return y;
}

/** Whole exponents up to this are taken by multiplication, which is exact to rounding and knows negative numbers. */
const largestWholeExponent = 64;

function constants(name: Name, gradient: boolean, { exponent }: Parameters): Constants {
  if (exponent === undefined) return { OP: name, GRADIENT: gradient };
  const whole = Number.isInteger(exponent) && Math.abs(exponent) <= largestWholeExponent;
  return { OP: name, GRADIENT: gradient, WHOLE: whole };
}

/** y = f(x) on the tape, dx = dy · f′. */
function unary(name: Name, x: Tensor, parameters?: Parameters, operation: string = name): Tensor {
  expectOperands(operation, { x });
  const { derivativeOf }: Unary = functions[name];
  const y = valuesOf(name, x, parameters);
  return record([operation, { name, parameters }], [x], y, (dy) => [
    slopesOf(name, derivativeOf === "y" ? y : x, dy, parameters),
  ]);
}

/** y = max(x, 0). */
export function relu(x: Tensor): Tensor {
  return unary("relu", x);
}

/** y = min(max(x, 0), 6). */
export function relu6(x: Tensor): Tensor {
  return unary("relu6", x);
}

/** y = x · min(max(x + 3, 0), 6) / 6 (Howard et al. 2019, MobileNetV3). */
export function hardswish(x: Tensor): Tensor {
  return unary("hardswish", x);
}

/** y = σ(x) = 1/(1 + e^−x), in 0…1. */
export function sigmoid(x: Tensor): Tensor {
  return unary("sigmoid", x);
}

/** y = x · σ(x), also called swish. */
export function silu(x: Tensor): Tensor {
  return unary("silu", x);
}

/** y = tanh x, in −1…1. */
export function tanh(x: Tensor): Tensor {
  return unary("tanh", x);
}

interface GeluOptions {
  readonly approximate?: "none" | "tanh";
}

const geluChecks: Checks<GeluOptions> = { approximate: oneOf("none", "tanh") };

/**
 * Gaussian error linear unit, y = x · Φ(x) with Φ the normal distribution (Hendrycks & Gimpel 2016).
 * @param approximate `none` for Φ by the error function, as vision transformers use it; `tanh` for
 * x/2 · (1 + tanh(√(2/π)(x + 0.044715 x³)))
 * @throws ShapeError when x holds indices
 */
export function gelu(x: Tensor, options: GeluOptions = {}): Tensor {
  expectOptions("gelu", options, geluChecks);
  return unary(options.approximate === "tanh" ? "gelu_tanh" : "gelu", x, undefined, "gelu");
}

/** Normal distribution y = Φ(x) = (1 + erf(x/√2)) / 2, in 0…1. Its slope is the normal density. */
export function normalCdf(x: Tensor): Tensor {
  return unary("normal_cdf", x, undefined, "normalCdf");
}

/** y = e^x. */
export function exp(x: Tensor): Tensor {
  return unary("exp", x);
}

/** y = ln x; −∞ at 0, NaN below. */
export function log(x: Tensor): Tensor {
  return unary("log", x);
}

/** y = √x, for x > 0. */
export function sqrt(x: Tensor): Tensor {
  return unary("sqrt", x);
}

/** y = x². */
export function square(x: Tensor): Tensor {
  return unary("square", x);
}

/**
 * y = x^exponent. Any x for a whole exponent from −64 to 64; for others x > 0, also x = 0 when the exponent is above 0.
 * @throws ShapeError when x holds indices
 * @throws RangeError when the exponent is not a finite number
 */
export function pow(x: Tensor, exponent: number): Tensor {
  expectOperands("pow", { x });
  expectArgument("pow", "the exponent", exponent, finite);
  const y = valuesOf("pow", x, { exponent, factor: 1 });
  // dx = exponent · x^(exponent − 1) · dy
  return record(["pow", { exponent }], [x], y, (dy) => [
    exponent === 0
      ? Tensor.zeros(x.device, x.shape, x.dtype)
      : slopesOf("pow", x, dy, { exponent: exponent - 1, factor: exponent }),
  ]);
}

/** y = factor · x. Throws RangeError when the factor is no number. */
export function scale(x: Tensor, factor: number): Tensor {
  expectArgument("scale", "the factor", factor, number);
  expectOperands("scale", { x });
  // dx = factor · dy
  return record(["scale", { factor }], [x], scaled(x, factor), (dy) => [scaled(dy, factor)]);
}

/** {@link scale}, not recorded. */
export function scaled(x: Tensor, factor: number): Tensor {
  return valuesOf("scale", x, { factor });
}

/** y = |x|, its slope at 0 taken as 0. Throws ShapeError when x holds indices. */
export function abs(x: Tensor): Tensor {
  return unary("abs", x);
}

/**
 * y = min(max(x, low), high). The gradient passes where low ≤ x ≤ high. Either end may be infinite.
 * @throws ShapeError when x holds indices
 * @throws RangeError when low is not at most high
 */
export function clamp(x: Tensor, low: number, high: number): Tensor {
  expectArgument("clamp", "the lower end", low, number);
  expectArgument("clamp", "the upper end", high, number);
  if (!(low <= high)) throw new RangeError(`clamp: the lower end ${low} must be at most the upper end ${high}`);
  return unary("clamp", x, { low, high });
}

/**
 * y = sign(x) · √(|x| + ε), 0 at 0: bilinear features are compressed by it (Lin et al. 2015; ε as in DB-CNN, Zhang et al.
 * 2020). Its slope, 1 / (2√(|x| + ε)), is at most 1 / (2√ε), and taken as 0 at 0.
 * @throws ShapeError when x holds indices
 * @throws RangeError when epsilon is not above 0
 */
export function signedSqrt(x: Tensor, epsilon = 1e-8): Tensor {
  expectArgument("signedSqrt", "epsilon", epsilon, positive);
  return unary("signed_sqrt", x, { epsilon });
}
