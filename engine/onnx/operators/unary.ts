import { add, divide, multiply, subtract } from "../../ops/arithmetic.ts";
import * as unary from "../../ops/unary.ts";
import type { Tensor } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import type { Value } from "../value.ts";
import { aligned, lying, onHost } from "./binary.ts";

/** A function of one number, of floats on the device and of integers on the host. */
function each(onTensor: (x: Tensor, call: Call) => Tensor, onNumber?: (x: number, call: Call) => number): Operator {
  return (call) => {
    const x = call.value(0);
    if (!x.isFloat && onNumber) return onHost(call, x.type, (number) => onNumber(number, call), x);
    if (!x.isFloat) throw call.unsupported(`an input of ${x.type}`);
    return x.size === 0 ? x.share() : over(x, (tensor) => onTensor(tensor, call));
  };
}

/** A function of the elements of x, which may lie as they do. */
export function over(x: Value, work: (tensor: Tensor) => Tensor): Value {
  const { tensors, channelsLast } = aligned([x]);
  return lying(x.type, work(tensors[0]!), channelsLast);
}

/** x + number. */
export function plus(x: Tensor, call: Call, number: number): Tensor {
  return add(x, call.constant([number]));
}

/** 1/x. */
function reciprocal(x: Tensor): Tensor {
  return unary.pow(x, -1);
}

/** max(x, 0) and min(x, 0). */
function halves(x: Tensor): { positive: Tensor; negative: Tensor } {
  return { positive: unary.relu(x), negative: unary.scale(unary.relu(unary.scale(x, -1)), -1) };
}

/** positive · x above 0, negative · (e^(x / divisor) − 1) below. */
function elu(x: Tensor, call: Call, above: number, below: number, divisor = 1): Tensor {
  const { positive, negative } = halves(x);
  const curve = unary.scale(plus(unary.exp(unary.scale(negative, 1 / divisor)), call, -1), below);
  return add(above === 1 ? positive : unary.scale(positive, above), curve);
}

/** ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|). */
function softplus(x: Tensor, call: Call): Tensor {
  return add(unary.relu(x), unary.log(plus(unary.exp(unary.scale(unary.abs(x), -1)), call, 1)));
}

/** (eˣ ± e⁻ˣ) / 2. */
function hyperbolic(x: Tensor, combine: (a: Tensor, b: Tensor) => Tensor): Tensor {
  return unary.scale(combine(unary.exp(x), unary.exp(unary.scale(x, -1))), 0.5);
}

/** ln(x + √(x² + constant)). */
function areaFunction(x: Tensor, call: Call, constant: number): Tensor {
  return unary.log(add(x, unary.sqrt(plus(unary.square(x), call, constant))));
}

function leakyRelu(x: Tensor, slope: number): Tensor {
  const { positive, negative } = halves(x);
  return add(positive, unary.scale(negative, slope));
}

const clip: Operator = (call) => {
  const x = call.value(0);
  const low = call.has(1) ? call.scalar(1) : call.number("min", Number.NEGATIVE_INFINITY);
  const high = call.has(2) ? call.scalar(2) : call.number("max", Number.POSITIVE_INFINITY);
  if (!x.isFloat) return onHost(call, x.type, (number) => Math.min(Math.max(number, low), high), x);
  // As NumPy has it, the upper end wins.
  return over(x, (tensor) => unary.clamp(tensor, Math.min(low, high), high));
};

/** max(x, 0) + slope · min(x, 0), the slope broadcast to x. */
const prelu: Operator = (call) => {
  const { tensors, channelsLast } = aligned([call.value(0), call.value(1)]);
  const { positive, negative } = halves(tensors[0]!);
  return lying(call.value(0).type, add(positive, multiply(negative, tensors[1]!)), channelsLast);
};

export const unaryOperators: Operators = {
  Abs: each(unary.abs, Math.abs),
  Neg: each(
    (x) => unary.scale(x, -1),
    (x) => -x,
  ),
  Exp: each(unary.exp),
  Log: each(unary.log),
  Sqrt: each(unary.sqrt),
  Relu: each(unary.relu, (x) => Math.max(x, 0)),
  Sigmoid: each(unary.sigmoid),
  Tanh: each(unary.tanh),
  HardSwish: each(unary.hardswish),
  Gelu: each((x, call) =>
    unary.gelu(x, { approximate: call.text("approximate", "none") === "tanh" ? "tanh" : "none" }),
  ),
  "com.microsoft:Gelu": each((x) => unary.gelu(x)),
  "com.microsoft:FastGelu": each((x) => unary.gelu(x, { approximate: "tanh" })),
  Reciprocal: each(reciprocal),
  Erf: each((x, call) => plus(unary.scale(unary.normalCdf(unary.scale(x, Math.SQRT2)), 2), call, -1)),
  LeakyRelu: each((x, call) => leakyRelu(x, call.number("alpha", 0.01))),
  Elu: each((x, call) => elu(x, call, 1, call.number("alpha", 1))),
  Selu: each((x, call) => {
    const gamma = call.number("gamma", 1.0507009873554805);
    return elu(x, call, gamma, gamma * call.number("alpha", 1.6732632423543772));
  }),
  Celu: each((x, call) => {
    const alpha = call.number("alpha", 1);
    return elu(x, call, 1, alpha, alpha);
  }),
  HardSigmoid: each((x, call) => {
    const line = plus(unary.scale(x, call.number("alpha", 0.2)), call, call.number("beta", 0.5));
    return unary.clamp(line, 0, 1);
  }),
  Softplus: each(softplus),
  Softsign: each((x, call) => divide(x, plus(unary.abs(x), call, 1))),
  Mish: each((x, call) => multiply(x, unary.tanh(softplus(x, call)))),
  Sinh: each((x) => hyperbolic(x, subtract)),
  Cosh: each((x) => hyperbolic(x, add)),
  Acosh: each((x, call) => areaFunction(x, call, -1)),
  // artanh x = ½ ln((1 + x) / (1 − x))
  Atanh: each((x, call) => unary.scale(unary.log(divide(plus(x, call, 1), plus(unary.scale(x, -1), call, 1))), 0.5)),
  Clip: clip,
  PRelu: prelu,
};
