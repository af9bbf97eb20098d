import type { Device } from "../../engine/device/device.ts";
import { BatchNorm, Convolution, type ConvolutionOptions } from "../../engine/nn/layers.ts";
import { join, loadTensors, type NamedTensor, readTensor } from "../../engine/nn/named.ts";
import { relu6 } from "../../engine/ops/activation.ts";
import { relu } from "../../engine/ops/elementwise.ts";
import type { Random } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { SafetensorsFile } from "../../engine/weights/safetensors.ts";
import type { Startable } from "./initialise.ts";

export interface ConvNormOptions extends Omit<ConvolutionOptions, "bias"> {
  /** What ends it, after the residual; nothing unless given. */
  readonly activation?: "relu" | "relu6";
}

/**
 * A convolution, the batch normalisation that follows it, and an activation, under the names that weight files give to
 * both. Without a name for the normalisation there is none, and the convolution has a bias.
 */
export class ConvNorm implements Startable {
  readonly convolution: Convolution;
  readonly norm: BatchNorm | undefined;
  readonly #names: readonly [convolution: string, norm?: string];
  readonly #activation: ConvNormOptions["activation"];

  constructor(
    device: Device,
    random: Random | undefined,
    names: readonly [convolution: string, norm?: string],
    channels: { readonly in: number; readonly out: number },
    options: ConvNormOptions,
  ) {
    const [convolution, norm] = names;
    const bias = norm === undefined;
    this.#names = names;
    this.#activation = options.activation;
    this.convolution = new Convolution(device, random?.fork(convolution), channels, { ...options, bias });
    if (!bias) this.norm = new BatchNorm(device, channels.out);
  }

  /** x: [N, H, W, in] → [N, H', W', out], plus `residual` before the activation. */
  forward(x: Tensor, training: boolean, residual?: Tensor): Tensor {
    const y = this.convolution.forward(x);
    const fused = this.norm !== undefined && this.#activation === "relu";
    const z = this.norm ? this.norm.forward(y, training, { relu: fused, residual }) : y;
    if (fused || !this.#activation) return z;
    return this.#activation === "relu6" ? relu6(z) : relu(z);
  }

  tensors(prefix: string): NamedTensor[] {
    const [convolution, norm] = this.#names;
    return [...this.convolution.tensors(join(prefix, convolution)), ...(this.norm?.tensors(join(prefix, norm!)) ?? [])];
  }

  /** The batch normalisation under its name, if there is one. */
  norms(prefix: string): [string, BatchNorm][] {
    return this.norm ? [[join(prefix, this.#names[1]!), this.norm]] : [];
  }

  holds(file: SafetensorsFile, prefix: string): boolean {
    const [convolution, norm = convolution] = this.#names.map((name) => join(prefix, name!)) as [string, string?];
    const has = (name: string) => file.tensors.has(name);
    return (
      has(`${convolution}.weight`) && (has(`${convolution}.bias`) || (this.norm !== undefined && has(`${norm}.weight`)))
    );
  }

  /**
   * A batch norm folded into the convolution (a bias beside the convolution, no batch norm) becomes a frozen one: scale
   * 1, shift = the folded bias, mean 0, variance 1.
   */
  async start(file: SafetensorsFile, prefix: string): Promise<{ folded: boolean }> {
    const named = this.tensors(prefix);
    const { norm } = this;
    if (!norm || file.tensors.has(named[1]!.name)) {
      await loadTensors(file, named);
      return { folded: false };
    }
    const [weight, , shift] = named as [NamedTensor, NamedTensor, NamedTensor];
    const kernel = await readTensor(file, weight);
    const bias = await readTensor(file, shift, join(prefix, `${this.#names[0]}.bias`));
    weight.tensor.write(kernel);
    norm.shift.write(bias);
    norm.scale.write(new Float32Array(bias.length).fill(1));
    norm.runningMean.write(new Float32Array(bias.length));
    // The layer divides by √(variance + ε): this makes the divisor exactly 1.
    norm.runningVariance.write(new Float32Array(bias.length).fill(1 - norm.epsilon));
    norm.freeze();
    return { folded: true };
  }
}
