import { expect } from "bun:test";
import { appendFileSync, readFileSync } from "node:fs";
import { backward } from "../../engine/autograd.ts";
import type { Device } from "../../engine/device/device.ts";
import { multiply } from "../../engine/ops/arithmetic.ts";
import { cast } from "../../engine/ops/cast.ts";
import { sum } from "../../engine/ops/reduce.ts";
import { sizeOf, Tensor } from "../../engine/tensor.ts";
import { halfToNumber, numberToHalf } from "../../engine/weights/half.ts";

/** One input of a golden case; see test/golden/golden.py for the formula. */
export interface FormulaInput {
  readonly shape: number[];
  readonly seed: number;
  readonly scale?: number;
  readonly shift?: number;
  readonly gradient?: boolean;
}

export interface GoldenCase {
  readonly operation: string;
  // biome-ignore lint/suspicious/noExplicitAny: each operation has its own options
  readonly options: any;
  readonly inputs: FormulaInput[];
  readonly shape: number[];
  readonly output: number[];
  readonly gradients: (number[] | null)[];
}

export function goldenCases(name: string): GoldenCase[] {
  return JSON.parse(readFileSync(new URL(`../golden/${name}.json`, import.meta.url), "utf8"));
}

/** The numbers of an input: scale · sin(0.37 (i + 1) + 1.9 seed) + shift, rounded to f32. */
export function formula({ shape, seed, scale = 1, shift = 0 }: FormulaInput): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: sizeOf(shape) }, (_, i) => scale * Math.sin(0.37 * (i + 1) + 1.9 * seed) + shift);
}

/** Largest difference relative to the largest expected magnitude. */
export function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(found.length).toBe(expected.length);
  let worst = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(found[i]! - expected[i]!);
    if (Number.isNaN(difference)) return Number.NaN;
    worst = Math.max(worst, difference);
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return largest === 0 ? worst : worst / largest;
}

export type Run = (inputs: Tensor[]) => Tensor;

/** How tensors lie in memory: `rounded` is f32 with inputs and weights that f16 can hold, beside which f16 is measured. */
type Storage = "f32" | "rounded" | "f16";

/** Output and gradients of Σ output · w, with w by the formula for seed 99. */
export async function runWithGradients(device: Device, inputs: FormulaInput[], run: Run, storage: Storage = "f32") {
  const numbers = (input: FormulaInput) =>
    storage === "f32" ? formula(input) : formula(input).map((value) => halfToNumber(numberToHalf(value)));
  const reads = device.scope(() => {
    const tensors = inputs.map((input) => {
      const tensor = Tensor.from(device, numbers(input), input.shape);
      tensor.requiresGradient = input.gradient ?? true;
      return tensor;
    });
    const output = cast(run(storage === "f16" ? tensors.map((tensor) => cast(tensor, "f16")) : tensors), "f32");
    const weights = Tensor.from(device, numbers({ shape: [...output.shape], seed: 99 }), output.shape);
    if (tensors.some((tensor) => tensor.requiresGradient)) backward(sum(multiply(output, weights)));
    return {
      shape: output.shape,
      output: output.read(),
      gradients: tensors.map((tensor) => tensor.gradient?.read()),
    };
  });
  return { shape: reads.shape, output: await reads.output, gradients: await Promise.all(reads.gradients) };
}

/** Bounds on the error relative to the largest element. */
export interface Tolerance {
  readonly f32?: number;
  /** f16 keeps 11 bits, each rounding adds up to 4.9e-4, and an operation stores a few intermediate tensors. */
  readonly f16?: number;
}

/**
 * Checks an operation against a golden case, forward and backward. On an
 * adapter with f16 the same case is run with all tensors stored in f16, and compared with f32 from the same rounded inputs.
 */
export async function checkGolden(
  device: Device,
  golden: GoldenCase,
  run: Run,
  tolerance: Tolerance = {},
): Promise<void> {
  const found = await runWithGradients(device, golden.inputs, run);
  expect(found.shape.join()).toBe(golden.shape.join());
  const errors = [relativeError(found.output, golden.output)];
  golden.gradients.forEach((expected, i) => {
    if (expected) errors.push(relativeError(found.gradients[i]!, expected));
  });
  note(golden.operation, "f32", errors);
  for (const error of errors) expect(error).toBeLessThan(tolerance.f32 ?? 1e-4);
  if (!device.features.has("shader-f16")) return;
  const wide = await runWithGradients(device, golden.inputs, run, "rounded");
  const half = await runWithGradients(device, golden.inputs, run, "f16");
  const halfErrors = [relativeError(half.output, wide.output)];
  wide.gradients.forEach((expected, i) => {
    if (expected) halfErrors.push(relativeError(half.gradients[i]!, expected));
  });
  note(golden.operation, "f16", halfErrors);
  for (const error of halfErrors) expect(error).toBeLessThan(tolerance.f16 ?? 4e-3);
}

/** A line for the table of `bun run numbers`: errors of the output and of the gradients of one case. */
function note(operation: string, dtype: "f32" | "f16", [forward, ...backward]: number[]): void {
  const path = process.env["ACUTANCE_ERROR_LOG"];
  if (!path) return;
  const line = { operation, dtype, forward, ...(backward.length > 0 && { backward: Math.max(...backward) }) };
  appendFileSync(path, `${JSON.stringify(line)}\n`);
}

/**
 * Checks the gradients against central differences of the operation itself along one direction per input. The step is
 * large enough that f32 rounding of the two evaluations stays below the tolerance.
 */
export async function checkDifferences(
  device: Device,
  inputs: FormulaInput[],
  run: Run,
  { step = 1e-2, tolerance = 2e-2 } = {},
): Promise<void> {
  const { gradients } = await runWithGradients(device, inputs, run);
  const value = async (moved: number, sign: number): Promise<number> => {
    const reads = device.scope(() => {
      const tensors = inputs.map((input, i) => {
        const data = formula(input);
        if (i === moved) for (const [k, x] of data.entries()) data[k] = x + sign * step * direction(k);
        return Tensor.from(device, data, input.shape);
      });
      const output = run(tensors);
      return { output: output.read(), shape: [...output.shape] };
    });
    const output = await reads.output;
    const weights = formula({ shape: reads.shape, seed: 99 });
    return output.reduce((total, y, i) => total + y * weights[i]!, 0);
  };
  for (const [i, gradient] of gradients.entries()) {
    if (!gradient) continue;
    const slope = ((await value(i, 1)) - (await value(i, -1))) / (2 * step);
    const predicted = gradient.reduce((total, g, k) => total + g * direction(k), 0);
    const size = Math.sqrt(gradient.reduce((total, g) => total + g * g, 0));
    expect(Math.abs(slope - predicted)).toBeLessThan(tolerance * Math.max(size, Math.abs(predicted), 1e-3));
  }
}

/** A fixed direction of differences with components in [−1, 1] that do not repeat. */
function direction(k: number): number {
  return Math.cos(1.7 * k + 0.4);
}
