import { expectArgument, oneOf } from "../arguments.ts";
import { record, recordFlat } from "../autograd.ts";
import { isWhole } from "../elements.ts";
import { type DataType, Tensor } from "../tensor.ts";
import { expectTensors, kindOf, stored } from "./operands.ts";
import { overElements } from "./over-elements.ts";

const castTypes = oneOf(...stored);

/**
 * The same numbers as another type. To f16 they are rounded to nearest, infinite beyond ±65,504; operations on f16 tensors give f16.
 * To i32 their fraction is cut off; beyond its ends they are held there, and NaN is 0. To u32 it is the same, but negative numbers are
 * taken modulo 2^32, so that −1 is 4294967295, which indices take as "from the end". i32 and u32 become each other modulo 2^32, and the
 * nearest number as f32 or f16. To u8 numbers are held at 0 and 255, NaN is 0, and whole numbers are taken modulo 256. To and from whole numbers there is no gradient.
 * @throws ShapeError when the adapter has no f16
 */
export function cast(x: Tensor, dtype: DataType): Tensor {
  expectTensors("cast", { x }, { x: stored });
  expectArgument("cast", "the type", dtype, castTypes);
  if (x.dtype === dtype) return isWhole(dtype) ? x.alias() : record("cast", [x], x.alias(), (dy) => [dy.alias()]);
  if (isWhole(x.dtype) || isWhole(dtype)) {
    const y = Tensor.empty(x.device, x.shape, dtype);
    overElements("elementwise/convert", { GIVEN: kindOf(x), MADE: kindOf(y) }, { x, y }, {}, {}, 0);
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
