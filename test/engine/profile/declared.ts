import { backward } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import type { KernelProfile } from "../../../engine/profile/profile.ts";
import { profile } from "../../../engine/profile/profiler.ts";
import { Tensor } from "../../../engine/tensor.ts";

/** Takes the value of one floating-point operation and counts it. */
export type Counted = (value: number) => number;

/** The operations that `work` counts, and what it returns. */
export function counted<T>(work: (c: Counted) => T): { readonly flops: number; readonly result: T } {
  let flops = 0;
  const result = work((value) => {
    flops++;
    return value;
  });
  return { flops, result };
}

/** Numbers that are neither special nor equal, from −2 to 2. */
export function varied(count: number, phase = 0): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) => 2 * Math.sin(1 + phase + 1.7 * i + 0.3 * i * i));
}

/** A tensor of such numbers, to be differentiated. */
export function tracked(device: Device, shape: readonly number[], values?: Float32Array<ArrayBuffer>): Tensor {
  const size = shape.reduce((a, b) => a * b);
  const tensor = Tensor.from(device, values ?? varied(size), shape);
  tensor.requiresGradient = true;
  return tensor;
}

/** The rows of a profile of `work` that match, and their operations and bytes over all calls. */
export class Declared {
  readonly #rows: readonly KernelProfile[];

  constructor(rows: readonly KernelProfile[]) {
    this.#rows = rows;
  }

  flops(kernel: RegExp): number {
    return this.#sum(kernel, (row) => row.flops ?? Number.NaN);
  }

  bytes(kernel: RegExp): number {
    return this.#sum(kernel, (row) => row.bytes);
  }

  calls(kernel: RegExp): number {
    return this.#sum(kernel, () => 1);
  }

  #sum(kernel: RegExp, amount: (row: KernelProfile) => number): number {
    const rows = this.#rows.filter((row) => kernel.test(row.kernel));
    if (rows.length === 0) throw new Error(`no row of ${kernel}; there are ${this.#rows.map((row) => row.kernel)}`);
    return rows.reduce((total, row) => total + amount(row) * row.calls, 0);
  }
}

/** What is declared forward and backward by the operation `op` in `work`, whose result is summed and differentiated. */
export async function declaredBy(device: Device, op: string, work: () => Tensor) {
  const differentiate = () => {
    const y = work();
    backward(sum(y));
    return y;
  };
  const { result, profile: found } = await profile(device, () => device.scope(differentiate), { roofs: null });
  const of = (phase: string) => new Declared(found.kernels.filter((row) => row.op === op && row.phase === phase));
  return { y: result, forward: of("forward"), backward: of("backward") };
}

/** What is declared by all that `work` does. */
export async function declaredIn(device: Device, work: () => unknown): Promise<Declared> {
  const { profile: found } = await profile(device, work, { roofs: null });
  return new Declared(found.kernels);
}
