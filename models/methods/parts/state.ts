import { withoutGradients } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import type { NamedTensor } from "../../../engine/nn/named.ts";
import { add, atLeast, multiply, subtract } from "../../../engine/ops/arithmetic.ts";
import { gatherRows } from "../../../engine/ops/gather.ts";
import { concat } from "../../../engine/ops/join.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { argmax } from "../../../engine/ops/top-k.ts";
import { scale } from "../../../engine/ops/unary.ts";
import { type Shape, Tensor } from "../../../engine/tensor.ts";
import type { HostArray } from "../../training/method.ts";

/** Numbers on the device that steps move, such as running means; a checkpoint holds them. */
export class DeviceState<Name extends string> {
  readonly #prefix: string;
  readonly #tensors: Readonly<Record<Name, Tensor>>;

  /** @param prefix what their names in a checkpoint begin with @param start what they are before the first step */
  constructor(device: Device, prefix: string, start: Readonly<Record<Name, HostArray>>) {
    this.#prefix = prefix;
    const made = Object.entries<HostArray>(start).map(
      ([name, { data, shape }]) => [name, Tensor.from(device, data, shape).keep()] as const,
    );
    this.#tensors = Object.fromEntries(made) as Record<Name, Tensor>;
  }

  /** As it is at this place of the step. */
  get(name: Name): Tensor {
    return this.#tensors[name];
  }

  /**
   * Takes new numbers in place of the old ones, from here on in this step and in its replays. Where one of them is NaN all stay as they
   * are: a batch that gave no numbers says nothing.
   */
  move(next: Readonly<Partial<Record<Name, Tensor>>>): void {
    withoutGradients(() => {
      const moved = Object.entries(next) as [Name, Tensor][];
      const { device } = moved[0]![1];
      const total = moved.map(([, tensor]) => sum(tensor)).reduce((all, one) => add(all, one));
      const isNumber = atLeast(total, Tensor.constant(device, Float32Array.of(-3e38), [1]));
      // Row 0, the old numbers, unless the 1 of a number exceeds the half before it.
      const row = argmax(concat([Tensor.constant(device, Float32Array.of(0.5), [1]), isNumber]));
      for (const [name, tensor] of moved) {
        const state = this.#tensors[name];
        const both = reshape(concat([reshape(state, [state.size]), reshape(tensor, [state.size])]), [2, state.size]);
        const chosen = gatherRows(both, row);
        device.stream.copy(chosen.allocation, 0, state.allocation, 0, state.sizeBytes);
      }
    });
  }

  tensors(): NamedTensor[] {
    return Object.entries<Tensor>(this.#tensors).map(([name, tensor]) => ({
      name: `${this.#prefix}.${name}`,
      tensor,
      kind: "vector",
      role: "statistic",
    }));
  }

  dispose(): void {
    for (const tensor of Object.values<Tensor>(this.#tensors)) tensor.dispose();
  }
}

/** Numbers that are all the same. */
export function filled(value: number, shape: Shape): HostArray {
  return { data: new Float32Array(shape.reduce((size, extent) => size * extent, 1)).fill(value), shape };
}

/** s + share · (x − s): s itself, to the bit, where x is s. @param share a number, or [1] */
export function towards(s: Tensor, x: Tensor, share: number | Tensor): Tensor {
  const step = subtract(x, s);
  return add(s, typeof share === "number" ? scale(step, share) : multiply(step, share));
}
