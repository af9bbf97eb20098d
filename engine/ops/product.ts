import { record } from "../autograd.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { Tensor } from "../tensor.ts";
import { type Axes, type Reduced, type ReduceOptions, reduced } from "./axes.ts";
import { moved } from "./operands.ts";
import { reduceAxis } from "./reduce.ts";

/**
 * Product over one axis or several (negative ones count from the last), which disappear, or over all elements → [1]; 1 of none.
 * f32, and of u32 and i32 their type, modulo 2^32.
 * @throws ShapeError when it has no such axis, or one is named twice; in the gradient, when what is multiplied
 * does not fit one binding of the adapter
 */
export function product(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  const view = reduced("product", x, axes, options, moved);
  const y = reduceAxis("product", view.x, view.outer, view.axis, view.inner).alias(view.shape);
  // dx[a] = dy · Π x[b] over b ≠ a, also where some are 0
  return record(["product", view.details], [view.x], y, (dy) => [productGradient(view, dy)]);
}

function productGradient({ x, outer, axis, inner }: Reduced, dy: Tensor): Tensor {
  const { device } = x;
  const dx = Tensor.like(x);
  const row = axis * inner;
  for (const { start, count } of rowRanges(device, outer, [row, inner])) {
    using before = Tensor.empty(device, [count * row]);
    device.kernels.run(
      "reduce/product_gradient",
      { WORKGROUP: flatWorkgroup },
      {
        x: x.window(start * row, count * row),
        dy: dy.window(start * inner, count * inner),
        before: before.window(),
        dx: dx.window(start * row, count * row),
      },
      { outer: count, axis, inner },
      flatGrid(device, count * inner),
      // A product on the way there, two on the way back
      { flops: 3 * count * row },
    );
  }
  return dx;
}
