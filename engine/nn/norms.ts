import { expectArgument, extent, notNegative } from "../arguments.ts";
import type { Device } from "../device/device.ts";
import { groupNorm, instanceNorm, layerNorm, rmsNorm } from "../ops/layer-norm.ts";
import { ShapeError, type Tensor } from "../tensor.ts";
import { join, type Layer, type NamedTensor, parameter } from "./named.ts";

/** Channels that a norm multiplies by a scale, 1 at first, with PyTorch's name for it. */
abstract class Scaled implements Layer {
  readonly scale: Tensor;
  /** Added before the root is taken. */
  readonly epsilon: number;

  constructor(device: Device, channels: number, epsilon: number) {
    const { name } = new.target;
    expectArgument(name, "the channels", channels, extent);
    expectArgument(name, "epsilon", epsilon, notNegative);
    this.scale = parameter(device, new Float32Array(channels).fill(1), [channels]);
    this.epsilon = epsilon;
  }

  abstract forward(x: Tensor): Tensor;

  tensors(prefix: string): NamedTensor[] {
    return [{ name: join(prefix, "weight"), tensor: this.scale, kind: "vector", role: "parameter" }];
  }
}

/** And to which it adds a shift, 0 at first. */
abstract class ScaledAndShifted extends Scaled {
  readonly shift: Tensor;

  constructor(device: Device, channels: number, epsilon: number) {
    super(device, channels, epsilon);
    this.shift = parameter(device, new Float32Array(channels), [channels]);
  }

  override tensors(prefix: string): NamedTensor[] {
    const shift = { name: join(prefix, "bias"), tensor: this.shift, kind: "vector", role: "parameter" } as const;
    return [...super.tensors(prefix), shift];
  }
}

/** Layer normalisation over the last axis, as {@link layerNorm}. x: […, C] → […, C]. */
export class LayerNorm extends ScaledAndShifted {
  /** @param epsilon added to the variance; 1e-6 in vision transformers */
  constructor(device: Device, channels: number, epsilon = 1e-5) {
    super(device, channels, epsilon);
  }

  forward(x: Tensor): Tensor {
    return layerNorm(x, this.scale, this.shift, this.epsilon);
  }
}

/** Root-mean-square normalisation over the last axis, as {@link rmsNorm}. x: […, C] → […, C]. */
export class RmsNorm extends Scaled {
  /** @param epsilon added to the mean square */
  constructor(device: Device, channels: number, epsilon = 1e-5) {
    super(device, channels, epsilon);
  }

  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.scale, this.epsilon);
  }
}

/** Group normalisation, as {@link groupNorm}. x: [N, …, C] → [N, …, C]. */
export class GroupNorm extends ScaledAndShifted {
  readonly groups: number;

  /** @throws ShapeError when the groups do not divide the channels */
  constructor(device: Device, groups: number, channels: number, epsilon = 1e-5) {
    expectArgument("GroupNorm", "the groups", groups, extent);
    if (channels % groups !== 0)
      throw new ShapeError(`GroupNorm: ${channels} channels cannot be put into ${groups} groups of equal size`);
    super(device, channels, epsilon);
    this.groups = groups;
  }

  forward(x: Tensor): Tensor {
    return groupNorm(x, this.groups, this.scale, this.shift, this.epsilon);
  }
}

/** Instance normalisation, as {@link instanceNorm}. x: [N, …, C] → [N, …, C]. PyTorch's has no weights unless `affine`. */
export class InstanceNorm extends ScaledAndShifted {
  /** @param epsilon added to the variance */
  constructor(device: Device, channels: number, epsilon = 1e-5) {
    super(device, channels, epsilon);
  }

  forward(x: Tensor): Tensor {
    return instanceNorm(x, this.scale, this.shift, this.epsilon);
  }
}
