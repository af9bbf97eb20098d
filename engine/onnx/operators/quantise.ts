import { add, divide, multiply } from "../../ops/arithmetic.ts";
import { reshape } from "../../ops/shape.ts";
import { clamp, round } from "../../ops/unary.ts";
import type { Tensor } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import type { ElementType } from "../elements.ts";
import { Value } from "../value.ts";
import { onHost } from "./binary.ts";

/** A number, or one for each place of an axis of x. */
function alongAxis(call: Call, x: Value, given: Value): Value {
  if (given.size === 1) return given;
  const axis = call.axis(call.number("axis", 1), x.rank);
  const shape = x.shape.map((extent, d) => (d === axis ? extent : 1));
  return given.onHost
    ? call.host(given.type, shape, given.numbers())
    : Value.of(given.type, reshape(given.tensor(), shape));
}

/** (x − zero point) · scale: whole numbers are subtracted on the host. */
const dequantise: Operator = (call) => {
  const x = call.value(0);
  const factor = alongAxis(call, x, call.value(1));
  const whole = call.has(2) ? onHost(call, "int32", (a, b) => a! - b!, x, alongAxis(call, x, call.value(2))) : x;
  const floats = call.host(factor.type, x.shape, Float64Array.from(whole.numbers()));
  return Value.of(factor.type, multiply(floats.tensor(), factor.tensor()), x.shape);
};

const ends: Partial<Record<ElementType, readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
};

/** round(x / scale) + zero point, halves to even, within the type of the zero point. */
const quantise: Operator = (call) => {
  const x = call.value(0);
  const type = call.has(2) ? call.value(2).type : call.type("output_dtype", "uint8");
  const [low, high] = ends[type] ?? [];
  if (low === undefined || high === undefined) throw call.unsupported(`an output of ${type}`);
  const quotient = round(divide(x.tensor(), alongAxis(call, x, call.value(1)).tensor()));
  const zero: Tensor | undefined = call.has(2)
    ? call.host("float32", alongAxis(call, x, call.value(2)).shape, Float64Array.from(call.numbers(2))).tensor()
    : undefined;
  const y = clamp(zero ? add(quotient, zero) : quotient, low, high);
  return Value.later(type, x.shape, y, (numbers) => Float64Array.from(numbers));
};

export const quantiseOperators: Operators = { DequantizeLinear: dequantise, QuantizeLinear: quantise };
