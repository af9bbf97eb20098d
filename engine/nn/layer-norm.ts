import { expectArgument, extent, notNegative } from "../arguments.ts";
import type { Device } from "../device/device.ts";
import { layerNorm } from "../ops/layer-norm.ts";
import type { Tensor } from "../tensor.ts";
import { join, type Layer, type NamedTensor, parameter } from "./named.ts";

/** Layer normalisation over the last axis, with PyTorch's names for its tensors. x: […, C] → […, C]. */
export class LayerNorm implements Layer {
  readonly scale: Tensor;
  readonly shift: Tensor;
  readonly epsilon: number;

  /** Scale 1, shift 0. @param epsilon added to the variance; 1e-6 in vision transformers */
  constructor(device: Device, channels: number, epsilon = 1e-5) {
    expectArgument("LayerNorm", "the channels", channels, extent);
    expectArgument("LayerNorm", "epsilon", epsilon, notNegative);
    this.scale = parameter(device, new Float32Array(channels).fill(1), [channels]);
    this.shift = parameter(device, new Float32Array(channels), [channels]);
    this.epsilon = epsilon;
  }

  forward(x: Tensor): Tensor {
    return layerNorm(x, this.scale, this.shift, this.epsilon);
  }

  tensors(prefix: string): NamedTensor[] {
    return [
      { name: join(prefix, "weight"), tensor: this.scale, kind: "vector", role: "parameter" },
      { name: join(prefix, "bias"), tensor: this.shift, kind: "vector", role: "parameter" },
    ];
  }
}
