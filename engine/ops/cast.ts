import { expectArgument, oneOf } from "../arguments.ts";
import { record, recordFlat } from "../autograd.ts";
import { type DataType, Tensor } from "../tensor.ts";
import { expectTensors, moved } from "./operands.ts";
import { overElements } from "./over-elements.ts";

const castTypes = oneOf("f32", "f16", "u32");

/**
 * The same numbers as another type. To f16 they are rounded to nearest, infinite beyond ±65,504; operations on f16 tensors give f16.
 * To u32 their fraction is cut off, modulo 2^32, so that −1 is 4294967295, which indices take as "from the end"; beyond −2^31 and 2^32
 * they are held there, and NaN is 0. From u32 they become the nearest number. To and from u32 there is no gradient.
 * @throws ShapeError when the adapter has no f16
 */
export function cast(x: Tensor, dtype: DataType): Tensor {
  expectTensors("cast", { x }, { x: moved });
  expectArgument("cast", "the type", dtype, castTypes);
  if (x.dtype === dtype) return dtype === "u32" ? x.alias() : record("cast", [x], x.alias(), (dy) => [dy.alias()]);
  if (x.dtype === "u32" || dtype === "u32") {
    const y = Tensor.empty(x.device, x.shape, dtype);
    overElements("elementwise/convert", { WORDS: dtype === "u32" }, { x, y }, {}, {}, 0);
    return recordFlat("cast", [x], y);
  }
  // dx = dy in the type of x
  return record("cast", [x], converted(x, dtype), (dy) => [converted(dy, x.dtype)]);
}

function converted(x: Tensor, dtype: DataType): Tensor {
  if (x.dtype === dtype) return x.alias();
  const y = Tensor.empty(x.device, x.shape, dtype);
  overElements("elementwise/unary", { OP: "scale", GRADIENT: false }, { x, y }, { factor: 1 }, {}, 0);
  return y;
}
