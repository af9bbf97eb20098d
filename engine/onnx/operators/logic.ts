import { atLeast, subtract } from "../../ops/arithmetic.ts";
import { cast as castTensor } from "../../ops/cast.ts";
import { abs, scale } from "../../ops/unary.ts";
import type { Tensor } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import { type ElementType, isFloat, type Numbers, numbersFor, wrapped } from "../elements.ts";
import type { Value } from "../value.ts";
import { aligned, lying, onHost } from "./binary.ts";
import { over, plus } from "./unary.ts";

/** 1 − x of truth values. */
function not(x: Tensor, call: Call): Tensor {
  return plus(scale(x, -1), call, 1);
}

type OnTensors = (a: Tensor, b: Tensor, call: Call) => Tensor;

/** A comparison: of floats on the device, of anything else on the host. */
function comparison(onTensors: OnTensors, onNumbers: (a: number, b: number) => boolean): Operator {
  return (call) => {
    const [a, b] = [call.value(0), call.value(1)];
    if (!a.isFloat || a.size === 0 || b.size === 0)
      return onHost(call, "bool", (x, y) => (onNumbers(x!, y!) ? 1 : 0), a, b);
    const { tensors, channelsLast } = aligned([a, b]);
    return lying("bool", onTensors(tensors[0]!, tensors[1]!, call), channelsLast);
  };
}

/** An operator on truth values: on the device where both are the results of comparisons there. */
function logical(onNumbers: (a: number, b: number) => number): Operator {
  return (call) => onHost(call, "bool", (a, b) => onNumbers(a!, b!), call.value(0), call.value(1));
}

const negation: Operator = (call) => {
  const x = call.value(0);
  if (x.onHost) return onHost(call, "bool", (each) => (each ? 0 : 1), x);
  return over(x, (tensor) => not(tensor, call));
};

/** Rounds to 8 significant bits, as bfloat16 has them (Dekker 1971): c = (2^16 + 1) · x, y = c − (c − x). */
function roundedToBfloat(x: Tensor): Tensor {
  const wide = scale(x, 2 ** 16 + 1);
  return subtract(wide, subtract(wide, x));
}

/** Floats are f32 whatever their type; a narrower type is rounded to. */
function rounded(call: Call, x: Value, type: ElementType): Value {
  const half = type === "float16" && x.type !== "float16" && x.type !== "bfloat16";
  const brain = type === "bfloat16" && x.type !== "bfloat16";
  if (!half && !brain) return x.share(type);
  if (half && !call.device.features.has("shader-f16"))
    throw call.unsupported("float16 without the adapter's shader-f16");
  const { tensors, channelsLast } = aligned([x]);
  const y = half ? castTensor(castTensor(tensors[0]!, "f16"), "f32") : roundedToBfloat(tensors[0]!);
  return lying(type, y, channelsLast);
}

/** Whole numbers from floats and back, and from one width to another. */
function cast(call: Call, type: ElementType): Value {
  const x = call.value(0);
  if (x.isFloat && isFloat(type)) return x.size === 0 ? x.share(type) : rounded(call, x, type);
  if (isFloat(type)) {
    if (x.type === "bool" && !x.onHost) return x.share(type);
    return call.host(type, x.shape, Float64Array.from(x.numbers()));
  }
  const numbers = x.numbers();
  const result: Numbers = numbersFor(type, numbers.length);
  numbers.forEach((number, i) => {
    result[i] = wrapped(type, number);
  });
  return call.host(type, x.shape, result);
}

export const logicOperators: Operators = {
  Equal: comparison(
    (a, b, call) => not(atLeast(abs(subtract(a, b)), call.constant([1e-45])), call),
    (a, b) => a === b,
  ),
  Greater: comparison(
    (a, b, call) => not(atLeast(b, a), call),
    (a, b) => a > b,
  ),
  GreaterOrEqual: comparison(atLeast, (a, b) => a >= b),
  Less: comparison(
    (a, b, call) => not(atLeast(a, b), call),
    (a, b) => a < b,
  ),
  LessOrEqual: comparison(
    (a, b) => atLeast(b, a),
    (a, b) => a <= b,
  ),
  And: logical((a, b) => a & b),
  Or: logical((a, b) => a | b),
  Xor: logical((a, b) => a ^ b),
  Not: negation,
  Cast: (call) => cast(call, call.type("to", "float32")),
  CastLike: (call) => cast(call, call.value(1).type),
};
