import { expectNames } from "../../engine/arguments.ts";
import type { Device } from "../../engine/device/device.ts";
import { Linear } from "../../engine/nn/layers.ts";
import type { Random } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Backbone } from "./backbone.ts";
import { ConvNorm, type ConvNormOptions } from "./conv-norm.ts";
import type { Section } from "./initialise.ts";

/**
 * 1x1 convolution that widens, depthwise 3x3, 1x1 that narrows without an activation, around a shortcut where the shape
 * stays (Sandler et al. 2018, table 1). With expansion 1 the first is left out.
 */
class InvertedResidual {
  readonly layers: readonly ConvNorm[];
  readonly #shortcut: boolean;

  constructor(
    device: Device,
    random: Random | undefined,
    { inputs, outputs, stride, expansion }: { inputs: number; outputs: number; stride: number; expansion: number },
  ) {
    const wide = inputs * expansion;
    const layers: ConvNorm[] = [];
    const add = (names: [string, string], channels: { in: number; out: number }, options: ConvNormOptions) =>
      layers.push(new ConvNorm(device, random, names, channels, options));
    if (expansion !== 1) add(["conv.0.0", "conv.0.1"], { in: inputs, out: wide }, { kernel: 1, activation: "relu6" });
    const i = layers.length;
    const depthwise = { kernel: 3, stride, padding: 1, groups: wide, activation: "relu6" } as const;
    add([`conv.${i}.0`, `conv.${i}.1`], { in: wide, out: wide }, depthwise);
    add([`conv.${i + 1}`, `conv.${i + 2}`], { in: wide, out: outputs }, { kernel: 1 });
    this.layers = layers;
    this.#shortcut = stride === 1 && inputs === outputs;
  }

  forward(x: Tensor, training: boolean): Tensor {
    const last = this.layers.length - 1;
    const residual = this.#shortcut ? x : undefined;
    return this.layers.reduce((map, layer, i) => layer.forward(map, training, i === last ? residual : undefined), x);
  }
}

/** Expansion, output channels, blocks and stride of the first block of each stage (Sandler et al. 2018, table 2). */
const stages = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/** Channels of the last convolution. */
const lastWidth = 1280;

export interface MobileNetV2Options {
  /** Classes of the head `classifier.1`; without it there is no head. */
  readonly classes?: number;
}

const names = { classes: true } satisfies Record<keyof MobileNetV2Options, true>;

/** MobileNetV2 of width 1.0 (Sandler et al. 2018), with torchvision's tensor names. */
export class MobileNetV2 extends Backbone {
  protected readonly kind = "a MobileNetV2 with torchvision's names";
  protected sections: readonly Section[];
  protected override readonly head;

  /**
   * Convolutions start by He's fan-out rule, the head normal with deviation 0.01.
   * @param random without it all weights are 0, to be loaded
   */
  constructor(device: Device, random: Random | undefined, options: MobileNetV2Options = {}) {
    super();
    expectNames("MobileNetV2", options, names);
    const { classes } = options;
    const outer = (i: number, channels: { in: number; out: number }, window: { kernel: number; stride?: number }) =>
      new ConvNorm(device, random, [`features.${i}.0`, `features.${i}.1`], channels, {
        ...window,
        padding: (window.kernel - 1) / 2,
        activation: "relu6",
      });
    const single = (title: string, width: number, layer: ConvNorm): Section => {
      return { title, layers: [["", layer]], width, forward: (x, training) => layer.forward(x, training) };
    };
    const sections = [single("the stem", 32, outer(0, { in: 3, out: 32 }, { kernel: 3, stride: 2 }))];
    let inputs = 32;
    for (const [stage, [expansion, outputs, count, stride]] of stages.entries()) {
      for (let i = 0; i < count; i++) {
        const prefix = `features.${sections.length}`;
        const shape = { inputs, outputs, stride: i === 0 ? stride : 1, expansion };
        const block = new InvertedResidual(device, random?.fork(prefix), shape);
        inputs = outputs;
        sections.push({
          title: `stage ${stage + 1}`,
          layers: block.layers.map((layer) => [prefix, layer] as const),
          width: outputs,
          forward: (x, training) => block.forward(x, training),
        });
      }
    }
    const last = outer(sections.length, { in: inputs, out: lastWidth }, { kernel: 1 });
    this.sections = [...sections, single("the last convolution", lastWidth, last)];
    const name = "classifier.1";
    this.head = classes
      ? [[name, new Linear(device, random?.fork(name), { in: this.features, out: classes }, 0.01)] as const]
      : [];
  }

  /** Feature maps after the stem, after each of the seven stages, and after the last convolution. */
  stages(x: Tensor, training: boolean): Tensor[] {
    return this.mapsAfter([1, ...stages.map(([, , blocks]) => blocks), 1], x, training);
  }
}
