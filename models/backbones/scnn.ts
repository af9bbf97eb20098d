import type { Device } from "../../engine/device/device.ts";
import type { Random } from "../../engine/random.ts";
import type { WeightsFile } from "../../engine/weights/stored.ts";
import { Backbone } from "./backbone.ts";
import { ConvNorm } from "./conv-norm.ts";
import type { Section } from "./initialise.ts";

/** Channels and strides of the 3x3 convolutions. */
const convolutions = [
  [48, 1],
  [48, 2],
  [64, 1],
  [64, 2],
  [64, 1],
  [64, 2],
  [128, 1],
  [128, 1],
  [128, 2],
] as const;

/** Tensors of a module in PyTorch's sequence: convolution, batch norm, ReLU. */
const modules = 3;

/**
 * S-CNN, the branch of DB-CNN that was trained to tell synthetic distortions and their levels (Zhang et al. 2020): nine 3x3 convolutions
 * with bias, batch norm and ReLU, with the tensor names of the authors' PyTorch code. Its map has stride 16 and 128 channels.
 */
export class Scnn extends Backbone {
  protected readonly kind = "an S-CNN with the names of DB-CNN's authors";
  protected sections: readonly Section[];

  /** Convolutions start by He's fan-out rule with biases 0. @param random without it all weights are 0, to be loaded */
  constructor(device: Device, random: Random | undefined) {
    super();
    let inputs = 3;
    this.sections = convolutions.map(([out, stride], i): Section => {
      const names = [`${modules * i}`, `${modules * i + 1}`] as const;
      const options = { kernel: 3, stride, padding: 1, bias: true, activation: "relu" } as const;
      const layer = new ConvNorm(device, random, names, { in: inputs, out }, options);
      inputs = out;
      return {
        title: "the S-CNN",
        layers: [["features", layer]],
        width: out,
        forward: (x, training) => layer.forward(x, training),
      };
    });
  }

  /** Whether a file has the weights of an S-CNN under their own names: VGG's have the same ones, of other shapes. */
  static isIn({ tensors }: WeightsFile): boolean {
    return tensors.get("features.0.weight")?.shape.join() === [convolutions[0][0], 3, 3, 3].join();
  }
}
