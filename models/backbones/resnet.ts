import type { Device } from "../../engine/device/device.ts";
import { BatchNorm, Convolution } from "../../engine/nn/layers.ts";
import { join, type Layer, type NamedTensor, readTensor } from "../../engine/nn/named.ts";
import { globalAveragePool, maxPool2d } from "../../engine/ops/pool.ts";
import type { Random } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { WeightsError, type WeightsFile } from "../../engine/weights/stored.ts";

/** A convolution with the batch normalisation that follows it, under the names torchvision gives to both. */
class ConvNorm {
  readonly convolution: Convolution;
  readonly norm: BatchNorm;
  readonly names: readonly [convolution: string, norm: string];

  constructor(
    device: Device,
    random: Random,
    names: readonly [string, string],
    channels: { in: number; out: number },
    options: { kernel: number; stride?: number; padding?: number },
  ) {
    this.names = names;
    this.convolution = new Convolution(device, random.fork(names[0]), channels, options);
    this.norm = new BatchNorm(device, channels.out);
  }

  forward(x: Tensor, training: boolean, then: { relu?: boolean; residual?: Tensor } = {}): Tensor {
    return this.norm.forward(this.convolution.forward(x), training, then);
  }

  tensors(prefix: string): NamedTensor[] {
    return [
      ...this.convolution.tensors(join(prefix, this.names[0])),
      ...this.norm.tensors(join(prefix, this.names[1])),
    ];
  }
}

/** Two 3x3 convolutions around a shortcut (He et al. 2016, figure 2). */
class BasicBlock implements Layer {
  readonly first: ConvNorm;
  readonly second: ConvNorm;
  readonly shortcut: ConvNorm | undefined;

  constructor(device: Device, random: Random, channels: { in: number; out: number }, stride: number) {
    this.first = new ConvNorm(device, random, ["conv1", "bn1"], channels, { kernel: 3, stride, padding: 1 });
    const inner = { in: channels.out, out: channels.out };
    this.second = new ConvNorm(device, random, ["conv2", "bn2"], inner, { kernel: 3, padding: 1 });
    if (stride !== 1 || channels.in !== channels.out) {
      this.shortcut = new ConvNorm(device, random, ["downsample.0", "downsample.1"], channels, { kernel: 1, stride });
    }
  }

  forward(x: Tensor, training: boolean): Tensor {
    const residual = this.shortcut ? this.shortcut.forward(x, training) : x;
    return this.second.forward(this.first.forward(x, training, { relu: true }), training, { relu: true, residual });
  }

  parts(): ConvNorm[] {
    return [this.first, this.second, ...(this.shortcut ? [this.shortcut] : [])];
  }

  tensors(prefix: string): NamedTensor[] {
    return this.parts().flatMap((part) => part.tensors(prefix));
  }
}

/** Where a weights file left a network: which parts come from it, which are fresh. */
export interface InitReport {
  /** Sentences for the log. */
  readonly lines: readonly string[];
  /** Names of the parameters that are still as they were drawn. */
  readonly fresh: ReadonlySet<string>;
}

/** ResNet-18 or -34 up to the pooled features (He et al. 2016), with torchvision's tensor names. */
export class ResNet implements Layer {
  /** Length of the pooled feature. */
  readonly features: number;
  readonly #stem: ConvNorm;
  readonly #stages: readonly BasicBlock[][];

  /** @param stages how many of the four stages there are; the features of fewer are shorter and see finer detail */
  constructor(device: Device, random: Random, depth: 18 | 34 = 18, stages = 4) {
    this.features = 64 * 2 ** (stages - 1);
    this.#stem = new ConvNorm(
      device,
      random,
      ["conv1", "bn1"],
      { in: 3, out: 64 },
      { kernel: 7, stride: 2, padding: 3 },
    );
    const blocks = depth === 18 ? [2, 2, 2, 2] : [3, 4, 6, 3];
    this.#stages = blocks.slice(0, stages).map((count, stage) =>
      Array.from({ length: count }, (_, i) => {
        const out = 64 * 2 ** stage;
        const channels = { in: i === 0 && stage > 0 ? out / 2 : out, out };
        const name = `layer${stage + 1}.${i}`;
        return new BasicBlock(device, random.fork(name), channels, i === 0 && stage > 0 ? 2 : 1);
      }),
    );
  }

  /** Pictures [N, H, W, 3], normalised with ImageNet's mean and deviation → pooled features [N, features]. */
  forward(x: Tensor, training: boolean): Tensor {
    const maps = this.stages(x, training);
    return globalAveragePool(maps.at(-1)!);
  }

  /** Feature maps after the stem's pooling and after each stage. */
  stages(x: Tensor, training: boolean): Tensor[] {
    const stem = this.#stem.forward(x, training, { relu: true });
    const maps = [maxPool2d(stem, { kernel: 3, stride: 2, padding: 1 })];
    for (const blocks of this.#stages) {
      maps.push(blocks.reduce((map, block) => block.forward(map, training), maps.at(-1)!));
    }
    return maps;
  }

  tensors(prefix: string): NamedTensor[] {
    return [
      ...this.#stem.tensors(prefix),
      ...this.#blocks().flatMap(([name, block]) => block.tensors(join(prefix, name))),
    ];
  }

  /**
   * Starts from a weights file with torchvision's names. Batch norms folded into the convolutions (a bias beside the
   * convolution, no batch norm) become frozen ones: scale 1, shift = the folded bias, mean 0, variance 1. A stage of
   * which the file lacks a weight stays fresh as a whole.
   * @throws WeightsError when a tensor has another shape, or nothing in the file fits
   */
  async start(file: WeightsFile): Promise<InitReport> {
    const parts: [string, [string, ConvNorm][]][] = [
      ["the stem", [["", this.#stem]]],
      ...this.#stages.map((blocks, stage): [string, [string, ConvNorm][]] => [
        `stage ${stage + 1}`,
        blocks.flatMap((block, i) => block.parts().map((part): [string, ConvNorm] => [`layer${stage + 1}.${i}`, part])),
      ]),
    ];
    const taken: string[] = [];
    const fresh: string[] = [];
    const freshNames = new Set<string>();
    let folded = false;
    for (const [title, convolutions] of parts) {
      const complete = convolutions.every(([prefix, part]) => this.#holds(file, prefix, part));
      (complete ? taken : fresh).push(title);
      for (const [prefix, part] of convolutions) {
        if (complete) folded = (await startPart(file, prefix, part)) || folded;
        else for (const { name } of part.tensors(prefix)) freshNames.add(name);
      }
    }
    if (taken.length === 0)
      throw new WeightsError(`${file.path}: no stage of a ResNet with torchvision's names is complete in it`);
    const lines = [`${taken.join(", ")} start from ${file.path}${folded ? ", batch norm folded in and frozen" : ""}`];
    if (fresh.length > 0) lines.push(`${fresh.join(", ")} start fresh: the file lacks some of their weights`);
    return { lines, fresh: freshNames };
  }

  /** Every batch normalisation under its name. */
  norms(): [string, BatchNorm][] {
    const parts: [string, ConvNorm][] = [
      ["", this.#stem],
      ...this.#blocks().flatMap(([name, block]) => block.parts().map((part): [string, ConvNorm] => [name, part])),
    ];
    return parts.map(([prefix, part]) => [join(prefix, part.names[1]), part.norm]);
  }

  #holds(file: WeightsFile, prefix: string, part: ConvNorm): boolean {
    const [convolution, norm] = part.names.map((name) => join(prefix, name)) as [string, string];
    const has = (name: string) => file.tensors.has(name);
    return has(`${convolution}.weight`) && (has(`${norm}.weight`) || has(`${convolution}.bias`));
  }

  #blocks(): [string, BasicBlock][] {
    return this.#stages.flatMap((blocks, stage) =>
      blocks.map((block, i): [string, BasicBlock] => [`layer${stage + 1}.${i}`, block]),
    );
  }
}

/** Fills one convolution and its norm; returns whether the norm was folded in. */
async function startPart(file: WeightsFile, prefix: string, part: ConvNorm): Promise<boolean> {
  const named = part.tensors(prefix);
  const [weight, scale, shift, mean, variance] = named as [
    NamedTensor,
    NamedTensor,
    NamedTensor,
    NamedTensor,
    NamedTensor,
  ];
  weight.tensor.write(await readTensor(file, weight));
  if (file.tensors.has(scale.name)) {
    for (const tensor of [scale, shift, mean, variance]) tensor.tensor.write(await readTensor(file, tensor));
    return false;
  }
  shift.tensor.write(await readTensor(file, shift, join(prefix, `${part.names[0]}.bias`)));
  const channels = shift.tensor.size;
  scale.tensor.write(new Float32Array(channels).fill(1));
  mean.tensor.write(new Float32Array(channels));
  // The layer divides by √(variance + ε): this makes the divisor exactly 1.
  variance.tensor.write(new Float32Array(channels).fill(1 - part.norm.epsilon));
  part.norm.freeze();
  return true;
}
