import type { Device } from "../../engine/device/device.ts";
import { BatchNorm, Convolution, type ConvolutionOptions } from "../../engine/nn/layers.ts";
import { join, loadTensors, type NamedTensor } from "../../engine/nn/named.ts";
import { relu, relu6 } from "../../engine/ops/activations.ts";
import type { Random } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { WeightsFile } from "../../engine/weights/stored.ts";
import type { Startable } from "./initialise.ts";

export interface ConvNormOptions extends ConvolutionOptions {
  /** What ends it, after the residual; nothing unless given. */
  readonly activation?: "relu" | "relu6";
}

/**
 * A convolution, the batch normalisation that follows it, and an activation, under the names that weight files give to
 * both. Without a name for the normalisation there is none.
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
    this.#names = names;
    const { activation, ...plain } = options;
    this.#activation = activation;
    this.convolution = new Convolution(device, random?.fork(convolution), channels, plain);
    if (norm !== undefined) this.norm = new BatchNorm(device, channels.out);
  }

  /** x: [N, H, W, in] → [N, H', W', out], plus `residual` before the activation. */
  forward(x: Tensor, training: boolean, residual?: Tensor): Tensor {
    const activation = this.#activation;
    if (this.norm) return this.convolution.forwardThrough(this.norm, x, training, { residual, activation });
    const y = this.convolution.forward(x);
    if (!activation) return y;
    return activation === "relu6" ? relu6(y) : relu(y);
  }

  tensors(prefix: string): NamedTensor[] {
    const [convolution, norm] = this.#names;
    return [...this.convolution.tensors(join(prefix, convolution)), ...(this.norm?.tensors(join(prefix, norm!)) ?? [])];
  }

  /** The batch normalisation under its name, if there is one. */
  norms(prefix: string): [string, BatchNorm][] {
    return this.norm ? [[join(prefix, this.#names[1]!), this.norm]] : [];
  }

  holds(file: WeightsFile, prefix: string): boolean {
    const has = (named: NamedTensor) => file.tensors.has(named.name);
    return this.tensors(prefix).every(has) || (this.norm !== undefined && this.#folded(prefix).every(has));
  }

  /**
   * A batch norm folded into the convolution (a bias beside the convolution, no batch norm) becomes a frozen one: scale
   * 1, shift = the folded bias, mean 0, variance 1.
   */
  async start(file: WeightsFile, prefix: string): Promise<{ folded: boolean }> {
    const named = this.tensors(prefix);
    const { norm } = this;
    if (!norm || named.every(({ name }) => file.tensors.has(name))) {
      await loadTensors(file, named);
      return { folded: false };
    }
    await loadTensors(file, this.#folded(prefix));
    const channels = norm.scale.size;
    if (this.convolution.bias) norm.shift.write(new Float32Array(channels));
    norm.scale.write(new Float32Array(channels).fill(1));
    norm.runningMean.write(new Float32Array(channels));
    // The layer divides by √(variance + ε): this makes the divisor exactly 1.
    norm.runningVariance.write(new Float32Array(channels).fill(1 - norm.epsilon));
    norm.freeze();
    return { folded: true };
  }

  /** The tensors that a file with a folded norm has, and where they go: its bias to the convolution's, or to the shift. */
  #folded(prefix: string): NamedTensor[] {
    const name = join(prefix, this.#names[0]);
    const { weight, bias = this.norm!.shift } = this.convolution;
    return [
      { name: `${name}.weight`, tensor: weight, kind: "convolution", role: "parameter" },
      { name: `${name}.bias`, tensor: bias, kind: "vector", role: "parameter" },
    ];
  }
}
