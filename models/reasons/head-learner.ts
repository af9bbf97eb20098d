import { backward } from "../../engine/autograd.ts";
import type { Device } from "../../engine/device/device.ts";
import { Linear } from "../../engine/nn/layers.ts";
import { fromFileOrder, toFileOrder } from "../../engine/nn/named.ts";
import { relu } from "../../engine/ops/activations.ts";
import { softCrossEntropy } from "../../engine/ops/losses.ts";
import { mean } from "../../engine/ops/reduce.ts";
import { parameterGroups } from "../../engine/optim/groups.ts";
import { Optimiser } from "../../engine/optim/optimiser.ts";
import type { Random } from "../../engine/random.ts";
import { Tensor } from "../../engine/tensor.ts";
import type { Layer } from "./head.ts";

export interface HeadSizes {
  readonly inputs: number;
  readonly hidden: number;
  readonly classes: number;
  /** Rows of a step. */
  readonly batch: number;
}

/** The two layers of a head on a device, and AdamW that teaches them by mean cross-entropy. */
export class HeadLearner implements Disposable {
  readonly #hidden: Linear;
  readonly #output: Linear;
  readonly #optimiser: Optimiser;
  /** [batch, inputs] and [batch, classes], refilled for each step. */
  readonly #x: Tensor;
  readonly #truth: Tensor;
  readonly #device: Device;

  /** @param decay of the weights, as AdamW has it; biases have none */
  constructor(
    device: Device,
    random: Random,
    { inputs, hidden, classes, batch }: HeadSizes,
    { rate, decay }: { readonly rate: number; readonly decay: number },
  ) {
    this.#device = device;
    this.#hidden = new Linear(device, random, { in: inputs, out: hidden });
    this.#output = new Linear(device, random, { in: hidden, out: classes });
    this.#x = Tensor.zeros(device, [batch, inputs]).keep();
    this.#truth = Tensor.zeros(device, [batch, classes]).keep();
    this.#optimiser = new Optimiser(parameterGroups(this.#tensors(), { rate, decay }), { kind: "adamw" });
  }

  #tensors() {
    return [...this.#hidden.tensors("hidden"), ...this.#output.tensors("output")];
  }

  /** One update. @param x [batch, inputs] @param truth [batch, classes], probabilities @returns the loss before it */
  async step(x: Float32Array<ArrayBuffer>, truth: Float32Array<ArrayBuffer>, rateFactor: number): Promise<number> {
    this.#x.write(x);
    this.#truth.write(truth);
    const { loss } = this.#device.scope(() => {
      const answers = this.#output.forward(relu(this.#hidden.forward(this.#x)));
      const loss = mean(softCrossEntropy(answers, this.#truth));
      backward(loss);
      this.#optimiser.step(rateFactor);
      this.#optimiser.clearGradients();
      return { loss: loss.item() };
    });
    return loss;
  }

  /** Takes weights in place of those that were drawn. */
  write({ hidden, output }: { readonly hidden: Layer; readonly output: Layer }): void {
    const data = [hidden.weight, hidden.bias, output.weight, output.bias];
    this.#tensors().forEach((named, i) => {
      named.tensor.write(fromFileOrder(data[i]!, named));
    });
  }

  /** The layers as they are now. */
  async read(): Promise<{ readonly hidden: Layer; readonly output: Layer }> {
    const [weight, bias, outputWeight, outputBias] = await Promise.all(
      this.#tensors().map(async (named) => toFileOrder(await named.tensor.read(), named)),
    );
    return {
      hidden: { weight: weight!, bias: bias! },
      output: { weight: outputWeight!, bias: outputBias! },
    };
  }

  [Symbol.dispose](): void {
    this.#optimiser.dispose();
    for (const tensor of [this.#x, this.#truth, ...this.#tensors().map((named) => named.tensor)]) tensor.dispose();
  }
}
