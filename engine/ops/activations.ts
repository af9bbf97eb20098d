import { type Checks, expectArgument, expectOptions, finite, oneOf, positive } from "../arguments.ts";
import type { Tensor } from "../tensor.ts";
import { unary } from "./unary.ts";

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

/**
 * y = x above 0, else slope · x (Maas et al. 2013).
 * @throws ShapeError when x holds indices
 * @throws RangeError when the slope is not finite
 */
export function leakyRelu(x: Tensor, slope = 0.01): Tensor {
  expectArgument("leakyRelu", "the slope", slope, finite);
  return unary("leaky_relu", x, { alpha: slope }, "leakyRelu");
}

interface HardSigmoidOptions {
  /** Slope of the line; 1/6 unless given. */
  readonly alpha?: number;
  /** Its value at 0; 1/2 unless given. */
  readonly beta?: number;
}

const hardSigmoidChecks: Checks<HardSigmoidOptions> = { alpha: finite, beta: finite };

/**
 * y = min(max(alpha · x + beta, 0), 1) (Howard et al. 2019, MobileNetV3); slope 0 where it is 0 or 1.
 * @throws ShapeError when x holds indices
 */
export function hardSigmoid(x: Tensor, options: HardSigmoidOptions = {}): Tensor {
  expectOptions("hardSigmoid", options, hardSigmoidChecks);
  return unary("hard_sigmoid", x, { alpha: options.alpha ?? 1 / 6, beta: options.beta ?? 0.5 }, "hardSigmoid");
}

/**
 * Exponential linear unit, y = x above 0, else alpha · (e^x − 1) (Clevert et al. 2016).
 * @throws ShapeError when x holds indices
 * @throws RangeError when alpha is not finite
 */
export function elu(x: Tensor, alpha = 1): Tensor {
  expectArgument("elu", "alpha", alpha, finite);
  return unary("elu", x, { alpha, rate: 1, factor: 1 });
}

/**
 * y = x above 0, else alpha · (e^(x/alpha) − 1), whose slope at 0 is 1 (Barron 2017).
 * @throws ShapeError when x holds indices
 * @throws RangeError when alpha is not above 0
 */
export function celu(x: Tensor, alpha = 1): Tensor {
  expectArgument("celu", "alpha", alpha, positive);
  return unary("elu", x, { alpha, rate: 1 / alpha, factor: 1 }, "celu");
}

/** y = 1.0507 · (x above 0, else 1.6733 · (e^x − 1)), which keeps mean 0 and variance 1 (Klambauer et al. 2017). */
export function selu(x: Tensor): Tensor {
  return unary("elu", x, { alpha: 1.6732632423543772, rate: 1, factor: 1.0507009873554805 }, "selu");
}

/**
 * y = ln(1 + e^(beta · x)) / beta.
 * @throws ShapeError when x holds indices
 * @throws RangeError when beta is not above 0
 */
export function softplus(x: Tensor, beta = 1): Tensor {
  expectArgument("softplus", "beta", beta, positive);
  return unary("softplus", x, { beta });
}

/** y = x / (1 + |x|), in −1…1. */
export function softsign(x: Tensor): Tensor {
  return unary("softsign", x);
}

/** y = x · tanh(ln(1 + e^x)) (Misra 2019). */
export function mish(x: Tensor): Tensor {
  return unary("mish", x);
}
