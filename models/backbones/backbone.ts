import type { BatchNorm, Linear } from "../../engine/nn/layers.ts";
import { join, type Layer, type NamedTensor } from "../../engine/nn/named.ts";
import { add, subtract } from "../../engine/ops/arithmetic.ts";
import { cast } from "../../engine/ops/cast.ts";
import type { StochasticDepthOptions } from "../../engine/ops/dropout.ts";
import { concat } from "../../engine/ops/join.ts";
import { globalAveragePool } from "../../engine/ops/pool.ts";
import { mean } from "../../engine/ops/reduce.ts";
import { reshape } from "../../engine/ops/shape.ts";
import { sqrt, square } from "../../engine/ops/unary.ts";
import { ShapeError, Tensor } from "../../engine/tensor.ts";
import type { WeightsFile } from "../../engine/weights/stored.ts";
import { ConvNorm } from "./conv-norm.ts";
import { type InitReport, initialise, type NamedLayer, type Section } from "./initialise.ts";

/** What is subtracted from each channel of a picture in [0, 1], and what it is divided by afterwards. */
export interface Normalisation {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** Mean and deviation of ImageNet's channels. */
const imagenet: Normalisation = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };

/**
 * How the last map becomes a feature. `standard` is what the network was made for: the class token of a vision transformer,
 * the mean over the places of others. `statistics` adds the mean over a transformer's patches, and the standard deviation
 * over the places: how a quality varies within the picture.
 */
export const poolings = ["standard", "statistics"] as const;

export type Pooling = (typeof poolings)[number];

/** Residual branches that training leaves out at random, each for a picture (Huang et al. 2016). */
export interface BranchDrop {
  /** How likely a branch of the last block is left out, 0 ≤ rate < 1. It rises evenly from 0 in the first block, as in timm. */
  readonly rate: number;
  /** What a branch draws by, asked for at each forward pass. @param branch its name, another for each of the network */
  readonly words: (branch: string) => StochasticDepthOptions;
}

/** A network that turns pictures into features, with the names of its tensors in published weight files. */
export abstract class Backbone implements Layer {
  /** What the network expects to be done to pictures. */
  readonly normalisation: Normalisation = imagenet;
  /** From the input on; each section is one depth. */
  protected abstract sections: readonly Section[];
  /** Linear layers from the features to the logits; none where no number of classes was given. */
  protected readonly head: readonly (readonly [prefix: string, layer: Linear])[] = [];
  /** What errors call the network. */
  protected abstract readonly kind: string;
  #depths: ReadonlyMap<string, number> | undefined;

  /** Normalised pictures [N, H, W, 3] → features [N, features]. In training, batch norms take the batch's statistics. */
  forward(x: Tensor, training = false): Tensor {
    return this.pool(this.through(x, training));
  }

  /** The map after section `until` of what comes into section `from`: the first takes normalised pictures. */
  through(x: Tensor, training: boolean, from = 0, until = this.sections.length): Tensor {
    return this.sections
      .slice(from, until)
      .reduce((map, section) => x.device.labels.within(blockOf(section), () => section.forward(map, training)), x);
  }

  /** Maps after so many sections each, from the input on. */
  protected mapsAfter(counts: readonly number[], x: Tensor, training: boolean): Tensor[] {
    let from = 0;
    let map = x;
    return counts.map((count) => {
      map = this.through(map, training, from, from + count);
      from += count;
      return map;
    });
  }

  /** The map after a section → features, [N, {@link lengthOf}]; f32 with `statistics`. */
  pool(map: Tensor, pooling: Pooling = "standard"): Tensor {
    const standard = this.standard(map);
    if (pooling === "standard") return standard;
    const places = cast(this.places(map), "f32");
    const [images, , width] = places.shape as [number, number, number];
    const average = reshape(mean(places, 1), [images, width]);
    const centred = subtract(places, reshape(average, [images, 1, width]));
    // The ε keeps the derivative finite where all places are alike.
    const deviation = sqrt(add(mean(square(centred), 1), Tensor.constant(map.device, [1e-6], [1])));
    const parts = this.standardIsMean ? [average, deviation] : [cast(standard, "f32"), average, deviation];
    return concat(
      parts.map((part) => reshape(part, [images, width])),
      1,
    );
  }

  /** Length of the feature with standard pooling. */
  get features(): number {
    return this.lengthOf(this.layers);
  }

  /** Length of the feature that {@link pool} makes of the map after `depth` sections. */
  lengthOf(depth: number, pooling: Pooling = "standard"): number {
    const { width } = this.sections[depth - 1]!;
    if (pooling === "standard") return width;
    return width * (this.standardIsMean ? 2 : 3);
  }

  /** Leaves out the sections after the first `depth`, and their tensors. @throws RangeError when there are not so many */
  cut(depth: number): void {
    if (!Number.isInteger(depth) || depth < 1 || depth > this.layers)
      throw new RangeError(`${this.kind} has the depths 1 to ${this.layers}, got ${depth}`);
    const left = this.sections.slice(depth).flatMap(({ layers }) => layers);
    for (const { tensor } of left.flatMap(([prefix, layer]) => layer.tensors(prefix))) tensor.dispose();
    this.sections = this.sections.slice(0, depth);
    this.#depths = undefined;
  }

  /** Standard pooling of the last map, [N, features]. */
  protected standard(map: Tensor): Tensor {
    return globalAveragePool(map);
  }

  /** Whether standard pooling is the mean over {@link places}. */
  protected readonly standardIsMean: boolean = true;

  /** The places of the last map in a row, [N, places, features]. */
  protected places(map: Tensor): Tensor {
    const [images, height, width, channels] = map.shape as [number, number, number, number];
    return reshape(map, [images, height * width, channels]);
  }

  /**
   * Normalised pictures [N, H, W, 3] → logits [N, classes]; without the dropout that heads are trained with.
   * @throws ShapeError when there is no head
   */
  logits(x: Tensor, training: boolean): Tensor {
    return this.headOrThrow().reduce((features, [, layer]) => layer.forward(features), this.forward(x, training));
  }

  /** @throws ShapeError when there is no head */
  protected headOrThrow(): readonly (readonly [prefix: string, layer: Linear])[] {
    if (this.head.length === 0) throw new ShapeError(`${this.kind}: there is no head; give the number of \`classes\``);
    return this.head;
  }

  /** Every layer below the head, under the name that goes before those of its tensors. */
  get namedLayers(): readonly NamedLayer[] {
    return this.sections.flatMap(({ layers }) => layers);
  }

  tensors(prefix: string): NamedTensor[] {
    return [...this.sections.flatMap(({ layers }) => layers), ...this.head].flatMap(([name, layer]) =>
      layer.tensors(join(prefix, name)),
    );
  }

  /** How many depths there are; a head is one deeper. For learning rates that fall from the head to the input. */
  get layers(): number {
    return this.sections.length;
  }

  /**
   * Depth of a tensor, as timm's `group_matcher` counts: 0 for the stem, then one per block, what follows the blocks one
   * more; {@link layers} for the network's own head.
   * @param name as {@link tensors} gives it for an empty prefix
   * @throws RangeError when there is no such tensor
   */
  depthOf(name: string): number {
    this.#depths ??= new Map(
      [...this.sections.map(({ layers }) => layers), this.head].flatMap((layers: readonly NamedLayer[], depth) =>
        layers.flatMap(([prefix, layer]) => layer.tensors(prefix).map((named) => [named.name, depth] as const)),
      ),
    );
    const depth = this.#depths.get(name);
    if (depth === undefined) throw new RangeError(`${this.kind}: there is no tensor "${name}"`);
    return depth;
  }

  /**
   * Starts from a weights file, see {@link initialise}. Batch norms folded into the convolutions become frozen ones.
   * @throws WeightsError when a tensor has another shape, or nothing in the file fits
   */
  start(file: WeightsFile): Promise<InitReport> {
    return initialise(file, this.sections, this.head, this.kind);
  }

  /** Every batch normalisation under its name. */
  norms(): [string, BatchNorm][] {
    return this.namedLayers.flatMap(([prefix, layer]) => (layer instanceof ConvNorm ? layer.norms(prefix) : []));
  }

  dispose(): void {
    for (const { tensor } of this.tensors("")) tensor.dispose();
  }
}

/** Path of a section's layers, as their tensors are named: what profiles call an addition that ends a shortcut. */
function blockOf({ layers }: Section): { block?: string } {
  const [prefix, layer] = layers[0]!;
  const [first] = layer.tensors(prefix);
  if (!prefix || !first?.tensor.name?.endsWith(first.name)) return {};
  return { block: first.tensor.name.slice(0, -first.name.length) + prefix };
}
