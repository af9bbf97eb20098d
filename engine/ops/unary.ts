import { expectArgument, finite, number, positive } from "../arguments.ts";
import { record, recordFlat } from "../autograd.ts";
import type { Constants } from "../kernel/template.ts";
import { Tensor } from "../tensor.ts";
import { expectTensors, signed } from "./operands.ts";
import { overElements } from "./over-elements.ts";

/** One function of one number: its formula and its derivative stand in `shaders/elementwise` under its name. */
interface Unary {
  /** The kernel; "unary" unless given. */
  readonly kernel?: "activation" | "angle" | "arc" | "hyperbolic";
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
  floor: { flops: [0, 0] },
  ceil: { flops: [0, 0] },
  round_even: { flops: [0, 0] },
  sign: { flops: [0, 0] },
  reciprocal: { flops: [1, 2], derivativeOf: "y" },
  leaky_relu: { flops: [1, 1] },
  hard_sigmoid: { flops: [4, 1] },
  erf: { flops: [1, 4], kernel: "activation" },
  exp_minus_one: { flops: [2, 2], kernel: "activation" },
  log_plus_one: { flops: [2, 2], kernel: "activation" },
  elu: { flops: [5, 4], kernel: "activation" },
  softplus: { flops: [5, 5], kernel: "activation" },
  softsign: { flops: [2, 3], kernel: "activation" },
  mish: { flops: [5, 13], kernel: "activation" },
  sin: { flops: [1, 2], kernel: "angle" },
  cos: { flops: [1, 2], kernel: "angle" },
  tan: { flops: [1, 4], kernel: "angle" },
  asin: { flops: [1, 4], kernel: "arc" },
  acos: { flops: [1, 4], kernel: "arc" },
  atan: { flops: [1, 3], kernel: "arc" },
  sinh: { flops: [1, 2], kernel: "hyperbolic" },
  cosh: { flops: [1, 2], kernel: "hyperbolic" },
  asinh: { flops: [1, 4], kernel: "hyperbolic" },
  acosh: { flops: [1, 4], kernel: "hyperbolic" },
  atanh: { flops: [1, 3], kernel: "hyperbolic" },
} as const satisfies Record<string, Unary>;

type Name = keyof typeof functions;

/** The numbers of a call besides its elements: fields of the kernel's `Params` for this function. */
type Parameters = Readonly<Record<string, number>>;

function kernelOf({ kernel }: Unary): string {
  return `elementwise/${kernel ?? "unary"}`;
}

/** y = f(x), not recorded. */
function valuesOf(name: Name, x: Tensor, parameters: Parameters = {}): Tensor {
  const y = Tensor.like(x);
  const { flops } = functions[name];
  overElements(kernelOf(functions[name]), constants(name, false, parameters), { x, y }, parameters, {}, flops[0]);
  return y;
}

/** dy · f′(x), not recorded; `x` may be f(x) where the table says so. */
function slopesOf(name: Name, x: Tensor, dy: Tensor, parameters: Parameters = {}): Tensor {
  const y = Tensor.like(x);
  const { flops } = functions[name];
  overElements(kernelOf(functions[name]), constants(name, true, parameters), { x, y, dy }, parameters, {}, flops[1]);
  return y;
}

/** Whole exponents up to this are taken by multiplication, which is exact to rounding and knows negative numbers. */
const largestWholeExponent = 64;

function constants(name: Name, gradient: boolean, { exponent }: Parameters): Constants {
  if (exponent === undefined) return { OP: name, GRADIENT: gradient };
  const whole = Number.isInteger(exponent) && Math.abs(exponent) <= largestWholeExponent;
  return { OP: name, GRADIENT: gradient, WHOLE: whole };
}

/** y = f(x) on the tape, dx = dy · f′; refused are operands of indices, in the name of the operation. */
export function unary(name: Name, x: Tensor, parameters?: Parameters, operation: string = name): Tensor {
  expectTensors(operation, { x });
  const { derivativeOf }: Unary = functions[name];
  const y = valuesOf(name, x, parameters);
  return record([operation, { name, parameters }], [x], y, (dy) => [
    slopesOf(name, derivativeOf === "y" ? y : x, dy, parameters),
  ]);
}

/** y = tanh x, in −1…1. */
export function tanh(x: Tensor): Tensor {
  return unary("tanh", x);
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
  expectTensors("pow", { x });
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
  expectTensors("scale", { x });
  // dx = factor · dy
  return record(["scale", { factor }], [x], scaled(x, factor), (dy) => [scaled(dy, factor)]);
}

/** {@link scale}, not recorded. */
export function scaled(x: Tensor, factor: number): Tensor {
  return valuesOf("scale", x, { factor });
}

/** A function of whole numbers with a sign, or nothing for other types; modulo 2^32, without a gradient. */
function ofWholes(name: "abs" | "negate" | "sign", x: Tensor): Tensor | undefined {
  expectTensors(name, { x }, { x: signed });
  if (x.dtype !== "i32") return undefined;
  const y = Tensor.like(x);
  overElements("elementwise/whole", { OP: name }, { x, y });
  return recordFlat([name, { name }], [x], y);
}

/** y = |x|, its slope at 0 taken as 0. f32, f16 or i32, of which |−2^31| is −2^31. Throws ShapeError for u32. */
export function abs(x: Tensor): Tensor {
  return ofWholes("abs", x) ?? unary("abs", x);
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

/** y = −x. f32, f16 or i32, of which −(−2^31) is −2^31. Throws ShapeError for u32. */
export function negate(x: Tensor): Tensor {
  const whole = ofWholes("negate", x);
  if (whole) return whole;
  // dx = −dy
  return record("negate", [x], scaled(x, -1), (dy) => [scaled(dy, -1)]);
}

/** y = 1/x; ±∞ at 0. */
export function reciprocal(x: Tensor): Tensor {
  return unary("reciprocal", x);
}

/** A function that is flat wherever it is smooth, hence without a gradient. */
function flat(name: Name, x: Tensor, operation: string = name): Tensor {
  expectTensors(operation, { x });
  return recordFlat(operation, [x], valuesOf(name, x));
}

/** The largest whole number of at most x. No gradient. Throws ShapeError when x holds indices. */
export function floor(x: Tensor): Tensor {
  return flat("floor", x);
}

/** The smallest whole number of at least x. No gradient. Throws ShapeError when x holds indices. */
export function ceil(x: Tensor): Tensor {
  return flat("ceil", x);
}

/** The whole number nearest to x, of two the even one. No gradient. Throws ShapeError when x holds indices. */
export function round(x: Tensor): Tensor {
  return flat("round_even", x, "round");
}

/** −1 below 0, 1 above, 0 at 0 and, as in PyTorch, for NaN. f32, f16 or i32. No gradient. Throws ShapeError for u32. */
export function sign(x: Tensor): Tensor {
  return ofWholes("sign", x) ?? flat("sign", x);
}

/** The error function, y = 2/√π · ∫₀ˣ e^(−t²) dt, in −1…1. */
export function erf(x: Tensor): Tensor {
  return unary("erf", x);
}

/** y = e^x − 1, exact near 0. */
export function expm1(x: Tensor): Tensor {
  return unary("exp_minus_one", x, undefined, "expm1");
}

/** y = ln(1 + x), exact near 0; −∞ at −1, NaN below. */
export function log1p(x: Tensor): Tensor {
  return unary("log_plus_one", x, undefined, "log1p");
}

/** Sine of x in radians; exact to 1e-7 however large x is. */
export function sin(x: Tensor): Tensor {
  return unary("sin", x);
}

/** Cosine of x in radians; exact to 1e-7 however large x is. */
export function cos(x: Tensor): Tensor {
  return unary("cos", x);
}

/** Tangent of x in radians. */
export function tan(x: Tensor): Tensor {
  return unary("tan", x);
}

/** The angle in −π/2…π/2 whose sine is x; NaN beyond −1…1. */
export function asin(x: Tensor): Tensor {
  return unary("asin", x);
}

/** The angle in 0…π whose cosine is x; NaN beyond −1…1. */
export function acos(x: Tensor): Tensor {
  return unary("acos", x);
}

/** The angle in −π/2…π/2 whose tangent is x. */
export function atan(x: Tensor): Tensor {
  return unary("atan", x);
}

/** y = (e^x − e^−x) / 2. */
export function sinh(x: Tensor): Tensor {
  return unary("sinh", x);
}

/** y = (e^x + e^−x) / 2. */
export function cosh(x: Tensor): Tensor {
  return unary("cosh", x);
}

/** y = ln(x + √(x² + 1)), where sinh y = x. */
export function asinh(x: Tensor): Tensor {
  return unary("asinh", x);
}

/** y = ln(x + √(x² − 1)), where cosh y = x ≥ 1; NaN below. */
export function acosh(x: Tensor): Tensor {
  return unary("acosh", x);
}

/** y = ½ · ln((1 + x)/(1 − x)), where tanh y = x; ±∞ at ±1, NaN beyond. */
export function atanh(x: Tensor): Tensor {
  return unary("atanh", x);
}
