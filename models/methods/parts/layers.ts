import type { Device } from "../../../engine/device/device.ts";
import { Linear } from "../../../engine/nn/layers.ts";
import type { NamedTensor } from "../../../engine/nn/named.ts";
import { relu } from "../../../engine/ops/activations.ts";
import { add } from "../../../engine/ops/arithmetic.ts";
import { scale } from "../../../engine/ops/unary.ts";
import { Random } from "../../../engine/random.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import type { Held } from "./with-unlabelled.ts";

export interface LayersOptions {
  readonly seed: number;
  /** Of the input, and of what each layer makes. */
  readonly lengths: readonly number[];
  /** What negative numbers are multiplied with between layers. @default 0 */
  readonly leak?: number;
}

/** Linear layers that learn beside the network, one after another with (leaky) ReLUs between; they start as PyTorch draws them. */
export class Layers implements Held {
  readonly #name: string;
  readonly #layers: readonly Linear[];
  readonly #leak: number;

  /** @param name what the names of their tensors begin with, and draws are told apart by */
  constructor(device: Device, name: string, { seed, lengths, leak = 0 }: LayersOptions) {
    const random = new Random(seed, name);
    this.#name = name;
    this.#leak = leak;
    this.#layers = lengths
      .slice(1)
      .map((out, i) => new Linear(device, random.fork(String(i)), { in: lengths[i]!, out }));
  }

  /** [N, first length] → [N, last length]. */
  forward(x: Tensor): Tensor {
    return this.#layers.reduce((rows, layer, i) => layer.forward(i === 0 ? rows : this.#bent(rows)), x);
  }

  /** max(x, 0) − a · max(−x, 0) */
  #bent(x: Tensor): Tensor {
    return this.#leak > 0 ? add(relu(x), scale(relu(scale(x, -1)), -this.#leak)) : relu(x);
  }

  tensors(): NamedTensor[] {
    return this.#layers.flatMap((layer, i) => layer.tensors(`${this.#name}.${i}`));
  }

  dispose(): void {
    for (const { tensor } of this.tensors()) tensor.dispose();
  }
}
