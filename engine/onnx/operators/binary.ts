import { add, divide, fmod, multiply, pow, remainder, subtract } from "../../ops/arithmetic.ts";
import { greaterOrEqual, isNan, lessOrEqual, logicalOr, where } from "../../ops/compare.ts";
import { reshape } from "../../ops/shape.ts";
import { scale } from "../../ops/unary.ts";
import { type Shape, sizeOf, type Tensor } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import { type ElementType, isFloat, numbersFor, wrapped } from "../elements.ts";
import { eachPlace, stridesOf } from "../places.ts";
import { toChannelsLast, Value } from "../value.ts";

type OnTensors = (a: Tensor, b: Tensor) => Tensor;
type OnNumbers = (a: number, b: number) => number;

/** The shape of several operands after NumPy's broadcasting. */
export function broadcast(call: Call, ...shapes: readonly Shape[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) => {
    const extents = shapes.map((shape) => shape[i - rank + shape.length] ?? 1);
    const extent = extents.find((each) => each !== 1) ?? 1;
    if (extents.some((each) => each !== 1 && each !== extent))
      throw call.error(`shapes ${shapes.map((shape) => `[${shape}]`).join(" and ")} cannot be broadcast`);
    return extent;
  });
}

/** Element by element on the host, with broadcasting. */
export function onHost(
  call: Call,
  type: ElementType,
  work: (...each: number[]) => number,
  ...inputs: readonly Value[]
): Value {
  const shape = broadcast(call, ...inputs.map((input) => input.shape));
  const result = numbersFor(type, sizeOf(shape));
  const arrays = inputs.map((input) => input.numbers());
  const strides = inputs.map((input) => {
    const own = stridesOf(input.shape);
    const before = shape.length - input.rank;
    return shape.map((_, axis) => (axis < before || input.shape[axis - before] === 1 ? 0 : own[axis - before]!));
  });
  eachPlace(shape, (at, i) => {
    const each = arrays.map(
      (numbers, k) => numbers[at.reduce((sum, place, axis) => sum + place * strides[k]![axis]!, 0)]!,
    );
    result[i] = wrapped(type, work(...each));
  });
  return call.host(type, shape, result);
}

/** The tensor of an operand of a map of `rank` axes that lies channels last; undefined where it would have to be moved. */
function asChannelsLast(value: Value, rank: number): Tensor | undefined {
  if (value.rank === rank && rank > 2) return value.liesChannelsLast || value.onHost ? value.channelsLast() : undefined;
  if (value.size === 1) return value.tensor();
  if (value.rank > 2 && value.rank === rank - 1) return toChannelsLast(reshape(value.tensor(), [1, ...value.shape]));
  return undefined;
}

/** Operands that agree on a layout: channels last where one of them lies so and the other may. */
export function aligned(values: readonly Value[]): { tensors: Tensor[]; channelsLast: boolean } {
  const rank = Math.max(...values.map((value) => value.rank));
  if (values.some((value) => value.liesChannelsLast && value.rank === rank)) {
    const tensors = values.map((value) => asChannelsLast(value, rank));
    // What is repeated over places only is small: it is moved instead of the map.
    if (tensors.every((tensor, i) => tensor || values[i]!.rank === rank)) {
      return { tensors: tensors.map((tensor, i) => tensor ?? values[i]!.channelsLast()), channelsLast: true };
    }
  }
  return { tensors: values.map((value) => value.tensor()), channelsLast: false };
}

/** The value of a tensor made from {@link aligned} operands. */
export function lying(type: ElementType, tensor: Tensor, channelsLast: boolean): Value {
  return channelsLast ? Value.channelsLast(type, tensor) : Value.of(type, tensor);
}

/** An operator on two arrays: floats on the device, integers on the host. */
function binary(onTensors: OnTensors, onNumbers: OnNumbers): Operator {
  return (call) => combined(call, [call.value(0), call.value(1)], onTensors, onNumbers);
}

function combined(call: Call, [a, b]: readonly [Value, Value], onTensors: OnTensors, onNumbers: OnNumbers): Value {
  if (!isFloat(a.type)) return onHost(call, a.type, onNumbers, a, b);
  if (sizeOf(broadcast(call, a.shape, b.shape)) === 0) return onHost(call, a.type, onNumbers, a, b);
  const { tensors, channelsLast } = aligned([a, b]);
  return lying(a.type, onTensors(tensors[0]!, tensors[1]!), channelsLast);
}

/** An operator on any number of arrays, from the first on. */
function variadic(onTensors: OnTensors, onNumbers: OnNumbers): Operator {
  return (call) => {
    const [first, ...others] = call.inputs;
    return others.reduce((result, next) => combined(call, [result, next], onTensors, onNumbers), first!.share());
  };
}

/** The larger or smaller of each pair, NaN where one is. */
function extreme(holds: OnTensors): OnTensors {
  return (a, b) => where(logicalOr(holds(a, b), isNan(a)), a, b);
}
export const larger = extreme(greaterOrEqual);
export const smaller = extreme(lessOrEqual);

/** The remainder of ⌊a/b⌋, or with `fmod` of a/b cut to a whole number. */
const modulo: Operator = (call) => {
  const cuts = call.flag("fmod");
  const onNumbers = (a: number, b: number) => (cuts ? a % b : a - b * Math.floor(a / b));
  return binary(cuts ? fmod : remainder, onNumbers)(call);
};

/** Floats to any power on the device; whole numbers to whole powers on the host, in the type of the base. */
const power: Operator = (call) => {
  const [a, b] = [call.value(0), call.value(1)];
  if (a.isFloat && b.isFloat) return binary(pow, Math.pow)(call);
  if (!a.isFloat && !b.isFloat) return onHost(call, a.type, (x, y) => x! ** y!, a, b);
  if (a.isFloat) return combined(call, [a, call.host(a.type, b.shape, Float64Array.from(b.numbers()))], pow, Math.pow);
  const base = call.host(b.type, a.shape, Float64Array.from(a.numbers()));
  const result = combined(call, [base, b], pow, Math.pow);
  return Value.later(a.type, result.shape, result.tensor(), (numbers) =>
    Float64Array.from(numbers, (number) => wrapped(a.type, number)),
  );
};

/** Bits moved left or right by so many places. */
const bitShift: Operator = (call) => {
  const { type } = call.value(0);
  const left = call.text("direction", "LEFT") === "LEFT";
  const bits = BigInt({ uint8: 8, uint16: 16, uint32: 32, uint64: 64 }[type as string] ?? 64);
  const moved = (a: number, b: number) => {
    const [from, by] = [BigInt(a), BigInt(b)];
    return Number(left ? BigInt.asUintN(Number(bits), from << by) : from >> by);
  };
  return onHost(call, type, (a, b) => moved(a!, b!), call.value(0), call.value(1));
};

/** An operator on the bits of whole numbers. */
function bitwise(onBits: (a: bigint, b: bigint) => bigint): Operator {
  return (call) => {
    const onNumbers = (a: number, b: number) => Number(onBits(BigInt(a), BigInt(b)));
    return onHost(call, call.value(0).type, (a, b) => onNumbers(a!, b!), call.value(0), call.value(1));
  };
}

const mean: Operator = (call) => {
  const total = variadic(add, (a, b) => a + b)(call) as Value;
  const { tensors, channelsLast } = aligned([total]);
  return lying(total.type, scale(tensors[0]!, 1 / call.inputs.length), channelsLast);
};

export const binaryOperators: Operators = {
  Add: binary(add, (a, b) => a + b),
  Sub: binary(subtract, (a, b) => a - b),
  Mul: binary(multiply, (a, b) => a * b),
  Div: binary(divide, (a, b) => Math.trunc(a / b)),
  Mod: modulo,
  Pow: power,
  BitShift: bitShift,
  BitwiseAnd: bitwise((a, b) => a & b),
  BitwiseOr: bitwise((a, b) => a | b),
  BitwiseXor: bitwise((a, b) => a ^ b),
  Sum: variadic(add, (a, b) => a + b),
  Mean: mean,
  Max: variadic(larger, Math.max),
  Min: variadic(smaller, Math.min),
};
