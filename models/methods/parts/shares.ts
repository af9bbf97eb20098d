import { withoutGradients } from "../../../engine/autograd.ts";
import { add, atLeast, divide, multiply, subtract } from "../../../engine/ops/arithmetic.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import { constant } from "./constants.ts";

/** a / b, 0 where b is 0. a, b: [m] → [m]; b ≥ 0 gets no gradient. */
export function dividedWherePositive(a: Tensor, b: Tensor): Tensor {
  const [isPositive, divisor] = withoutGradients(() => {
    const positive = atLeast(b, constant(b, 1e-30));
    return [positive, add(multiply(b, positive), subtract(constant(b, 1), positive))] as const;
  });
  return multiply(divide(a, divisor), isPositive);
}

/** x / Σ x, and 0 where all are 0. x ≥ 0: [m] → [m]. */
export function asShares(x: Tensor): Tensor {
  const total = sum(x);
  const isZero = withoutGradients(() => atLeast(constant(x, 0), total));
  return divide(x, add(total, isZero));
}
