import type { Device } from "../../../engine/device/device.ts";
import { Linear } from "../../../engine/nn/layers.ts";
import type { NamedTensor } from "../../../engine/nn/named.ts";
import { add } from "../../../engine/ops/arithmetic.ts";
import { l2Normalise } from "../../../engine/ops/normalise-l2.ts";
import { relu, scale } from "../../../engine/ops/unary.ts";
import { Random } from "../../../engine/random.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import { count } from "../../options.ts";
import type { Held } from "./with-unlabelled.ts";

/** Options of a {@link Projection}. */
export const projectionShape = {
  projection: count.max(65_536).default(64).describe("length of the embedding that pictures are compared by"),
};

export interface ProjectionOptions {
  /** Lengths of the feature and of the embedding. */
  readonly in: number;
  readonly out: number;
  /** What negative numbers between the layers are multiplied with. @default 0 */
  readonly leak?: number;
  readonly seed: number;
}

/** A head that learns beside the network: f = l2(W₂ σ(W₁ h + b₁) + b₂) with σ a ReLU or a leaky one, d → d → out. */
export class Projection implements Held {
  readonly #layers: readonly [Linear, Linear];
  readonly #leak: number;

  constructor(device: Device, options: ProjectionOptions) {
    const { in: length, out, leak = 0, seed } = options;
    const random = new Random(seed, "projection");
    this.#layers = [
      new Linear(device, random.fork("0"), { in: length, out: length }),
      new Linear(device, random.fork("1"), { in: length, out }),
    ];
    this.#leak = leak;
  }

  /** h: [N, d] → rows of length 1, [N, out]. */
  forward(h: Tensor): Tensor {
    const wide = this.#layers[0].forward(h);
    // max(x, 0) − a · max(−x, 0)
    const leak = () => scale(relu(scale(wide, -1)), -this.#leak);
    return l2Normalise(this.#layers[1].forward(this.#leak > 0 ? add(relu(wide), leak()) : relu(wide)));
  }

  tensors(): NamedTensor[] {
    return this.#layers.flatMap((layer, i) => layer.tensors(`projection.${i}`));
  }

  dispose(): void {
    for (const { tensor } of this.tensors()) tensor.dispose();
  }
}
