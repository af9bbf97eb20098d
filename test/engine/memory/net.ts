import { backward } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { BatchNorm, Convolution, Linear } from "../../../engine/nn/layers.ts";
import { attention } from "../../../engine/ops/attention.ts";
import { softCrossEntropy, weightedMean } from "../../../engine/ops/losses.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { Optimiser } from "../../../engine/optim/optimiser.ts";
import { Random } from "../../../engine/random.ts";
import { Tensor } from "../../../engine/tensor.ts";

const side = 8;
const channels = 8;
const classes = 4;
const places = side * side;

/** Convolution, batch norm, attention over the places, linear: a net of every kind of layer, small enough for a thousand steps. */
export class SmallNet {
  readonly device: Device;
  readonly #convolution: Convolution;
  readonly #norm: BatchNorm;
  readonly #classify: Linear;
  readonly optimiser: Optimiser;

  constructor(device: Device) {
    const random = new Random(1, "small net");
    this.device = device;
    this.#convolution = new Convolution(device, random, { in: 3, out: channels }, { kernel: 3, padding: 1 });
    this.#norm = new BatchNorm(device, channels);
    this.#classify = new Linear(device, random, { in: places * channels, out: classes });
    const parameters = this.tensors().filter(({ role }) => role === "parameter");
    this.optimiser = new Optimiser([{ parameters, rate: 1e-3, decay: 1e-4 }], { kind: "adam" });
  }

  tensors() {
    return [this.#convolution, this.#norm, this.#classify].flatMap((layer, i) => layer.tensors(`${i}`));
  }

  /** One training step on a made-up batch; the loss as a started read. */
  step(batch: number, number = 0): { loss: Promise<number> } {
    const { device } = this;
    return device.scope(() => {
      const loss = this.loss(batch, number);
      backward(loss);
      this.optimiser.step();
      this.optimiser.clearGradients();
      return { loss: loss.item() };
    });
  }

  loss(batch: number, number = 0): Tensor {
    const { device } = this;
    const pixels = Float32Array.from({ length: batch * places * 3 }, (_, i) => Math.sin(i + (number % 7)));
    const targets = Float32Array.from({ length: batch * classes }, (_, i) => (i % (classes + 1) === 0 ? 1 : 0));
    const x = Tensor.from(device, pixels, [batch, side, side, 3]);
    const features = this.#norm.forward(this.#convolution.forward(x), true, { relu: true });
    const tokens = reshape(features, [batch, places, 1, channels]);
    const mixed = attention(tokens, tokens, tokens);
    const logits = this.#classify.forward(reshape(mixed, [batch, places * channels]));
    const rows = softCrossEntropy(logits, Tensor.from(device, targets, [batch, classes]));
    return weightedMean(rows, Tensor.from(device, new Float32Array(batch).fill(1), [batch]), batch);
  }

  dispose(): void {
    this.optimiser.dispose();
    for (const { tensor } of this.tensors()) tensor.dispose();
  }
}
