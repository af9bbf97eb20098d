import type { Device } from "../../engine/device/device.ts";
import { Linear } from "../../engine/nn/layers.ts";
import { adaptiveAveragePool2d } from "../../engine/ops/adaptive-pool.ts";
import { relu } from "../../engine/ops/elementwise.ts";
import { permute } from "../../engine/ops/join.ts";
import { globalAveragePool, maxPool2d } from "../../engine/ops/pool.ts";
import { reshape } from "../../engine/ops/shape.ts";
import type { Random } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Backbone } from "./backbone.ts";
import { ConvNorm } from "./conv-norm.ts";
import type { Section } from "./initialise.ts";

/** Channels of the 3x3 convolutions of each stage; a 2x2 maximum follows each stage (Simonyan & Zisserman 2015, D). */
const stages = [
  [64, 64],
  [128, 128],
  [256, 256, 256],
  [512, 512, 512],
  [512, 512, 512],
];

/** Height and width that maps are brought to before the head. */
const headSide = 7;

export interface VggOptions {
  /** Batch normalisation after every convolution, as in torchvision's `vgg16_bn`; false unless given. */
  readonly batchNorm?: boolean;
  /** Classes of the head `classifier`; without it there is no head. */
  readonly classes?: number;
  /** Width of the head's two inner layers; 4096 unless given. */
  readonly hidden?: number;
}

/** VGG-16 (Simonyan & Zisserman 2015), with torchvision's tensor names. */
export class Vgg16 extends Backbone {
  readonly features = 512;
  protected readonly kind: string;
  protected readonly sections: readonly Section[];
  protected override readonly head;
  readonly #stages: readonly ConvNorm[][];

  /**
   * Convolutions start by He's fan-out rule with biases 0, the head normal with deviation 0.01.
   * @param random without it all weights are 0, to be loaded
   */
  constructor(device: Device, random: Random | undefined, options: VggOptions = {}) {
    super();
    const { batchNorm = false, classes, hidden = 4096 } = options;
    this.kind = `a VGG-16 with${batchNorm ? "" : "out"} batch norm and torchvision's names`;
    // torchvision numbers convolutions, norms, activations and poolings in one sequence.
    const convolution = { kernel: 3, padding: 1, bias: true, activation: "relu" } as const;
    let position = 0;
    let inputs = 3;
    this.#stages = stages.map((widths) => {
      const layers = widths.map((out) => {
        const names = [`features.${position}`, ...(batchNorm ? [`features.${position + 1}`] : [])] as [string, string?];
        const channels = { in: inputs, out };
        position += batchNorm ? 3 : 2;
        inputs = out;
        return new ConvNorm(device, random, names, channels, convolution);
      });
      position++;
      return layers;
    });
    this.sections = this.#stages.flatMap((layers, stage) =>
      layers.map((layer): Section => ({ title: `stage ${stage + 1}`, layers: [["", layer]] })),
    );
    const widths = [this.features * headSide ** 2, hidden, hidden, classes ?? 0];
    this.head = (classes ? [0, 1, 2] : []).map((i) => {
      const name = `classifier.${3 * i}`;
      return [name, new Linear(device, random?.fork(name), { in: widths[i]!, out: widths[i + 1]! }, 0.01)] as const;
    });
  }

  /** Mean over the last map, which is one pooling smaller than the last of {@link stages}. */
  forward(x: Tensor, training: boolean): Tensor {
    return globalAveragePool(pooled(this.stages(x, training).at(-1)!));
  }

  /** Three linear layers on the last map, pooled to 7x7. */
  override logits(x: Tensor, training: boolean): Tensor {
    const [first, second, third] = this.headOrThrow().map(([, layer]) => layer) as [Linear, Linear, Linear];
    const map = pooled(this.stages(x, training).at(-1)!);
    const square = adaptiveAveragePool2d(map, { height: headSide, width: headSide });
    // Weight files count channels before positions.
    const flat = reshape(permute(square, [0, 3, 1, 2]), [x.shape[0]!, first.weight.shape[0]!]);
    return third.forward(relu(second.forward(relu(first.forward(flat)))));
  }

  /** Feature maps of the five stages, before the pooling that follows each. */
  stages(x: Tensor, training: boolean): Tensor[] {
    const maps: Tensor[] = [];
    for (const layers of this.#stages) {
      const input = maps.length === 0 ? x : pooled(maps.at(-1)!);
      maps.push(layers.reduce((map, layer) => layer.forward(map, training), input));
    }
    return maps;
  }
}

function pooled(map: Tensor): Tensor {
  return maxPool2d(map, { kernel: 2, stride: 2 });
}
