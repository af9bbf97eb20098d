import { backward } from "../../../../engine/autograd.ts";
import type { Device } from "../../../../engine/device/device.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import type { StepLoss } from "../../../../models/training/method.ts";

/** Logits of two labelled pictures and of both views of three unlabelled ones; what belongs to them is computed in float64 by hand. */
export const labelled = [2, 0, -1, 0.5, 1.5, 0];
export const weak = [4, 0, 0, 0, 2.5, 0.5, 0.2, 0.1, 0];
export const strong = [2, 1, 0, 0.5, 1, 0, 0, 0.3, 0.1];

export interface Given {
  readonly labelled: Tensor;
  readonly weak: Tensor;
  readonly strong: Tensor;
}

/** What a loss gives of logits of three classes, its figures, and its gradients by each of them. */
export async function lossOf(
  device: Device,
  given: Partial<Record<keyof Given, readonly number[]>>,
  run: (given: Given) => StepLoss & { readonly more?: Readonly<Record<string, Tensor>> },
) {
  const numbers = { labelled, weak, strong, ...given };
  const reads = device.scope(() => {
    const make = (values: readonly number[]) => {
      const tensor = Tensor.from(device, [...values], [values.length / 3, 3]);
      tensor.requiresGradient = true;
      return tensor;
    };
    const tensors = { labelled: make(numbers.labelled), weak: make(numbers.weak), strong: make(numbers.strong) };
    const { loss, figures = {}, more = {} } = run(tensors);
    backward(loss);
    const gradient = (tensor: Tensor) => tensor.gradient?.read() ?? Promise.resolve(new Float32Array(tensor.size));
    return {
      loss: loss.item(),
      figures: Object.entries(figures).map(async ([name, tensor]) => [name, await tensor.item()] as const),
      more: Object.entries(more).map(async ([name, tensor]) => [name, [...(await tensor.read())]] as const),
      gradients: [tensors.labelled, tensors.weak, tensors.strong].map(gradient),
    };
  });
  const [byLabelled, byWeak, byStrong] = await Promise.all(reads.gradients);
  return {
    loss: await reads.loss,
    figures: Object.fromEntries(await Promise.all(reads.figures)) as Record<string, number>,
    more: Object.fromEntries(await Promise.all(reads.more)) as Record<string, number[]>,
    labelled: [...byLabelled!],
    weak: [...byWeak!],
    strong: [...byStrong!],
  };
}

/** Rows of probabilities of logits of three classes, in float64. */
export function softmaxRows(logits: readonly number[]): number[][] {
  return Array.from({ length: logits.length / 3 }, (_, row) => {
    const e = logits.slice(3 * row, 3 * row + 3).map(Math.exp);
    const total = e.reduce((a, b) => a + b);
    return e.map((value) => value / total);
  });
}

/** Slopes of f by each of x, by differences on both sides. */
export function differences(f: (x: number[]) => number, x: readonly number[], step = 1e-5): number[] {
  return x.map((value, i) => (f(x.with(i, value + step)) - f(x.with(i, value - step))) / (2 * step));
}

/** Numbers to so many decimals, for comparison with printed ones. */
export const rounded = (values: readonly number[], decimals = 5) =>
  values.map((value) => Number(value.toFixed(decimals)));
