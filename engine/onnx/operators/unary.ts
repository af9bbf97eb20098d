import * as activations from "../../ops/activations.ts";
import { add, multiply } from "../../ops/arithmetic.ts";
import { greater, where } from "../../ops/compare.ts";
import * as unary from "../../ops/unary.ts";
import type { Tensor } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import type { Value } from "../value.ts";
import { aligned, lying, onHost } from "./binary.ts";
import { reshaped } from "./shape.ts";

/** A function of one number, of floats on the device and of integers on the host. */
function each(onTensor: (x: Tensor, call: Call) => Tensor, onNumber?: (x: number, call: Call) => number): Operator {
  return (call) => {
    const x = call.value(0);
    if (!x.isFloat && onNumber) return onHost(call, x.type, (number) => onNumber(number!, call), x);
    if (!x.isFloat) throw call.unsupported(`an input of ${x.type}`);
    return over(x, (tensor) => onTensor(tensor, call));
  };
}

/** A function of the elements of x, which may lie as they do. */
export function over(x: Value, work: (tensor: Tensor) => Tensor): Value {
  const { tensors, channelsLast } = aligned([x]);
  return lying(x.type, work(tensors[0]!), channelsLast);
}

/** max(x, 0) and min(x, 0). */
function halves(x: Tensor): { positive: Tensor; negative: Tensor } {
  return { positive: activations.relu(x), negative: unary.negate(activations.relu(unary.negate(x))) };
}

const clip: Operator = (call) => {
  const x = call.value(0);
  const low = call.has(1) ? call.scalar(1) : call.number("min", Number.NEGATIVE_INFINITY);
  const high = call.has(2) ? call.scalar(2) : call.number("max", Number.POSITIVE_INFINITY);
  if (!x.isFloat) return onHost(call, x.type, (number) => Math.min(Math.max(number!, low), high), x);
  // As NumPy has it, the upper end wins.
  return over(x, (tensor) => unary.clamp(tensor, Math.min(low, high), high));
};

/** max(x, 0) + slope · min(x, 0), the slope broadcast to x. */
const prelu: Operator = (call) => {
  const [x, slope] = [call.value(0), call.value(1)];
  // Until operator set 7 a list had a number for each channel.
  const isList = call.opset < 7 && slope.rank === 1 && slope.size > 1;
  const beside = isList ? reshaped(slope, [slope.size, ...x.shape.slice(2).map(() => 1)]) : slope;
  const { tensors, channelsLast } = aligned([x, beside]);
  const { positive, negative } = halves(tensors[0]!);
  return lying(x.type, add(positive, multiply(negative, tensors[1]!)), channelsLast);
};

/** The exponential linear unit with two constants: γ · x above 0, γ · α · (eˣ − 1) below. */
function selu(x: Tensor, call: Call): Tensor {
  return unary.scale(
    activations.elu(x, call.number("alpha", 1.6732632423543772)),
    call.number("gamma", 1.0507009873554805),
  );
}

/** x moved by a bias towards 0 beyond ±λ, 0 between. */
function shrink(x: Tensor, call: Call): Tensor {
  const [bias, lambda] = [call.number("bias", 0), call.number("lambd", 0.5)];
  const moved = where(greater(x, lambda), add(x, -bias), 0);
  return where(greater(unary.negate(x), lambda), add(x, bias), moved);
}

export const unaryOperators: Operators = {
  Abs: each(unary.abs, Math.abs),
  Neg: each(unary.negate, (x) => -x),
  Sign: each(unary.sign, Math.sign),
  Floor: each(unary.floor),
  Ceil: each(unary.ceil),
  Round: each(unary.round),
  Exp: each(unary.exp),
  Log: each(unary.log),
  Sqrt: each(unary.sqrt),
  Reciprocal: each(unary.reciprocal),
  Sin: each(unary.sin),
  Cos: each(unary.cos),
  Tan: each(unary.tan),
  Asin: each(unary.asin),
  Acos: each(unary.acos),
  Atan: each(unary.atan),
  Sinh: each(unary.sinh),
  Cosh: each(unary.cosh),
  Asinh: each(unary.asinh),
  Acosh: each(unary.acosh),
  Atanh: each(unary.atanh),
  Erf: each(unary.erf),
  Relu: each(activations.relu, (x) => Math.max(x, 0)),
  Sigmoid: each(activations.sigmoid),
  Tanh: each(unary.tanh),
  HardSwish: each(activations.hardswish),
  Swish: each((x, call) => multiply(x, activations.sigmoid(unary.scale(x, call.number("alpha", 1))))),
  Gelu: each((x, call) =>
    activations.gelu(x, { approximate: call.text("approximate", "none") === "tanh" ? "tanh" : "none" }),
  ),
  "com.microsoft:Gelu": each((x) => activations.gelu(x)),
  "com.microsoft:FastGelu": each((x) => activations.gelu(x, { approximate: "tanh" })),
  LeakyRelu: each((x, call) => activations.leakyRelu(x, call.number("alpha", 0.01))),
  ThresholdedRelu: each((x, call) => where(greater(x, call.number("alpha", 1)), x, 0)),
  Elu: each((x, call) => activations.elu(x, call.number("alpha", 1))),
  Selu: each(selu),
  Celu: each((x, call) => activations.celu(x, call.number("alpha", 1))),
  HardSigmoid: each((x, call) =>
    activations.hardSigmoid(x, { alpha: call.number("alpha", 0.2), beta: call.number("beta", 0.5) }),
  ),
  Softplus: each((x) => activations.softplus(x)),
  Softsign: each(activations.softsign),
  Mish: each(activations.mish),
  Shrink: each(shrink),
  Clip: clip,
  PRelu: prelu,
};
