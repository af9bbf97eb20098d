import { type Checks, expectArgument, expectOptions, extent, flag, notNegative, whole } from "../arguments.ts";
import type { Device } from "../device/device.ts";
import { conv2d } from "../ops/contraction/conv.ts";
import { type ConvNormOptions, convNorm } from "../ops/contraction/conv-norm.ts";
import { linear } from "../ops/contraction/matmul.ts";
import { batchNorm } from "../ops/norm.ts";
import type { Random } from "../random.ts";
import { Tensor } from "../tensor.ts";
import { drawn, join, type Layer, type NamedTensor, parameter } from "./named.ts";

export interface ConvolutionOptions {
  /** Height and width of the kernel. */
  readonly kernel: number;
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
  /** Adds a number to every output channel, 0 at first. */
  readonly bias?: boolean;
}

const checks: Checks<ConvolutionOptions> = {
  kernel: extent,
  stride: extent,
  padding: whole(0, 2 ** 31 - 1),
  groups: extent,
  bias: flag,
};
const sizes: Checks<{ in: number; out: number }> = { in: extent, out: extent };

/** Convolution. x: [N, H, W, in] → [N, H', W', out]. */
export class Convolution implements Layer {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
  readonly #options: ConvolutionOptions;

  /**
   * Weights are normal with variance 2 / (out · kernel²) (He et al. 2015, fan-out, as torchvision counts it), drawn from
   * `random`; without it they are 0, to be loaded.
   */
  constructor(
    device: Device,
    random: Random | undefined,
    channels: { readonly in: number; readonly out: number },
    options: ConvolutionOptions,
  ) {
    expectOptions("Convolution", options, checks);
    expectOptions("the channels of Convolution", channels, sizes);
    const { kernel, groups = 1, bias = false } = options;
    expectArgument("Convolution", "kernel", kernel, extent);
    const deviation = Math.sqrt(2 / (channels.out * kernel * kernel));
    const shape = [kernel, kernel, channels.in / groups, channels.out];
    this.weight = drawn(device, shape, random && (() => deviation * random.normal()));
    if (bias) this.bias = parameter(device, new Float32Array(channels.out), [channels.out]);
    this.#options = options;
  }

  forward(x: Tensor): Tensor {
    return conv2d(x, this.weight, this.#arguments);
  }

  /** The convolution, `norm` and what follows, in one kernel where {@link convNorm} can. */
  forwardThrough(
    norm: BatchNorm,
    x: Tensor,
    training: boolean,
    then: Pick<ConvNormOptions, "residual" | "activation">,
  ): Tensor {
    const statistics = { training: training && !norm.frozen, epsilon: norm.epsilon };
    return convNorm(x, this.weight, norm, { ...this.#arguments, ...statistics, ...then });
  }

  get #arguments() {
    const { stride, padding, groups } = this.#options;
    return { stride, padding, groups, bias: this.bias };
  }

  tensors(prefix: string): NamedTensor[] {
    const weight = {
      name: join(prefix, "weight"),
      tensor: this.weight,
      kind: "convolution",
      role: "parameter",
    } as const;
    if (!this.bias) return [weight];
    return [weight, { name: join(prefix, "bias"), tensor: this.bias, kind: "vector", role: "parameter" }];
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
    expectArgument("BatchNorm", "the channels", channels, extent);
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

  /**
   * Weights and biases are uniform within ±1/√in, PyTorch's default, or with `deviation` normal weights and biases 0; drawn
   * from `random`, without which all are 0, to be loaded.
   */
  constructor(
    device: Device,
    random: Random | undefined,
    features: { readonly in: number; readonly out: number },
    deviation?: number,
  ) {
    expectOptions("the features of Linear", features, sizes);
    if (deviation !== undefined) expectArgument("Linear", "the deviation", deviation, notNegative);
    const bound = 1 / Math.sqrt(features.in);
    const uniform = random && (() => bound * (2 * random.uniform() - 1));
    const normal = random && (() => (deviation ?? 0) * random.normal());
    this.weight = drawn(device, [features.in, features.out], deviation === undefined ? uniform : normal);
    this.bias = drawn(device, [features.out], deviation === undefined ? uniform : undefined);
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
