import { withoutGradients } from "../../engine/autograd.ts";
import { cropAndFlip, stack, unpackRgb } from "../../engine/ops/pictures/image.ts";
import { clamp } from "../../engine/ops/unary.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { type DistortionName, distort, type LevelSet } from "../data/degraded/distortions.ts";
import { type Decoding, decode, type Loaded, type Picture, prefetch } from "../data/index.ts";
import type { PrefetchOptions } from "../data/prefetch.ts";
import type { Outputs, QualityNetwork } from "../networks/model.ts";
import { type Corner, cutPart, placeAt } from "./crops.ts";
import { planDegradations } from "./degraded-plan.ts";
import type { InputItem, Inputs, Wanted } from "./inputs.ts";
import { groups } from "./version-inputs.ts";

/** How views are degraded. */
export interface DegradedOptions {
  /** Views of a picture, each degraded by another kind. */
  readonly degraded: number;
  readonly kinds: readonly DistortionName[];
  readonly amounts: LevelSet;
  /** Longest sides of the part of a picture, at its own size, that is degraded. */
  readonly region: number;
}

/**
 * Crops of degraded pictures, one above the other, [N, crop, crop, 3] in [0, 1]. A part of a picture at its own size is degraded once for each view, from
 * the seed of its views alone, and a crop is cut from what comes of it; nothing is kept but what a batch holds.
 */
export class DegradedInputs implements Inputs {
  readonly shape: Shape;
  readonly decoding: Decoding;
  /** Rows on the device, the latest last. */
  readonly #rows: Tensor[] = [];
  readonly #model: QualityNetwork;
  readonly #options: DegradedOptions;
  #capacity: number;

  /** @param inUse rows that the caller holds at a time; no more are kept */
  constructor(model: QualityNetwork, inUse: number, options: DegradedOptions, decoding: Decoding = {}) {
    const { crop } = model.options;
    this.shape = [1, crop, crop, 3];
    this.decoding = decoding;
    this.#model = model;
    this.#options = options;
    this.#capacity = inUse;
  }

  get capacity(): number {
    return this.#capacity;
  }

  set capacity(rows: number) {
    this.#capacity = rows;
    this.#dropOldest();
  }

  get size(): number {
    return this.#rows.length;
  }

  /** Rows of one picture follow one another, with one window and one seed, `version` counting them. */
  async *load<Row extends Wanted>(
    rows: Iterable<Row>,
    { ahead = 8, ...options }: PrefetchOptions = {},
  ): AsyncGenerator<Loaded<Row>, void, undefined> {
    const read = ([first]: Row[]) => this.#region(first!.path, first!.window ?? { top: 0.5, left: 0.5 });
    // A whole picture for each: no more than some ahead.
    const reading = { ...options, ahead: Math.min(ahead, 4), concurrency: 2 };
    for await (const result of prefetch(groups(rows), read, reading)) {
      const { item: group } = result;
      let views: Tensor[] | undefined;
      let error = result.ok ? undefined : result.error;
      try {
        if (result.ok) views = await this.#views(result.value, group[0]!.strong!);
      } catch (thrown) {
        this.#model.device.check();
        error = thrown;
      }
      for (const row of group) {
        const tensor = views?.[row.version!];
        if (tensor) {
          this.#rows.push(tensor);
          this.#dropOldest();
        }
        yield tensor ? { row, tensor } : { row, error };
      }
    }
  }

  /** The part of a picture that is degraded. @throws Error when a crop does not fit it */
  async #region(path: string, share: Corner): Promise<Picture> {
    const picture = await decode(path, this.decoding);
    const { crop } = this.#model.options;
    const { region } = this.#options;
    const size = { height: Math.min(region, picture.height), width: Math.min(region, picture.width) };
    if (Math.min(size.height, size.width) < crop)
      throw new Error(
        `${path} is ${picture.width} x ${picture.height}, in which a crop of ${crop} pixels does not fit; give a smaller \`crop\`, or larger pictures`,
      );
    return cutPart(picture, size, share);
  }

  async #views(region: Picture, seed: number): Promise<Tensor[]> {
    const { device } = this.#model;
    const { degraded, kinds, amounts: levels } = this.#options;
    const { crop } = this.#model.options;
    const made: Tensor[] = [];
    try {
      using whole = device
        .owned("pictures", () => unpackRgb(device, region.pixels, region.height, region.width))
        .keep();
      for (const { kind, level, seed: own, place } of planDegradations(seed, degraded, kinds)) {
        using seen = await distort(whole, kinds[kind]!, level, own, { levels });
        const window = { ...placeAt(region, crop, place), flip: false };
        made.push(
          device
            .owned("pictures", () =>
              device.scope(() => withoutGradients(() => clamp(cropAndFlip(seen, [window], crop, crop), 0, 1))),
            )
            .keep(),
        );
      }
    } catch (error) {
      for (const tensor of made) tensor.dispose();
      throw error;
    }
    return made;
  }

  assemble(items: readonly InputItem[]): Tensor {
    return stack(items.map(({ tensor }) => tensor));
  }

  async prepare(): Promise<void> {}

  forward(batch: Tensor, training: boolean, model = this.#model): Outputs {
    return model.forward(batch, training);
  }

  dispose(): void {
    for (const tensor of this.#rows.splice(0)) tensor.dispose();
  }

  #dropOldest(): void {
    // Commands already recorded still see a dropped tensor: its buffer is only written again by later ones.
    while (this.#rows.length > this.#capacity) this.#rows.shift()!.dispose();
  }
}
