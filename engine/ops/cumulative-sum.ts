import { type Checks, expectOptions, flag } from "../arguments.ts";
import { record } from "../autograd.ts";
import { Tensor } from "../tensor.ts";
import { lastAxis } from "./along-axis.ts";
import { expectTensors } from "./operands.ts";
import { overRows } from "./over-rows.ts";

export interface CumulativeSumOptions {
  /** From the last element to the first. */
  readonly reverse?: boolean;
  /** Without the element itself: the first sum is 0. */
  readonly exclusive?: boolean;
}

const checks: Checks<CumulativeSumOptions> = { reverse: flag, exclusive: flag };

/** The running sums of rows. Not recorded. */
function scan(x: Tensor, reverse: boolean, exclusive: boolean): Tensor {
  const y = Tensor.like(x);
  const constants = { REVERSE: reverse, EXCLUSIVE: exclusive, VECTOR: false };
  overRows("row/cumulative_sum", constants, x.shape.at(-1)!, { rows: { x, y } }, () => ({}), 1);
  return y;
}

/**
 * Running sums along an axis, the last unless given (negative counts from the last): y_j = x_0 + … + x_j.
 * @throws ShapeError when x holds indices or has no such axis
 */
export function cumulativeSum(x: Tensor, axis = -1, options: CumulativeSumOptions = {}): Tensor {
  expectTensors("cumulativeSum", { x });
  expectOptions("cumulativeSum", options, checks);
  const { reverse = false, exclusive = false } = options;
  const { rows, back } = lastAxis("cumulativeSum", x, axis);
  // dx_j = dy_j + … + dy_{m−1}
  const gradient = (dy: Tensor) => [scan(dy, !reverse, exclusive)];
  return back(record("cumulativeSum", [rows], scan(rows, reverse, exclusive), gradient));
}
