import { flatGrid, flatWorkgroup } from "../../../../engine/kernel/grid.ts";
import { randomWords } from "../../../../engine/ops/dropout.ts";
import { Tensor } from "../../../../engine/tensor.ts";

/** Amount of a distortion at levels 1 … 5. */
export type Levels = readonly [number, number, number, number, number];

type Numbers = Readonly<Record<string, number>>;

/** Extents of a picture [1, H, W, C]. */
export function extents(x: Tensor): { height: number; width: number; channels: number } {
  const [, height, width, channels] = x.shape as [number, number, number, number];
  return { height, width, channels };
}

/** What a kernel of `shaders/distort` is run with. */
export interface Run {
  /** Whole tensors by the names of their bindings. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly parameters?: Numbers;
  readonly constants?: Readonly<Record<string, string | boolean>>;
  /** Invocations: one for each element, or each pixel. */
  readonly invocations: number;
  /** Floating-point operations of one invocation; absent where it has none. */
  readonly flops?: number;
  /** Bytes that are moved, where the tensors do not say it. */
  readonly bytes?: number;
}

/** Runs a kernel of flat invocations. */
export function runKernel(kernel: string, { tensors, parameters = {}, constants = {}, ...run }: Run): void {
  const { device } = Object.values(tensors)[0]!;
  device.kernels.run(
    kernel,
    { ...constants, WORKGROUP: flatWorkgroup },
    Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tensor.window()])),
    parameters,
    flatGrid(device, run.invocations),
    {
      ...(run.flops !== undefined && { flops: run.flops * run.invocations }),
      ...(run.bytes !== undefined && { bytes: run.bytes }),
    },
  );
}

/** y of a kernel that makes each pixel […, 3] of x alone. */
export function perPixel(kernel: string, x: Tensor, parameters: Numbers, flops: number): Tensor {
  const y = Tensor.like(x);
  const pixels = x.size / 3;
  runKernel(kernel, { tensors: { x, y }, parameters: { pixels, ...parameters }, invocations: pixels, flops });
  return y;
}

/** Random words of a distortion, `each` for every one of `count`; `pass` numbers draws that follow one another. */
export function drawnWords(x: Tensor, stream: string, count: number, each: number, seed: number, pass = 0): Tensor {
  const blocks = Math.ceil((count * each) / 4);
  return randomWords(x.device, count * each, { seed, stream, offset: pass * blocks });
}
