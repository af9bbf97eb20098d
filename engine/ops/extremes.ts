import { record, withoutGradients } from "../autograd.ts";
import { ShapeError, sizeOf, type Tensor } from "../tensor.ts";
import { add, atLeast, divide, multiply, subtract } from "./arithmetic.ts";
import { type Axes, axesOf, type ReduceOptions, reduced, reducedShape } from "./axes.ts";
import { isInfinite, where } from "./compare.ts";
import { moved } from "./operands.ts";
import { reduceAxis, sum, sumAxis } from "./reduce.ts";
import { exp, log } from "./unary.ts";

function extreme(operation: "amax" | "amin", given: Tensor, axes: Axes | undefined, options: ReduceOptions): Tensor {
  const largest = operation === "amax";
  const { x, outer, axis, inner, shape, details } = reduced(operation, given, axes, options, moved);
  if (axis === 0) {
    const which = largest ? "largest" : "smallest";
    throw new ShapeError(
      `${operation}: [${given.shape}] has no elements along [${details.axes}], and no ${which} of them`,
    );
  }
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
 * @throws ShapeError when it has no such axis, one is named twice, or there are no elements along them
 */
export function amax(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  return extreme("amax", x, axes, options);
}

/** Smallest element over one axis or several, or over all elements, as {@link amax}. */
export function amin(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  return extreme("amin", x, axes, options);
}

/**
 * ln Σ e^x over one axis or several (negative ones count from the last), which disappear, or over all elements → [1]. Safe for
 * numbers of any size: ∞ where one is, −∞ where all are or there are none, NaN where there is one. Of the type of x.
 * @throws ShapeError when x holds indices, it has no such axis, or one is named twice
 */
export function logSumExp(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  const shape = reducedShape("logSumExp", x, axes, options);
  const chosen = axesOf("logSumExp", x.shape, axes);
  const kept = withoutGradients(() =>
    x.device.scope(() => {
      // ∞ − ∞ is NaN: where the largest is infinite nothing is subtracted.
      const finite = (most: Tensor) => where(isInfinite(most), 0, most);
      const some = sizeOf(chosen.map((axis) => x.shape[axis]!)) > 0;
      const base = some ? finite(amax(x, chosen, { keepDims: true })) : 0;
      return add(log(sum(exp(subtract(x, base)), chosen, { keepDims: true })), base);
    }),
  );
  const y = kept.alias(shape);
  kept.dispose();
  // dx = dy · e^{x − y}
  return record(["logSumExp", { axes: chosen }], [x], y, (dy) =>
    x.device.scope(() => {
      const every = x.shape.map((extent, axis) => (chosen.includes(axis) ? 1 : extent));
      return [multiply(exp(subtract(x, y.alias(every))), dy.alias(every))];
    }),
  );
}
