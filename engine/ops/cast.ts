import { expectArgument, oneOf } from "../arguments.ts";
import { record } from "../autograd.ts";
import { type DataType, Tensor } from "../tensor.ts";
import { expectOperands } from "./operands.ts";
import { overElements } from "./over-elements.ts";

const castTypes = oneOf("f32", "f16");

/**
 * The same numbers as f32 or f16, rounded to nearest; beyond ±65,504 f16 is infinite. Operations on f16 tensors give f16.
 * @throws ShapeError when x holds u32, or the adapter has no f16
 */
export function cast(x: Tensor, dtype: "f32" | "f16"): Tensor {
  expectOperands("cast", { x });
  expectArgument("cast", "the type", dtype, castTypes);
  // dx = dy in the type of x
  return record("cast", [x], converted(x, dtype), (dy) => [converted(dy, x.dtype)]);
}

function converted(x: Tensor, dtype: DataType): Tensor {
  if (x.dtype === dtype) return x.alias();
  const y = Tensor.empty(x.device, x.shape, dtype);
  overElements("elementwise/unary", { OP: "scale", GRADIENT: false }, { x, y }, { factor: 1 }, {}, 0);
  return y;
}
