import { add } from "../../ops/arithmetic.ts";
import { batchedMatmul } from "../../ops/contraction/batched.ts";
import { einsum } from "../../ops/contraction/einsum.ts";
import { linear } from "../../ops/contraction/matmul.ts";
import { reshape, transpose } from "../../ops/shape.ts";
import { scale } from "../../ops/unary.ts";
import { sizeOf, type Tensor } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import { Value } from "../value.ts";
import { broadcast } from "./binary.ts";
import { expanded } from "./parts.ts";

/** Matrices in the last two axes, the axes before them broadcast, as NumPy has it; a list is a row, or a column. */
export function product(call: Call, a: Value, b: Value, bias?: Tensor): Tensor {
  const left = a.rank === 1 ? reshape(a.tensor(), [1, a.size]) : a.tensor();
  const right = b.rank === 1 ? reshape(b.tensor(), [b.size, 1]) : b.tensor();
  const [rows, inner] = left.shape.slice(-2) as [number, number];
  const columns = right.shape.at(-1)!;
  const batch = broadcast(call, left.shape.slice(0, -2), right.shape.slice(0, -2));
  const ends = [...(a.rank === 1 ? [] : [rows]), ...(b.rank === 1 ? [] : [columns])];
  if (right.rank === 2) {
    const y = linear(reshape(left, [left.size / inner, inner]), right, bias);
    return reshape(y, [...batch, ...ends]);
  }
  const entries = sizeOf(batch);
  const whole = (x: Tensor, height: number, width: number) => {
    const full =
      x.size === entries * height * width ? x : expanded(Value.of(a.type, x), [...batch, height, width]).tensor();
    return reshape(full, [entries, height, width]);
  };
  const y = batchedMatmul(whole(left, rows, inner), whole(right, inner, columns));
  return reshape(bias ? add(y, bias) : y, [...batch, ...ends]);
}

const matmul: Operator = (call) => {
  const [a, b] = [call.value(0), call.value(1)];
  if (!a.isFloat) throw call.unsupported(`an input of ${a.type}`);
  // Input 2 is a bias that stood behind it.
  return Value.of(a.type, product(call, a, b, call.has(2) ? call.tensor(2) : undefined));
};

/** alpha · A · B + beta · C, either turned on its side before. */
const gemm: Operator = (call) => {
  const [a, b] = [call.value(0), call.value(1)];
  if (!a.isFloat) throw call.unsupported(`an input of ${a.type}`);
  const left = call.flag("transA") ? transpose(a.tensor()) : a.tensor();
  const right = call.flag("transB") ? transpose(b.tensor()) : b.tensor();
  const [alpha, beta] = [call.number("alpha", 1), call.number("beta", 1)];
  const c = call.has(2) ? (beta === 1 ? call.tensor(2) : scale(call.tensor(2), beta)) : undefined;
  const simple = c && alpha === 1 && c.size === right.shape[1] && c.shape.at(-1) === c.size;
  if (simple) return Value.of(a.type, linear(left, right, reshape(c, [c.size])));
  const product = linear(left, right);
  const scaled = alpha === 1 ? product : scale(product, alpha);
  return Value.of(a.type, c ? add(scaled, c) : scaled);
};

/** True when no axis is left: nothing stands behind the arrow or, without one, every letter stands more than once. */
function leavesNone(equation: string): boolean {
  if (equation.includes("->")) return equation.endsWith("->");
  const letters = [...equation.replaceAll(",", "")];
  return letters.every((letter) => letters.indexOf(letter) !== letters.lastIndexOf(letter));
}

/** Sums of products by the letters of axes. */
const sums: Operator = (call) => {
  const tensors = call.inputs.map((input) => input.tensor());
  const equation = call.text("equation", "").replaceAll(" ", "");
  const y = einsum(equation, ...tensors);
  return Value.of(call.value(0).type, y, leavesNone(equation) ? [] : y.shape);
};

export const matmulOperators: Operators = { MatMul: matmul, Gemm: gemm, Einsum: sums };
