import { z } from "zod";
import { gelu, relu, sigmoid, silu } from "../ops/activations.ts";
import { add, divide, multiply, subtract } from "../ops/arithmetic.ts";
import { attention } from "../ops/attention.ts";
import { batchedMatmul } from "../ops/contraction/batched.ts";
import { conv2d } from "../ops/contraction/conv.ts";
import { linear, matmul } from "../ops/contraction/matmul.ts";
import { cumulativeSum } from "../ops/cumulative-sum.ts";
import { layerNorm } from "../ops/layer-norm.ts";
import { averagePool2d, maxPool2d } from "../ops/pool.ts";
import { mean, sum } from "../ops/reduce.ts";
import { transpose } from "../ops/shape.ts";
import { logSoftmax, softmax } from "../ops/softmax.ts";
import { abs, exp, log, sqrt, square, tanh } from "../ops/unary.ts";
import { type Shape, sizeOf, type Tensor } from "../tensor.ts";
import { KernelUsageError } from "./errors.ts";

/** An operation of the engine that a kernel's result can be compared with. Its result is called `out`. */
export interface Reference {
  /** Names of its inputs, in the order of `run`; those that end with `?` may be missing. */
  readonly inputs: readonly string[];
  readonly options: z.ZodType<Record<string, unknown>>;
  readonly run: (inputs: readonly Tensor[], options: Record<string, never>) => Tensor;
  /** Floating-point operations, a multiply-add counted as two; left out where counting means little. */
  readonly flops?: (inputs: readonly Shape[], out: Shape) => number;
}

const none = z.strictObject({});
const whole = z.coerce.number().int().min(0);
const windows = z.strictObject({ kernel: whole, stride: whole.optional(), padding: whole.optional() });

function elementwise(inputs: readonly string[], run: (...inputs: Tensor[]) => Tensor, each?: number): Reference {
  return {
    inputs,
    options: none,
    run: (tensors) => run(...tensors),
    ...(each && { flops: (_, out) => each * sizeOf(out) }),
  };
}

function overAxis(run: (x: Tensor, axis?: number) => Tensor, each?: number): Reference {
  const options = z.strictObject({ axis: whole.optional() });
  return {
    inputs: ["x"],
    options,
    run: ([x], { axis }) => run(x!, axis),
    ...(each && { flops: ([x]) => each * sizeOf(x!) }),
  };
}

const table: Readonly<Record<string, Reference>> = {
  matmul: {
    inputs: ["a", "b"],
    options: none,
    run: ([a, b]) => matmul(a!, b!),
    flops: ([a, b]) => 2 * sizeOf(a!) * b![1]!,
  },
  batchedMatmul: {
    inputs: ["a", "b"],
    options: none,
    run: ([a, b]) => batchedMatmul(a!, b!),
    flops: ([a, b]) => 2 * sizeOf(a!) * b![2]!,
  },
  linear: {
    inputs: ["x", "weight", "bias?"],
    options: none,
    run: ([x, weight, bias]) => linear(x!, weight!, bias),
    flops: ([x], out) => 2 * x!.at(-1)! * sizeOf(out),
  },
  conv2d: {
    inputs: ["x", "weight", "bias?"],
    options: z.strictObject({ stride: whole.optional(), padding: whole.optional(), groups: whole.optional() }),
    run: ([x, weight, bias], options) => conv2d(x!, weight!, { ...options, ...(bias && { bias }) }),
    flops: ([, weight], out) => (2 * sizeOf(weight!) * sizeOf(out)) / weight![3]!,
  },
  attention: { inputs: ["q", "k", "v"], options: none, run: ([q, k, v]) => attention(q!, k!, v!) },
  softmax: overAxis(softmax),
  logSoftmax: overAxis(logSoftmax),
  layerNorm: {
    inputs: ["x", "scale", "shift"],
    options: z.strictObject({ epsilon: z.coerce.number().positive().optional() }),
    run: ([x, scale, shift], { epsilon }) => layerNorm(x!, scale!, shift!, epsilon),
  },
  maxPool2d: { inputs: ["x"], options: windows, run: ([x], options) => maxPool2d(x!, options as never) },
  averagePool2d: { inputs: ["x"], options: windows, run: ([x], options) => averagePool2d(x!, options as never) },
  sum: overAxis(sum, 1),
  mean: overAxis(mean, 1),
  cumulativeSum: overAxis(cumulativeSum, 1),
  transpose: elementwise(["x"], transpose),
  copy: elementwise(["x"], (x) => x.alias()),
  add: elementwise(["a", "b"], add, 1),
  subtract: elementwise(["a", "b"], subtract, 1),
  multiply: elementwise(["a", "b"], multiply, 1),
  divide: elementwise(["a", "b"], divide, 1),
  relu: elementwise(["x"], relu, 1),
  gelu: elementwise(["x"], (x) => gelu(x)),
  silu: elementwise(["x"], silu),
  sigmoid: elementwise(["x"], sigmoid),
  tanh: elementwise(["x"], tanh),
  exp: elementwise(["x"], exp),
  log: elementwise(["x"], log),
  sqrt: elementwise(["x"], sqrt),
  square: elementwise(["x"], square, 1),
  abs: elementwise(["x"], abs, 1),
};

/** Names of the operations to compare with. */
export const referenceNames: readonly string[] = Object.keys(table);

/** @throws KernelUsageError when there is none of this name */
export function referenceOf(name: string): Reference {
  if (Object.hasOwn(table, name)) return table[name]!;
  throw new KernelUsageError(`no reference operation "${name}"; there are ${referenceNames.join(", ")}`);
}

/** A buffer of the kernel, as far as choosing one for an operand goes. */
export interface Candidate {
  readonly name: string;
  readonly writable: boolean;
}

/**
 * Which buffer of the kernel is which operand: as given, else by equal names, else the operands left over take the buffers
 * left over in the order of their bindings, inputs those that are only read, `out` the one that is written.
 * @throws KernelUsageError when an operand finds no buffer
 */
export function mapOperands(
  name: string,
  { inputs }: Reference,
  buffers: readonly Candidate[],
  given: Readonly<Record<string, string>> = {},
): ReadonlyMap<string, string> {
  const operands = [...inputs.map((input) => input.replace("?", "")), "out"];
  const map = new Map<string, string>();
  for (const [operand, buffer] of Object.entries(given)) {
    if (!operands.includes(operand)) {
      throw new KernelUsageError(`${name} has no operand "${operand}"; it has ${operands.join(", ")}`);
    }
    if (!buffers.some((candidate) => candidate.name === buffer)) {
      const names = buffers.map((candidate) => candidate.name).join(", ");
      throw new KernelUsageError(`the kernel has no buffer "${buffer}" for ${operand} of ${name}; it has ${names}`);
    }
    map.set(operand, buffer);
  }
  const fits = (operand: string) => (candidate: Candidate) =>
    candidate.writable === (operand === "out") && ![...map.values()].includes(candidate.name);
  for (const operand of operands) {
    if (!map.has(operand) && buffers.some((buffer) => buffer.name === operand && fits(operand)(buffer))) {
      map.set(operand, operand);
    }
  }
  for (const operand of operands) {
    if (map.has(operand)) continue;
    const found = buffers.find(fits(operand));
    if (found) map.set(operand, found.name);
    else if (!inputs.includes(`${operand}?`)) {
      throw new KernelUsageError(`${name} needs a buffer for "${operand}"; say which with --map ${operand}=BUFFER`);
    }
  }
  return map;
}
