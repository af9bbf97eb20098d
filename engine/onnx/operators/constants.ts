import { add, multiply } from "../../ops/arithmetic.ts";
import { sizeOf } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import { type ElementType, isFloat, numbersFor } from "../elements.ts";
import { Value } from "../value.ts";

const constant: Operator = (call) => {
  const array = call.array("value");
  if (array) return call.host(array.type, array.shape, array.numbers);
  const [float, floats] = [call.number("value_float"), call.list("value_floats")];
  if (float !== undefined) return call.host("float32", [], [float]);
  if (floats) return call.host("float32", [floats.length], floats);
  const [whole, wholes] = [call.number("value_int"), call.list("value_ints")];
  if (whole !== undefined) return call.host("int64", [], [whole]);
  if (wholes) return call.host("int64", [wholes.length], wholes);
  throw call.unsupported("a constant of this kind");
};

const constantOfShape: Operator = (call) => {
  const shape = [...call.numbers(0)];
  const value = call.array("value");
  const type = value?.type ?? "float32";
  return call.host(type, shape, numbersFor(type, sizeOf(shape)).fill(value?.numbers[0] ?? 0));
};

/** start + i · step below `limit`. */
const range: Operator = (call) => {
  const [start, limit, step] = [0, 1, 2].map((i) => call.scalar(i)) as [number, number, number];
  const { type } = call.value(0);
  const count = Math.max(0, Math.ceil((limit - start) / step));
  const steps = Float64Array.from({ length: count }, (_, i) => i);
  if (!isFloat(type) || count === 0)
    return call.host(
      type,
      [count],
      steps.map((i) => start + i * step),
    );
  const counted = call.constant([...steps]);
  return Value.of(type, add(multiply(counted, call.tensor(2)), call.tensor(0)), [count]);
};

/** 1 on diagonal k, 0 elsewhere. */
const eyeLike: Operator = (call) => {
  const x = call.value(0);
  const type: ElementType = call.type("dtype", x.type);
  const [rows, columns] = x.shape as [number, number];
  const numbers = numbersFor(type, rows * columns);
  const k = call.number("k", 0);
  for (let row = 0; row < rows; row++) if (row + k >= 0 && row + k < columns) numbers[row * columns + row + k] = 1;
  return call.host(type, x.shape, numbers);
};

/** What is passed on in inference; the mask is all true. */
const dropout: Operator = (call: Call) => {
  const x = call.value(0);
  const ratio = call.has(1) ? call.scalar(1) : call.number("ratio", 0.5);
  if (call.has(2) && call.scalar(2) && ratio > 0) throw call.unsupported("training");
  const mask = call.wants(1) ? call.host("bool", x.shape, new Float64Array(x.size).fill(1)) : undefined;
  return [x.share(), mask];
};

export const constantOperators: Operators = {
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Range: range,
  EyeLike: eyeLike,
  Dropout: dropout,
};
