import type { Device } from "../device/device.ts";
import type { Pair } from "../ops/contract.ts";
import { conv2d } from "../ops/conv.ts";
import { linear } from "../ops/matmul.ts";
import { batchNorm } from "../ops/norm.ts";
import type { Random } from "../random.ts";
import { Tensor } from "../tensor.ts";
import { join, type Layer, type NamedTensor, parameter } from "./named.ts";

/** Convolution without bias, as the residual networks use it. x: [N, H, W, in] → [N, H', W', out]. */
export class Convolution implements Layer {
  readonly weight: Tensor;
  readonly #stride: number | Pair;
  readonly #padding: number | Pair;

  /** Weights are normal with variance 2 / (out · kernel²) (He et al. 2015, fan-out), drawn from `random`. */
  constructor(
    device: Device,
    random: Random,
    channels: { readonly in: number; readonly out: number },
    options: { readonly kernel: number; readonly stride?: number; readonly padding?: number },
  ) {
    const { kernel, stride = 1, padding = 0 } = options;
    const deviation = Math.sqrt(2 / (channels.out * kernel * kernel));
    const size = kernel * kernel * channels.in * channels.out;
    const data = Float32Array.from({ length: size }, () => deviation * random.normal());
    this.weight = parameter(device, data, [kernel, kernel, channels.in, channels.out]);
    this.#stride = stride;
    this.#padding = padding;
  }

  forward(x: Tensor): Tensor {
    return conv2d(x, this.weight, { stride: this.#stride, padding: this.#padding });
  }

  tensors(prefix: string): NamedTensor[] {
    return [{ name: join(prefix, "weight"), tensor: this.weight, kind: "convolution", role: "parameter" }];
  }
}

/** Batch normalisation over all axes but the last, with torchvision's names for its tensors. */
export class BatchNorm implements Layer {
  readonly scale: Tensor;
  readonly shift: Tensor;
  readonly runningMean: Tensor;
  readonly runningVariance: Tensor;
  readonly epsilon = 1e-5;
  #frozen = false;

  constructor(device: Device, channels: number) {
    this.scale = parameter(device, new Float32Array(channels).fill(1), [channels]);
    this.shift = parameter(device, new Float32Array(channels), [channels]);
    const statistic = (value: number) => Tensor.from(device, new Float32Array(channels).fill(value), [channels]).keep();
    this.runningMean = device.owned("statistics", () => statistic(0));
    this.runningVariance = device.owned("statistics", () => statistic(1));
  }

  /** A frozen layer normalises with its running statistics in training too, and learns nothing. */
  get frozen(): boolean {
    return this.#frozen;
  }

  freeze(): void {
    this.#frozen = true;
    this.scale.requiresGradient = false;
    this.shift.requiresGradient = false;
  }

  /** y = normalised x, plus `residual` and through a ReLU when asked for. */
  forward(x: Tensor, training: boolean, then: { readonly relu?: boolean; readonly residual?: Tensor } = {}): Tensor {
    return batchNorm(x, this, { training: training && !this.#frozen, epsilon: this.epsilon, ...then });
  }

  tensors(prefix: string): NamedTensor[] {
    const role = this.#frozen ? "statistic" : "parameter";
    return [
      { name: join(prefix, "weight"), tensor: this.scale, kind: "vector", role },
      { name: join(prefix, "bias"), tensor: this.shift, kind: "vector", role },
      { name: join(prefix, "running_mean"), tensor: this.runningMean, kind: "vector", role: "statistic" },
      { name: join(prefix, "running_var"), tensor: this.runningVariance, kind: "vector", role: "statistic" },
    ];
  }
}

/** y = x · weight + bias. x: [N, in] → [N, out]. */
export class Linear implements Layer {
  readonly weight: Tensor;
  readonly bias: Tensor;

  /** Weights and biases are uniform within ±1/√in, PyTorch's default, drawn from `random`. */
  constructor(device: Device, random: Random, features: { readonly in: number; readonly out: number }) {
    const bound = 1 / Math.sqrt(features.in);
    const uniform = (length: number) => Float32Array.from({ length }, () => bound * (2 * random.uniform() - 1));
    this.weight = parameter(device, uniform(features.in * features.out), [features.in, features.out]);
    this.bias = parameter(device, uniform(features.out), [features.out]);
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }

  tensors(prefix: string): NamedTensor[] {
    return [
      { name: join(prefix, "weight"), tensor: this.weight, kind: "matrix", role: "parameter" },
      { name: join(prefix, "bias"), tensor: this.bias, kind: "vector", role: "parameter" },
    ];
  }
}
