import { type Checks, expectOptions, finite, flag } from "../arguments.ts";
import { record, withoutGradients } from "../autograd.ts";
import { ShapeError, sizeOf, Tensor } from "../tensor.ts";
import { divide, subtract } from "./arithmetic.ts";
import { type Axes, axesOf, type ReduceOptions } from "./axes.ts";
import { expectTensors } from "./operands.ts";
import { overElements } from "./over-elements.ts";
import { mean } from "./reduce.ts";
import { scale, scaled, sqrt, square } from "./unary.ts";

export interface VarianceOptions extends ReduceOptions {
  /** What the number of elements is lessened by: 1 unless given, 0 for the biased variance. */
  readonly correction?: number;
}

const checks: Checks<VarianceOptions> = { keepDims: flag, correction: finite };

function spread(operation: string, x: Tensor, axes: Axes | undefined, options: VarianceOptions): Tensor {
  expectTensors(operation, { x });
  expectOptions(operation, options, checks);
  const { correction = 1, keepDims = false } = options;
  const chosen = axesOf(operation, x.shape, axes);
  const count = sizeOf(chosen.map((axis) => x.shape[axis]!));
  if (!(count > correction)) {
    throw new ShapeError(
      `${operation}: of ${count} elements of [${x.shape}] less ${correction} there is no variance; take more, or a smaller correction`,
    );
  }
  const centred = subtract(x, mean(x, chosen, { keepDims: true }));
  return scale(mean(square(centred), chosen, { keepDims }), count / (count - correction));
}

/**
 * Variance over one axis or several (negative ones count from the last), which disappear, or over all elements → [1]:
 * Σ (x − mean)² / (n − correction). Always f32.
 * @throws ShapeError when x holds indices, it has no such axis, one is named twice, or no more elements than the correction
 */
export function variance(x: Tensor, axes?: Axes, options: VarianceOptions = {}): Tensor {
  return spread("variance", x, axes, options);
}

/** Root of the {@link variance}. Its gradient is 0 where all elements are equal. */
export function standardDeviation(x: Tensor, axes?: Axes, options: VarianceOptions = {}): Tensor {
  const squared = spread("standardDeviation", x, axes, options);
  const y = withoutGradients(() => sqrt(squared));
  // dvariance = dy / 2y, 0 where y = 0
  return record("standardDeviation", [squared], y, (dy) =>
    y.device.scope(() => {
      const slope = Tensor.like(y);
      const half = scaled(divide(dy, y), 0.5);
      overElements("elementwise/binary", { OP: "relu_gradient" }, { a: half, b: y, y: slope });
      return [slope];
    }),
  );
}
