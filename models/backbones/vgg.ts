import { expectNames } from "../../engine/arguments.ts";
import type { Device } from "../../engine/device/device.ts";
import { Linear } from "../../engine/nn/layers.ts";
import { relu } from "../../engine/ops/activations.ts";
import { adaptiveAveragePool2d } from "../../engine/ops/adaptive-pool.ts";
import { permute } from "../../engine/ops/join.ts";
import { maxPool2d } from "../../engine/ops/pool.ts";
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

const names = { batchNorm: true, classes: true, hidden: true } satisfies Record<keyof VggOptions, true>;

/** VGG-16 (Simonyan & Zisserman 2015), with torchvision's tensor names. */
export class Vgg16 extends Backbone {
  protected readonly kind: string;
  protected sections: readonly Section[];
  protected override readonly head;

  /**
   * Convolutions start by He's fan-out rule with biases 0, the head normal with deviation 0.01.
   * @param random without it all weights are 0, to be loaded
   */
  constructor(device: Device, random: Random | undefined, options: VggOptions = {}) {
    super();
    expectNames("Vgg16", options, names);
    const { batchNorm = false, classes, hidden = 4096 } = options;
    this.kind = `a VGG-16 with${batchNorm ? "" : "out"} batch norm and torchvision's names`;
    // torchvision numbers convolutions, norms, activations and poolings in one sequence.
    const convolution = { kernel: 3, padding: 1, bias: true, activation: "relu" } as const;
    let position = 0;
    let inputs = 3;
    this.sections = stages.flatMap((widths, stage) => {
      const sections = widths.map((out, i): Section => {
        const names = [`features.${position}`, ...(batchNorm ? [`features.${position + 1}`] : [])] as [string, string?];
        const channels = { in: inputs, out };
        position += batchNorm ? 3 : 2;
        inputs = out;
        const layer = new ConvNorm(device, random, names, channels, convolution);
        // The pooling that ends a stage is the next one's, so that heads can pool the last map in their own way.
        const isPooled = stage > 0 && i === 0;
        return {
          title: `stage ${stage + 1}`,
          layers: [["", layer]],
          width: out,
          forward: (x, training) => layer.forward(isPooled ? pooled(x) : x, training),
        };
      });
      position++;
      return sections;
    });
    const widths = [this.features * headSide ** 2, hidden, hidden, classes ?? 0];
    this.head = (classes ? [0, 1, 2] : []).map((i) => {
      const name = `classifier.${3 * i}`;
      return [name, new Linear(device, random?.fork(name), { in: widths[i]!, out: widths[i + 1]! }, 0.01)] as const;
    });
  }

  /** Mean over the last map after the last pooling. */
  protected override standard(map: Tensor): Tensor {
    return super.standard(pooled(map));
  }

  protected override places(map: Tensor): Tensor {
    return super.places(pooled(map));
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
    return this.mapsAfter(
      stages.map(({ length }) => length),
      x,
      training,
    );
  }
}

function pooled(map: Tensor): Tensor {
  return maxPool2d(map, { kernel: 2, stride: 2 });
}
