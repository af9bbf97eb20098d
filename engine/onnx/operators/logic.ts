import { add, subtract } from "../../ops/arithmetic.ts";
import { cast as castTensor } from "../../ops/cast.ts";
import * as compare from "../../ops/compare.ts";
import { abs, scale } from "../../ops/unary.ts";
import { sizeOf, type Tensor } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import { type ElementType, isFloat, type Numbers, numbersFor, wrapped } from "../elements.ts";
import type { Value } from "../value.ts";
import { aligned, broadcast, lying, onHost } from "./binary.ts";

type OnTensors = (a: Tensor, b: Tensor) => Tensor;
type OnNumbers = (a: number, b: number) => boolean | number;

/** A comparison, of floats on the device and of anything else on the host; of truth values where they are. */
function truth(onTensors: OnTensors, onNumbers: OnNumbers, isLogical = false): Operator {
  return (call) => {
    const [a, b] = [call.value(0), call.value(1)];
    const isHosts = isLogical ? a.onHost && b.onHost : !a.isFloat;
    if (isHosts) return onHost(call, "bool", (x, y) => (onNumbers(x!, y!) ? 1 : 0), a, b);
    const { tensors, channelsLast } = aligned([a, b]);
    return lying("bool", onTensors(tensors[0]!, tensors[1]!), channelsLast);
  };
}

/** What is asked of each element. */
function asked(onTensor: (x: Tensor, call: Call) => Tensor, onNumber: (x: number) => boolean): Operator {
  return (call) => {
    const x = call.value(0);
    if (x.movesOnHost) return onHost(call, "bool", (number) => (onNumber(number!) ? 1 : 0), x);
    const { tensors, channelsLast } = aligned([x]);
    return lying("bool", onTensor(tensors[0]!, call), channelsLast);
  };
}

/** ∞ and −∞, or one of them. */
function infinite(x: Tensor, call: Call): Tensor {
  if (!call.flag("detect_negative", true)) return compare.equal(x, Number.POSITIVE_INFINITY);
  if (!call.flag("detect_positive", true)) return compare.equal(x, Number.NEGATIVE_INFINITY);
  return compare.isInfinite(x);
}

/** a where the condition holds, else b. */
const where: Operator = (call) => {
  const [condition, a, b] = [call.value(0), call.value(1), call.value(2)];
  const shape = broadcast(call, condition.shape, a.shape, b.shape);
  if (!a.isFloat || sizeOf(shape) === 0) return onHost(call, a.type, (c, x, y) => (c ? x! : y!), condition, a, b);
  const { tensors, channelsLast } = aligned([condition, a, b]);
  return lying(a.type, compare.where(tensors[0]!, tensors[1]!, tensors[2]!), channelsLast);
};

/** Rounds to 24 − `less` significant bits (Dekker 1971): c = (2^less + 1) · x, y = c − (c − x). What overflows stays as it is. */
function shortened(x: Tensor, less: number): Tensor {
  const wide = scale(x, 2 ** less + 1);
  return compare.where(compare.isInfinite(wide), x, subtract(wide, subtract(wide, x)));
}

/** float16 where the adapter does not have it: 11 bits, below 2^−14 whole multiples of 2^−24, beyond 65504 infinity. */
function roundedToHalf(x: Tensor): Tensor {
  // Neighbours of 0.75 are 2^−24 apart.
  const small = subtract(add(x, 0.75), 0.75);
  const near = compare.where(compare.less(abs(x), 2 ** -14), small, shortened(x, 13));
  return compare.where(compare.greater(abs(near), 65504), scale(x, Number.POSITIVE_INFINITY), near);
}

/** Floats are f32 whatever their type; a narrower type is rounded to. */
function rounded(call: Call, x: Value, type: ElementType): Value {
  const half = type === "float16" && x.type !== "float16" && x.type !== "bfloat16";
  const brain = type === "bfloat16" && x.type !== "bfloat16";
  if (!half && !brain) return x.share(type);
  const { tensors, channelsLast } = aligned([x]);
  const [tensor] = tensors as [Tensor];
  if (brain) return lying(type, shortened(tensor, 16), channelsLast);
  const hasHalf = call.device.features.has("shader-f16");
  return lying(type, hasHalf ? castTensor(castTensor(tensor, "f16"), "f32") : roundedToHalf(tensor), channelsLast);
}

/** Whole numbers from floats and back, and from one width to another. */
function cast(call: Call, type: ElementType): Value {
  const x = call.value(0);
  if (x.isFloat && isFloat(type)) return rounded(call, x, type);
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
  Equal: truth(compare.equal, (a, b) => a === b),
  Greater: truth(compare.greater, (a, b) => a > b),
  GreaterOrEqual: truth(compare.greaterOrEqual, (a, b) => a >= b),
  Less: truth(compare.less, (a, b) => a < b),
  LessOrEqual: truth(compare.lessOrEqual, (a, b) => a <= b),
  And: truth(compare.logicalAnd, (a, b) => a && b, true),
  Or: truth(compare.logicalOr, (a, b) => a || b, true),
  Xor: truth(compare.logicalXor, (a, b) => a !== b, true),
  Not: asked(compare.logicalNot, (x) => x === 0),
  IsNaN: asked(compare.isNan, Number.isNaN),
  IsInf: asked(infinite, (x) => Math.abs(x) === Number.POSITIVE_INFINITY),
  Where: where,
  Cast: (call) => cast(call, call.type("to", "float32")),
  CastLike: (call) => cast(call, call.value(1).type),
};
