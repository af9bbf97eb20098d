import { recordFlat } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";
import { type CombinationName, combine, isTensor, numbersOf, type Operand, recorded } from "./broadcast.ts";
import { cast } from "./cast.ts";
import { expectTensors, stored } from "./operands.ts";
import { abs } from "./unary.ts";

/**
 * A comparison or a connective. y is 1 where it holds and 0 elsewhere, a tensor of the type of the first operand, f32 for
 * operands of u32 and i32; {@link where} takes it as a condition, and products as a mask. There is no type of truth values.
 */
function truth(op: CombinationName, operation: string, a: Operand, b: Operand): Tensor {
  return recordFlat([operation, numbersOf([a, b])], [a, b].filter(isTensor), combine(op, operation, { a, b }));
}

/**
 * y = 1 where a = b, else 0, also where one is NaN. a and b: f32 or f16, or both u32 or both i32, or one of them a number; extents
 * are equal or 1, aligned at the last axis as in NumPy → the type of the first tensor, f32 for u32 and i32. No gradient: it is flat wherever it is
 * smooth.
 * @throws ShapeError when the shapes cannot be broadcast, alternate over more than 10 axes, or u32 or i32 meets another type
 * @throws RangeError for a number that is NaN, and beside whole numbers for one that their type does not hold
 */
export function equal(a: Operand, b: Operand): Tensor {
  return truth("equal", "equal", a, b);
}

/** y = 1 where a ≠ b, also where one is NaN, else 0; operands and errors as in {@link equal}. */
export function notEqual(a: Operand, b: Operand): Tensor {
  return truth("not_equal", "notEqual", a, b);
}

/** y = 1 where a < b, else 0, also where one is NaN; operands and errors as in {@link equal}. */
export function less(a: Operand, b: Operand): Tensor {
  return truth("less", "less", a, b);
}

/** y = 1 where a ≤ b, else 0, also where one is NaN; operands and errors as in {@link equal}. */
export function lessOrEqual(a: Operand, b: Operand): Tensor {
  return truth("less_or_equal", "lessOrEqual", a, b);
}

/** y = 1 where a > b, else 0, also where one is NaN; operands and errors as in {@link equal}. */
export function greater(a: Operand, b: Operand): Tensor {
  return truth("greater", "greater", a, b);
}

/** y = 1 where a ≥ b, else 0, also where one is NaN; operands and errors as in {@link equal}. The same as `atLeast`. */
export function greaterOrEqual(a: Operand, b: Operand): Tensor {
  return truth("at_least", "greaterOrEqual", a, b);
}

/** y = 1 where neither a nor b is 0, else 0; NaN is not 0. Operands and errors as in {@link equal}. */
export function logicalAnd(a: Operand, b: Operand): Tensor {
  return truth("and", "logicalAnd", a, b);
}

/** y = 1 where a or b is not 0, else 0; NaN is not 0. Operands and errors as in {@link equal}. */
export function logicalOr(a: Operand, b: Operand): Tensor {
  return truth("or", "logicalOr", a, b);
}

/** y = 1 where one of a and b is 0 and the other is not, else 0; NaN is not 0. Operands and errors as in {@link equal}. */
export function logicalXor(a: Operand, b: Operand): Tensor {
  return truth("xor", "logicalXor", a, b);
}

/** y = 1 where x is 0, else 0, of the type of x, f32 for u32 and i32. No gradient. */
export function logicalNot(x: Tensor): Tensor {
  return truth("equal", "logicalNot", x, 0);
}

/** y = 1 where x is NaN, else 0, of the type of x. No gradient. Throws ShapeError when x holds indices. */
export function isNan(x: Tensor): Tensor {
  expectTensors("isNan", { x });
  return truth("not_equal", "isNan", x, x);
}

/** y = 1 where x is ∞ or −∞, else 0, of the type of x. No gradient. Throws ShapeError when x holds indices. */
export function isInfinite(x: Tensor): Tensor {
  expectTensors("isInfinite", { x });
  using size = abs(x);
  return truth("equal", "isInfinite", size, Number.POSITIVE_INFINITY);
}

/**
 * y = a where the condition is not 0 (NaN is not), else b. The three are broadcast as in NumPy; a and b may be numbers, infinite ones
 * too. condition: any type; a and b: f32 or f16, or both u32 or both i32 → the type of the first tensor among a and b, f32 when both are
 * numbers. What was not chosen gets no gradient, and a NaN in it does not show.
 * @throws ShapeError when the shapes cannot be broadcast, alternate over more than 7 axes, or u32 or i32 meets another type
 * @throws RangeError for a number that is NaN, and beside whole numbers for one that their type does not hold
 */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  expectTensors("where", { condition }, { condition: stored });
  const c = condition.dtype === "u8" ? cast(condition, "u32") : condition;
  const chosen = (x: Operand, y: Operand) => combine("where", "where", { a: x, b: y, c });
  // da = dy where the condition holds, else 0    db = dy where it does not
  const slopes = [
    [a, (dy: Tensor) => chosen(dy, 0)],
    [b, (dy: Tensor) => chosen(0, dy)],
  ] as const;
  return recorded("where", chosen(a, b), slopes, { condition });
}
