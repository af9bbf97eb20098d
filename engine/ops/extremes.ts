import { record } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";
import { atLeast, divide, multiply } from "./arithmetic.ts";
import { type Axes, type ReduceOptions, reduced } from "./axes.ts";
import { reduceAxis, sumAxis } from "./reduce.ts";

function extreme(operation: "amax" | "amin", given: Tensor, axes: Axes | undefined, options: ReduceOptions): Tensor {
  const largest = operation === "amax";
  const { x, outer, axis, inner, shape, details } = reduced(operation, given, axes, options);
  const y = reduceAxis(largest ? "maximum" : "minimum", x, outer, axis, inner).alias(shape);
  // dx = dy / count where x is the extreme, else 0; count: how many of them there are
  return record([operation, details], [x], y, (dy) =>
    x.device.scope(() => {
      const [rows, top, slope] = [
        x.alias([outer, axis, inner]),
        y.alias([outer, 1, inner]),
        dy.alias([outer, 1, inner]),
      ];
      const found = largest ? atLeast(rows, top) : atLeast(top, rows);
      const dx = divide(multiply(found, slope), sumAxis(found, outer, axis, inner));
      return [dx.alias(x.shape)];
    }),
  );
}

/**
 * Largest element over one axis or several (negative ones count from the last), which disappear, or over all elements → [1]. NaN
 * where there is one. Equal ones share the gradient. Of the type of x.
 * @throws ShapeError when x holds indices, it has no such axis, or one is named twice
 */
export function amax(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  return extreme("amax", x, axes, options);
}

/** Smallest element over one axis or several, or over all elements, as {@link amax}. */
export function amin(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  return extreme("amin", x, axes, options);
}
