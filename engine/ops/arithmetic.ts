import { recordFlat } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";
import { type CombinationName, combine, isTensor, type Operand, recorded } from "./broadcast.ts";
import { pow as powerOfTensor } from "./unary.ts";

const product = (a: Operand, b: Operand) => combine("multiply", "multiply", { a, b });
const quotient = (a: Operand, b: Operand) => combine("divide", "divide", { a, b });
const sloped = (op: CombinationName, dy: Tensor, a: Operand, b: Operand) => combine(op, op, { a, b, c: dy });

/**
 * y = a + b. Extents are equal or 1, aligned at the last axis as in NumPy; one of the operands may be a number. f32 or f16, or both u32 or
 * both i32, modulo 2^32 and without a gradient.
 * @throws ShapeError when the shapes cannot be broadcast, alternate over more than 10 axes, or u32 or i32 meets another type
 * @throws RangeError for a number that is NaN, and beside whole numbers for one that their type does not hold
 */
export function add(a: Operand, b: Operand): Tensor {
  // da = dy    db = dy    each summed over the axes along which it was repeated, here and below
  return recorded("add", combine("add", "add", { a, b }), [
    [a, (dy) => dy.alias()],
    [b, (dy) => dy.alias()],
  ]);
}

/** y = a − b; operands and errors as in {@link add}. */
export function subtract(a: Operand, b: Operand): Tensor {
  // da = dy    db = −dy
  return recorded("subtract", combine("subtract", "subtract", { a, b }), [
    [a, (dy) => dy.alias()],
    [b, (dy) => dy.alias(), true],
  ]);
}

/** y = a · b element by element; operands and errors as in {@link add}. */
export function multiply(a: Operand, b: Operand): Tensor {
  // da = dy · b    db = dy · a
  return recorded("multiply", product(a, b), [
    [a, (dy) => product(dy, b)],
    [b, (dy) => product(dy, a)],
  ]);
}

/** y = a / b element by element, f32 or f16; operands and errors as in {@link add}. */
export function divide(a: Operand, b: Operand): Tensor {
  const y = quotient(a, b);
  // da = dy / b    db = −dy · y / b
  return recorded("divide", y, [
    [a, (dy) => quotient(dy, b)],
    [b, (dy) => quotient(product(dy, y), b), true],
  ]);
}

/**
 * The larger of a and b element by element, NaN where one is. Equal ones share the gradient. f32 or f16, or both u32 or both
 * i32, or one of them a number; shapes and errors as in {@link add}.
 */
export function maximum(a: Operand, b: Operand): Tensor {
  // da = dy where a > b, dy/2 where a = b, else 0; db the other way round
  return recorded("maximum", combine("maximum", "maximum", { a, b }), [
    [a, (dy) => sloped("maximum_slope", dy, a, b)],
    [b, (dy) => sloped("maximum_slope", dy, b, a)],
  ]);
}

/** The smaller of a and b element by element, as {@link maximum}. */
export function minimum(a: Operand, b: Operand): Tensor {
  // da = dy where a < b, dy/2 where a = b, else 0; db the other way round
  return recorded("minimum", combine("minimum", "minimum", { a, b }), [
    [a, (dy) => sloped("minimum_slope", dy, a, b)],
    [b, (dy) => sloped("minimum_slope", dy, b, a)],
  ]);
}

/**
 * What is left of a / b rounded towards 0: y = a − b · trunc(a/b), without rounding, with the sign of a. NaN for b = 0 and
 * a = ±∞. f32 or f16; operands and errors as in {@link add}. JavaScript's and C's `%`.
 */
export function fmod(a: Operand, b: Operand): Tensor {
  // da = dy    db = −dy · trunc(a/b)
  return recorded("fmod", combine("fmod", "fmod", { a, b }), [
    [a, (dy) => dy.alias()],
    [b, (dy) => sloped("fmod_divisor", dy, a, b)],
  ]);
}

/**
 * What is left of a / b rounded down: y = a − b · ⌊a/b⌋, with the sign of b, as Python's `%`. NaN for b = 0 and a = ±∞.
 * f32 or f16; operands and errors as in {@link add}.
 */
export function remainder(a: Operand, b: Operand): Tensor {
  // da = dy    db = −dy · ⌊a/b⌋
  return recorded("remainder", combine("remainder", "remainder", { a, b }), [
    [a, (dy) => dy.alias()],
    [b, (dy) => sloped("remainder_divisor", dy, a, b)],
  ]);
}

/**
 * y = a^b element by element. Special values are those of IEEE 754: a negative a has whole powers only, a⁰ and 1^b are 1 also
 * for NaN. A number as b is taken by multiplication where it is whole and from −64 to 64; operands and errors as in {@link add}.
 * @throws RangeError when b is a number and not finite
 */
export function pow(a: Operand, b: Operand): Tensor {
  if (isTensor(a) && !isTensor(b)) return powerOfTensor(a, b);
  // da = dy · b · a^(b−1), 0 for b = 0    db = dy · a^b · ln a, 0 for a = 0 ≤ b
  return recorded("powerOf", combine("pow", "pow", { a, b }), [
    [a, (dy) => sloped("pow_base", dy, a, b)],
    [b, (dy) => sloped("pow_exponent", dy, a, b)],
  ]);
}

/**
 * y = 1 where a ≥ b, else 0, and 0 where either is NaN; operands as in `equal`. Has no gradient: it is flat wherever it is
 * smooth.
 */
export function atLeast(a: Operand, b: Operand): Tensor {
  return recordFlat("atLeast", [a, b].filter(isTensor), combine("at_least", "atLeast", { a, b }));
}
