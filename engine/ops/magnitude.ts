import { expectArgument, number, positive } from "../arguments.ts";
import { record } from "../autograd.ts";
import { Tensor } from "../tensor.ts";
import { overElements } from "./elementwise.ts";
import { expectOperands } from "./operands.ts";

type Operation = "abs" | "clamp" | "signed_sqrt";

/** Floating-point operations of f(x) and of dy · f′(x). */
const flops: Readonly<Record<Operation, readonly [forward: number, gradient: number]>> = {
  abs: [0, 1],
  clamp: [2, 0],
  signed_sqrt: [3, 4],
};

/** Ends of `clamp`; `low` is also what `signed_sqrt` adds below the root. */
interface Bounds {
  readonly low: number;
  readonly high: number;
}

function recorded(op: Operation, x: Tensor, bounds: Bounds = { low: 0, high: 0 }): Tensor {
  expectOperands(op, { x });
  const y = Tensor.like(x);
  overElements("elementwise/magnitude", { OP: op, GRADIENT: false }, { x, y }, { ...bounds }, {}, flops[op][0]);
  // dx = dy · f′(x), f′ as in shaders/elementwise/magnitude.wgsl
  return record(op, [x], y, (dy) => {
    const dx = Tensor.like(x);
    overElements(
      "elementwise/magnitude",
      { OP: op, GRADIENT: true },
      { x, y: dx, dy },
      { ...bounds },
      {},
      flops[op][1],
    );
    return [dx];
  });
}

/** y = |x|, its slope at 0 taken as 0. Throws ShapeError when x holds indices. */
export function abs(x: Tensor): Tensor {
  return recorded("abs", x);
}

/**
 * y = min(max(x, low), high). The gradient passes where low ≤ x ≤ high. Either end may be infinite.
 * @throws ShapeError when x holds indices
 * @throws RangeError when low is not at most high
 */
export function clamp(x: Tensor, low: number, high: number): Tensor {
  expectArgument("clamp", "the lower end", low, number);
  expectArgument("clamp", "the upper end", high, number);
  if (!(low <= high)) throw new RangeError(`clamp: the lower end ${low} must be at most the upper end ${high}`);
  return recorded("clamp", x, { low, high });
}

/**
 * y = sign(x) · √(|x| + ε), 0 at 0: bilinear features are compressed by it (Lin et al. 2015; ε as in DB-CNN, Zhang et al.
 * 2020). Its slope, 1 / (2√(|x| + ε)), is at most 1 / (2√ε), and taken as 0 at 0.
 * @throws ShapeError when x holds indices
 * @throws RangeError when epsilon is not above 0
 */
export function signedSqrt(x: Tensor, epsilon = 1e-8): Tensor {
  expectArgument("signedSqrt", "epsilon", epsilon, positive);
  return recorded("signed_sqrt", x, { low: epsilon, high: 0 });
}
