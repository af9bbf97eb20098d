import { flatGrid, flatWorkgroup } from "../kernel/grid.ts";
import { type Shape, sizeOf, Tensor } from "../tensor.ts";

/** Sum over the leading axis, in order, of `parts`: [parts, …shape] → shape. The size of `shape` is a multiple of 4. Not recorded. */
export function sumParts(parts: Tensor, shape: Shape): Tensor {
  const count = parts.shape[0]!;
  if (count === 1) return parts.alias(shape);
  const y = Tensor.empty(parts.device, shape);
  const count4 = sizeOf(shape) / 4;
  parts.device.kernels.run(
    "reduce/parts",
    { WORKGROUP: flatWorkgroup },
    { x: parts.window(), y: y.window() },
    { count4, parts: count },
    flatGrid(parts.device, count4),
  );
  return y;
}
