import { expectNames } from "../../engine/arguments.ts";
import type { Device } from "../../engine/device/device.ts";
import { Linear } from "../../engine/nn/layers.ts";
import { maxPool2d } from "../../engine/ops/pool.ts";
import type { Random } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Backbone } from "./backbone.ts";
import { ConvNorm } from "./conv-norm.ts";
import type { Section } from "./initialise.ts";

/**
 * Convolutions around a shortcut (He et al. 2016, figure 5): two 3x3, or for a bottleneck a 3x3 between two 1x1, the last
 * of which widens four times. A bottleneck's stride is on the 3x3, as in torchvision.
 */
class Block {
  readonly #way: readonly ConvNorm[];
  readonly #shortcut: ConvNorm | undefined;

  constructor(
    device: Device,
    random: Random | undefined,
    { inputs, width, stride, bottleneck }: { inputs: number; width: number; stride: number; bottleneck: boolean },
  ) {
    const outputs = bottleneck ? 4 * width : width;
    const kernels = bottleneck ? [1, 3, 1] : [3, 3];
    const strided = bottleneck ? 1 : 0;
    this.#way = kernels.map((kernel, i) => {
      const channels = { in: i === 0 ? inputs : width, out: i === kernels.length - 1 ? outputs : width };
      return new ConvNorm(device, random, [`conv${i + 1}`, `bn${i + 1}`], channels, {
        kernel,
        stride: i === strided ? stride : 1,
        padding: (kernel - 1) / 2,
        activation: "relu",
      });
    });
    if (stride !== 1 || inputs !== outputs) {
      const channels = { in: inputs, out: outputs };
      this.#shortcut = new ConvNorm(device, random, ["downsample.0", "downsample.1"], channels, { kernel: 1, stride });
    }
  }

  forward(x: Tensor, training: boolean): Tensor {
    const residual = this.#shortcut ? this.#shortcut.forward(x, training) : x;
    const last = this.#way.length - 1;
    return this.#way.reduce((map, layer, i) => layer.forward(map, training, i === last ? residual : undefined), x);
  }

  layers(): ConvNorm[] {
    return [...this.#way, ...(this.#shortcut ? [this.#shortcut] : [])];
  }
}

/** Blocks of each stage. */
const depths = {
  18: [2, 2, 2, 2],
  34: [3, 4, 6, 3],
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
} as const;

export interface ResNetOptions {
  /** Number of layers; 18 unless given. From 50 on the blocks are bottlenecks. */
  readonly depth?: keyof typeof depths;
  /** How many of the four stages there are; the features of fewer are shorter and see finer detail. */
  readonly stages?: number;
  /** Classes of the head `fc`; without it there is no head. */
  readonly classes?: number;
}

const names = { depth: true, stages: true, classes: true } satisfies Record<keyof ResNetOptions, true>;

/** ResNet-18, -34, -50 or -101 (He et al. 2016), with torchvision's tensor names. */
export class ResNet extends Backbone {
  protected readonly kind: string;
  protected sections: readonly Section[];
  protected override readonly head;
  readonly #stem: ConvNorm;
  readonly #stages: readonly Block[][];

  /**
   * Convolutions start by He's fan-out rule, the head uniform within ±1/√in.
   * @param random without it all weights are 0, to be loaded
   * @throws RangeError when `stages` is not 1 to 4
   */
  constructor(device: Device, random: Random | undefined, options: ResNetOptions = {}) {
    super();
    expectNames("ResNet", options, names);
    const { depth = 18, stages = 4, classes } = options;
    if (![1, 2, 3, 4].includes(stages)) throw new RangeError(`a ResNet has 1 to 4 stages, got ${stages}`);
    const bottleneck = depth >= 50;
    const expansion = bottleneck ? 4 : 1;
    const stemOptions = { kernel: 7, stride: 2, padding: 3, activation: "relu" } as const;
    this.#stem = new ConvNorm(device, random, ["conv1", "bn1"], { in: 3, out: 64 }, stemOptions);
    this.#stages = depths[depth].slice(0, stages).map((count, stage) =>
      Array.from({ length: count }, (_, i) => {
        const width = 64 * 2 ** stage;
        const first = i === 0 && stage > 0;
        const inputs = first ? (width / 2) * expansion : i === 0 ? 64 : width * expansion;
        const shape = { inputs, width, stride: first ? 2 : 1, bottleneck };
        return new Block(device, random?.fork(`layer${stage + 1}.${i}`), shape);
      }),
    );
    this.kind = `a ResNet-${depth} with torchvision's names`;
    this.sections = [
      {
        title: "the stem",
        layers: [["", this.#stem]],
        width: 64,
        forward: (x, training) => maxPool2d(this.#stem.forward(x, training), { kernel: 3, stride: 2, padding: 1 }),
      },
      ...this.#stages.flatMap((blocks, stage) =>
        blocks.map((block, i): Section => {
          const prefix = `layer${stage + 1}.${i}`;
          return {
            title: `stage ${stage + 1}`,
            layers: block.layers().map((layer) => [prefix, layer] as const),
            width: 64 * 2 ** stage * expansion,
            forward: (x, training) => block.forward(x, training),
          };
        }),
      ),
    ];
    this.head = classes
      ? [["fc", new Linear(device, random?.fork("fc"), { in: this.features, out: classes })] as const]
      : [];
  }

  /** Sections from the input on after which each stage ends. */
  get stageDepths(): readonly number[] {
    return this.#stages.map((_, stage) =>
      this.#stages.slice(0, stage + 1).reduce((sum, { length }) => sum + length, 1),
    );
  }

  /** Feature maps after the stem's pooling and after each stage. */
  stages(x: Tensor, training: boolean): Tensor[] {
    return this.mapsAfter([1, ...this.#stages.map(({ length }) => length)], x, training);
  }
}
