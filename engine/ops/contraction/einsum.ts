import { ShapeError, shown } from "../../arguments.ts";
import { sizeOf, type Tensor } from "../../tensor.ts";
import { multiply } from "../arithmetic.ts";
import { along } from "../gather-axis.ts";
import { permute } from "../join.ts";
import { expectOperandList } from "../operands.ts";
import { sum } from "../reduce.ts";
import { reshape } from "../shape.ts";
import { batchedMatmul } from "./batched.ts";

/** A tensor with a letter for each axis; one number has none, and the shape [1]. */
interface Lettered {
  readonly tensor: Tensor;
  readonly letters: readonly string[];
}

interface Equation {
  readonly inputs: readonly (readonly string[])[];
  readonly output: readonly string[];
}

/** Letters of the axes that "…" stands for, the last one first, which no equation can name. */
const unnamed = (i: number) => `…${i}`;

function refuse(equation: string, tensors: readonly Tensor[], what: string): never {
  const shapes = tensors.map(({ shape }) => `[${shape}]`).join(", ");
  throw new ShapeError(`einsum: ${shown(equation)} of ${shapes}: ${what}`);
}

/** The letters of each operand and of the result, dots written out. */
function parsed(equation: string, tensors: readonly Tensor[]): Equation {
  const text = typeof equation === "string" ? equation.replaceAll(/\s/g, "") : "";
  if (!/^[A-Za-z.,]*(->[A-Za-z.]*)?$/.test(text) || text === "")
    refuse(equation, tensors, 'an equation is letters such as "ij,jk->ik"');
  const [left, right] = text.split("->") as [string, string?];
  const words = left.split(",");
  if (words.length !== tensors.length) refuse(equation, tensors, `it names ${words.length} operands`);
  let widest = 0;
  const letters = (word: string, rank: number | undefined) => {
    const parts = word.split("...");
    if (parts.length > 2 || parts.some((part) => part.includes(".")))
      refuse(equation, tensors, `"${word}" has wrong dots`);
    const named = parts.join("").length;
    if (rank !== undefined && (parts.length === 1 ? rank !== named : rank < named))
      refuse(equation, tensors, `"${word}" does not name the ${rank} axes of its operand`);
    const dots = parts.length === 1 ? 0 : rank === undefined ? widest : rank - named;
    if (rank !== undefined) widest = Math.max(widest, dots);
    const rest = Array.from({ length: dots }, (_, i) => unnamed(dots - 1 - i));
    return [...parts[0]!, ...rest, ...(parts[1] ?? "")];
  };
  const inputs = words.map((word, i) => letters(word, tensors[i]!.rank));
  const all = inputs.flat();
  // Without an arrow: the dots, then the letters that stand there once, in alphabetical order.
  const once = [...new Set(all)].filter(
    (letter) => letter.length === 1 && all.filter((x) => x === letter).length === 1,
  );
  const dots = Array.from({ length: widest }, (_, i) => unnamed(widest - 1 - i));
  const output = right === undefined ? [...dots, ...once.sort()] : letters(right, undefined);
  if (new Set(output).size < output.length || output.some((letter) => !all.includes(letter)))
    refuse(equation, tensors, "the result names a letter twice, or one that no operand has");
  return { inputs, output };
}

function without(list: readonly string[], letter: string): string[] {
  return list.filter((each) => each !== letter);
}

/** A letter that stands twice: the axis along which both places are the same. */
function diagonal({ tensor, letters }: Lettered, letter: string): Lettered {
  const at = letters.flatMap((each, axis) => (each === letter ? [axis] : []));
  const [first, second] = at as [number, number];
  const n = tensor.shape[first]!;
  const others = letters.map((_, axis) => axis).filter((axis) => axis !== first && axis !== second);
  const turned = permute(tensor, [...others, first, second]);
  const rest = others.map((axis) => tensor.shape[axis]!);
  const places = Array.from({ length: n }, (_, i) => i * (n + 1));
  const y = along("einsum", reshape(turned, [...rest, n * n]), rest.length, places);
  return { tensor: y, letters: [...others.map((axis) => letters[axis]!), letter] };
}

function summed({ tensor, letters }: Lettered, letter: string): Lettered {
  return { tensor: sum(tensor, letters.indexOf(letter)), letters: without(letters, letter) };
}

/** Its axes in another order, as [shape]; letters that it does not have are left out. */
function ordered({ tensor, letters }: Lettered, order: readonly string[], shape: readonly number[]): Tensor {
  const axes = order.filter((letter) => letters.includes(letter)).map((letter) => letters.indexOf(letter));
  const turned = axes.every((axis, i) => axis === i) ? tensor : permute(tensor, axes);
  return reshape(turned, shape);
}

/** The product of two, summed over the letters of both that are not kept. */
function product(a: Lettered, b: Lettered, kept: ReadonlySet<string>, extents: ReadonlyMap<string, number>): Lettered {
  const size = (letters: readonly string[]) => sizeOf(letters.map((letter) => extents.get(letter)!));
  const lone = (x: Lettered, other: Lettered) =>
    x.letters
      .filter((letter) => !other.letters.includes(letter) && !kept.has(letter))
      .reduce((y, letter) => summed(y, letter), x);
  const [left, right] = [lone(a, b), lone(b, a)];
  const shared = left.letters.filter((letter) => right.letters.includes(letter));
  const batch = shared.filter((letter) => kept.has(letter));
  const inner = shared.filter((letter) => !kept.has(letter));
  const [rows, columns] = [left, right].map(({ letters }) => letters.filter((letter) => !shared.includes(letter)));
  const [many, m, k, n] = [batch, rows!, inner, columns!].map(size) as [number, number, number, number];
  const letters = [...batch, ...rows!, ...columns!];
  const x = ordered(left, [...batch, ...rows!, ...inner], [many, m, k]);
  const z = ordered(right, [...batch, ...inner, ...columns!], [many, k, n]);
  const y = inner.length > 0 ? batchedMatmul(x, z) : multiply(x, z);
  const shape = letters.map((letter) => extents.get(letter)!);
  return { tensor: reshape(y, shape.length > 0 ? shape : [1]), letters };
}

/** The extent of each letter; one of 1 goes with any other. */
function extentsOf(equation: string, tensors: readonly Tensor[], inputs: Equation["inputs"]): Map<string, number> {
  const extents = new Map<string, number>();
  inputs.forEach((letters, i) => {
    letters.forEach((letter, axis) => {
      const [before, own] = [extents.get(letter) ?? 1, tensors[i]!.shape[axis]!];
      if (before !== own && before !== 1 && own !== 1)
        refuse(equation, tensors, `"${letter.replace(/^….*/, "...")}" is ${before} and ${own}`);
      extents.set(letter, before === 1 ? own : before);
    });
  });
  return extents;
}

/**
 * Sums of products by letters of axes, as `torch.einsum`: "bij,bjk->bik". Letters that the result does not name are summed over; a letter
 * that stands twice in one operand is its diagonal; dots "..." stand for the axes that are left, broadcast as in NumPy. Without an arrow
 * the result has the letters that stand once, in alphabetical order. One number is [1]. Operands are multiplied from left to right, each
 * pair by one matrix product; f32 or f16, at most 6 axes.
 * @throws ShapeError when the equation and the shapes do not go together
 */
export function einsum(equation: string, ...operands: readonly Tensor[]): Tensor {
  expectOperandList("einsum", operands);
  const { inputs, output } = parsed(equation, operands);
  const extents = extentsOf(equation, operands, inputs);
  const single = operands.map((operand, i): Lettered => {
    // An axis of extent 1 beside longer ones is repeated there: it does without.
    let letters = inputs[i]!;
    const short = letters.map((letter, axis) => operand.shape[axis] === 1 && extents.get(letter) !== 1);
    const shape = operand.shape.filter((_, axis) => !short[axis]);
    const tensor = short.some(Boolean) ? reshape(operand, shape.length > 0 ? shape : [1]) : operand;
    letters = letters.filter((_, axis) => !short[axis]);
    let whole: Lettered = { tensor, letters };
    for (const letter of new Set(letters)) {
      while (whole.letters.filter((each) => each === letter).length > 1) whole = diagonal(whole, letter);
    }
    return whole;
  });
  const [first, ...others] = single as [Lettered, ...Lettered[]];
  const all = others.reduce((result, other, i) => {
    const kept = new Set([...output, ...others.slice(i + 1).flatMap(({ letters }) => letters)]);
    return product(result, other, kept, extents);
  }, first);
  const total = all.letters.filter((letter) => !output.includes(letter)).reduce(summed, all);
  const shape = output.map((letter) => extents.get(letter)!);
  return ordered(total, output, shape.length > 0 ? shape : [1]);
}
