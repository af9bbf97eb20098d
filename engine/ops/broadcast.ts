import { expectArgument, number, shown, whole } from "../arguments.ts";
import { record } from "../autograd.ts";
import { isWhole, wholeRange } from "../elements.ts";
import type { CallDetails } from "../journal.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { type DataType, type Shape, ShapeError, sizeOf, Tensor } from "../tensor.ts";
import { expectTensors, kindOf, moved, wholes } from "./operands.ts";
import { overElements } from "./over-elements.ts";
import { sumAxis } from "./reduce.ts";
import { scaled } from "./unary.ts";

/** A tensor, or one number that stands at every place. */
export type Operand = Tensor | number;

/** A function of numbers of two or three tensors: its formula stands in `shaders/elementwise` under its name. */
interface Combination {
  /** Floating-point operations of one element, by the convention above `CallCost`. */
  readonly flops: number;
  /** The kernel; "broadcast" unless given. */
  readonly kernel?: "power";
  /** Whole numbers are taken too, modulo 2^32. */
  readonly words?: true;
  /** y is 1 or 0. */
  readonly truth?: true;
}

const truth = { flops: 1, words: true, truth: true } as const;

const combinations = {
  copy: { flops: 0, words: true },
  add: { flops: 1, words: true },
  subtract: { flops: 1, words: true },
  multiply: { flops: 1, words: true },
  divide: { flops: 1 },
  maximum: { flops: 1, words: true },
  minimum: { flops: 1, words: true },
  maximum_slope: { flops: 1 },
  minimum_slope: { flops: 1 },
  equal: truth,
  not_equal: truth,
  less: truth,
  less_or_equal: truth,
  greater: truth,
  at_least: truth,
  and: { ...truth, flops: 0 },
  or: { ...truth, flops: 0 },
  xor: { ...truth, flops: 0 },
  where: { flops: 0, words: true },
  pow: { flops: 1, kernel: "power" },
  pow_base: { flops: 4, kernel: "power" },
  pow_exponent: { flops: 3, kernel: "power" },
  fmod: { flops: 3, kernel: "power" },
  remainder: { flops: 3, kernel: "power" },
  fmod_divisor: { flops: 2, kernel: "power" },
  remainder_divisor: { flops: 2, kernel: "power" },
} as const satisfies Record<string, Combination>;

export type CombinationName = keyof typeof combinations;

/** Those of two tensors of one shape that have a kernel of their own. */
const plain: ReadonlySet<string> = new Set(["add", "subtract", "multiply", "divide", "at_least"]);

/** Numbers that a kernel is given besides its tensors, at most. */
const mostNumbers = 32;

/** Neighbouring axes of the result that all operands treat alike, taken as one. */
interface Axis {
  extent: number;
  /** Whether each operand is repeated along it. */
  readonly repeats: readonly boolean[];
}

/**
 * The shape of both operands after NumPy's broadcasting: aligned at the last axis, extents equal or one of them 1.
 * @throws ShapeError when they do not go together
 */
export function broadcastShape(operation: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    if (x !== y && x !== 1 && y !== 1) {
      throw new ShapeError(`${operation}: shapes [${a}] and [${b}] cannot be broadcast: ${x} against ${y}`);
    }
    return x === 1 ? y : x;
  });
}

function axesOf(operation: string, tensors: readonly Tensor[], shape: Shape): Axis[] {
  const axes: Axis[] = [];
  shape.forEach((extent, i) => {
    if (extent === 1) return;
    const repeats = tensors.map((own) => (own.shape[i - shape.length + own.rank] ?? 1) === 1);
    const last = axes.at(-1);
    if (last && repeats.every((repeat, k) => repeat === last.repeats[k])) last.extent *= extent;
    else axes.push({ extent, repeats });
  });
  const most = Math.floor((mostNumbers - 2) / (1 + tensors.length));
  if (axes.length > most) {
    const shapes = tensors.map((own) => `[${own.shape}]`).join(" with ");
    throw new ShapeError(`${operation}: ${shapes} alternates over ${axes.length} axes, at most ${most}`);
  }
  return axes.length > 0 ? axes : [{ extent: 1, repeats: tensors.map(() => false) }];
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

/** What a combination is made of. `c` stands where its formula has a third tensor. */
interface Operands {
  readonly a: Operand;
  readonly b: Operand;
  readonly c?: Tensor | undefined;
}

export const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;

/**
 * The one look at the operands before anything is made: tensors of types that go together, numbers that these can hold.
 * @returns whether a and b hold whole numbers
 */
function expectCombination(op: CombinationName, operation: string, { a, b, c }: Operands): boolean {
  for (const [name, value] of [["a", a] as const, ["b", b] as const]) {
    if (!isTensor(value) && typeof value !== "number")
      throw new TypeError(`${operation}: ${name} must be a tensor or a number, found ${shown(value)}`);
  }
  if (!isTensor(a) && !isTensor(b) && !c)
    throw new TypeError(`${operation}: a or b must be a tensor, found ${shown(a)} and ${shown(b)}`);
  const first = isTensor(a) ? a : isTensor(b) ? b : undefined;
  const { words: ofWholes }: Combination = combinations[op];
  const kind = first && ofWholes && isWhole(first.dtype) && wholes.includes(first.dtype) ? first.dtype : undefined;
  const words = kind !== undefined;
  const tensors = { ...(isTensor(a) && { a }), ...(isTensor(b) && { b }), ...(c && { c }) };
  expectTensors(operation, tensors, { ...(kind && { a: [kind], b: [kind] }), c: moved });
  for (const [name, value] of [["a", a] as const, ["b", b] as const]) {
    if (typeof value === "number") expectArgument(operation, name, value, kind ? whole(...wholeRange(kind)) : number);
  }
  return words;
}

/**
 * y of a combination, not recorded. It has the type of the first tensor among a and b, f32 where there is none and for truths
 * of whole numbers.
 * @param shape that of the operands unless they are repeated further
 * @throws ShapeError when the shapes cannot be broadcast or alternate over too many axes, or the types do not go together
 */
export function combine(op: CombinationName, operation: string, operands: Operands, shape?: Shape): Tensor {
  const words = expectCombination(op, operation, operands);
  const { a, b } = operands;
  if (isTensor(a) && isTensor(b) && !words && plain.has(op) && sameShape(a.shape, b.shape)) {
    const y = Tensor.like(a);
    overElements("elementwise/binary", { OP: op }, { a, b, y }, {}, {}, 1);
    return y;
  }
  const { truth: isTruth }: Combination = combinations[op];
  const first = isTensor(a) ? a : isTensor(b) ? b : undefined;
  const type = words && isTruth ? "f32" : (first?.dtype ?? "f32");
  return broadcast(op, operation, operands, { type, words, shape });
}

/** How an operand lies beside y. */
function formOf(value: Operand | undefined, repeated: boolean, vector: boolean): string {
  if (value === undefined) return "none";
  if (!isTensor(value)) return "number";
  return repeated && vector ? "splat" : "whole";
}

/** What y is, and whether a and b hold whole numbers. */
interface Made {
  readonly type: DataType;
  readonly words: boolean;
  readonly shape: Shape | undefined;
}

function broadcast(
  op: CombinationName,
  operation: string,
  { a, b, c }: Operands,
  { type, words, shape: all }: Made,
): Tensor {
  const named = Object.entries({ a, b, c }).filter((entry): entry is [string, Tensor] => isTensor(entry[1]));
  const tensors = named.map(([, tensor]) => tensor);
  const { device } = tensors[0]!;
  const shape = tensors.reduce<Shape>((so, { shape: own }) => broadcastShape(operation, so, own), all ?? []);
  const axes = axesOf(operation, tensors, shape);
  const y = Tensor.empty(device, shape, type);
  if (y.size === 0) return y;
  const [first, last] = [axes[0]!, axes.at(-1)!];
  const vector = axes.length === 1 || last.extent % 4 === 0;
  const width = vector ? 4 : 1;
  const rows = tensors.map((tensor, k) => (first.repeats[k] ? 0 : tensor.size / first.extent));
  const rowY = y.size / first.extent;
  const repeatedLast = (value: Operand | undefined) => last.repeats[tensors.indexOf(value as Tensor)] ?? false;
  const { flops, kernel, truth: isTruth }: Combination = combinations[op];
  const kind = words ? kindOf(isTensor(a) ? a : (b as Tensor)) : "f";
  const constants = {
    OP: op,
    RANK: axes.length,
    VECTOR: vector,
    A: formOf(a, repeatedLast(a), vector),
    B: formOf(b, repeatedLast(b), vector),
    C: formOf(c, repeatedLast(c), vector),
    TYPE: kind,
    C_TYPE: c ? kindOf(c) : "f",
    RESULT: isTruth ? "f" : kind,
    WORKGROUP: flatWorkgroup,
  };
  const numbers = { ...(!isTensor(a) && { a_number: a }), ...(!isTensor(b) && { b_number: b }) };
  for (const { start, count } of rowRanges(
    device,
    first.extent,
    [...rows, rowY].filter((row) => row > 0),
  )) {
    const steps = Math.ceil((count * rowY) / width);
    const parameters: Record<string, number> = { count: steps, ...numbers };
    const strides = tensors.map(() => 1);
    axes.toReversed().forEach(({ extent, repeats }, d) => {
      const along = d === 0 ? Math.ceil(extent / width) : extent;
      parameters[`extent${d}`] = along;
      named.forEach(([name], k) => {
        parameters[`${name}_stride${d}`] = repeats[k] ? 0 : strides[k]!;
        if (!repeats[k]) strides[k]! *= along;
      });
    });
    const windows = named.map(([name, tensor], k) => {
      const row = rows[k]!;
      return [name, row === 0 ? tensor.window() : tensor.window(start * row, count * row)] as const;
    });
    device.kernels.run(
      `elementwise/${kernel ?? "broadcast"}`,
      constants,
      { ...Object.fromEntries(windows), y: y.window(start * rowY, count * rowY) },
      parameters,
      flatGrid(device, steps),
      flops > 0 ? { flops: flops * count * rowY } : undefined,
    );
  }
  return y;
}

/**
 * Sum of x over the axes along which a tensor of `shape` was repeated to the shape of x; x where there are none. Otherwise
 * `x` itself is disposed of.
 */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const extents = [...x.shape];
  const leading = extents.length - shape.length;
  let total = x;
  const repeated = (axis: number) => extents[axis] !== 1 && (axis < leading || shape[axis - leading] === 1);
  for (let axis = 0; axis < extents.length; axis++) {
    if (!repeated(axis)) continue;
    let end = axis + 1;
    while (end < extents.length && repeated(end)) end++;
    const summed = sumAxis(
      total,
      sizeOf(extents.slice(0, axis)),
      sizeOf(extents.slice(axis, end)),
      sizeOf(extents.slice(end)),
    );
    total.dispose();
    total = summed;
    extents.fill(1, axis, end);
  }
  const y = total.alias(shape);
  total.dispose();
  return y;
}

/** The numbers among a and b, by these names. */
export function numbersOf(operands: readonly Operand[]): CallDetails {
  return Object.fromEntries(["a", "b"].map((name, i) => [name, operands[i]]).filter(([, x]) => typeof x === "number"));
}

/** dy → the gradient of one operand, of the shape of dy. */
type Slope = (dy: Tensor) => Tensor;

function negated(x: Tensor): Tensor {
  const y = scaled(x, -1);
  x.dispose();
  return y;
}

/**
 * Puts a combination on the tape. Gradients are made for the tensors that are tracked, summed over the axes along which a
 * tensor was repeated, and with `negative` taken times −1.
 */
export function recorded(
  operation: string,
  y: Tensor,
  operands: readonly (readonly [operand: Operand, slope: Slope, negative?: boolean])[],
  details: CallDetails = {},
): Tensor {
  const tensors = operands.filter((entry): entry is [Tensor, Slope, boolean?] => isTensor(entry[0]));
  const inputs = tensors.map(([tensor]) => tensor);
  return record([operation, { ...numbersOf(operands.map(([operand]) => operand)), ...details }], inputs, y, (dy) =>
    tensors.map(([tensor, slope, negative = false]) => {
      if (!tensor.tracked) return undefined;
      const total = sumTo(slope(dy), tensor.shape);
      return negative ? negated(total) : total;
    }),
  );
}
