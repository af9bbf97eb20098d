import { withoutGradients } from "../../engine/autograd.ts";
import { concat, slice } from "../../engine/ops/join.ts";
import { resizeBicubic } from "../../engine/ops/pictures/bicubic.ts";
import { cropAndFlip, stack, unpackRgb } from "../../engine/ops/pictures/image.ts";
import { clamp } from "../../engine/ops/unary.ts";
import { Random } from "../../engine/random.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { distort } from "../data/degraded/distortions.ts";
import { resized, resizingFactors } from "../data/degraded/kinds/resizing.ts";
import { type Decoding, decode, type Loaded, type Picture, prefetch } from "../data/index.ts";
import type { PrefetchOptions } from "../data/prefetch.ts";
import type { Outputs, QualityNetwork } from "../networks/model.ts";
import { type Corner, cutPart } from "./crops.ts";
import type { InputItem, Inputs, Wanted } from "./inputs.ts";
import { drawPair, overlap, planVersions, type Version } from "./version-plan.ts";

/** How versions of pictures are made. */
export interface VersionOptions {
  /** Degraded ones, beside the picture itself. */
  readonly degraded: number;
  /** Longest sides of the part of a picture, at its own size, that versions are made of. */
  readonly region: number;
}

/** Sizes that versions are shown at: their own, and half of it. */
export const versionScales = 2;

/** Views of a picture, a row each: all versions at one size, then at the other. */
export const versionViews = ({ degraded }: Pick<VersionOptions, "degraded">) => versionScales * (degraded + 1);

/**
 * Pairs of crops of degraded versions of pictures, one above the other, [N, 2 crop, crop, 3]: above what the network sees, below what it is compared
 * with. All versions of a picture at one size are cropped at the same two places; half the size is bicubic, with aligned corners. A
 * picture is decoded and degraded anew each time, from the seed of its versions alone.
 */
export class VersionInputs implements Inputs {
  readonly shape: Shape;
  readonly decoding: Decoding;
  /** Rows on the device, the latest last. */
  readonly #rows: Tensor[] = [];
  readonly #model: QualityNetwork;
  readonly #options: VersionOptions;
  #capacity: number;

  /** @param inUse rows that the caller holds at a time; no more are kept */
  constructor(model: QualityNetwork, inUse: number, options: VersionOptions, decoding: Decoding = {}) {
    const { crop } = model.options;
    this.shape = [1, 2 * crop, crop, 3];
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
    const pictures = groups(rows);
    // A whole picture for each: no more than some ahead.
    for await (const result of prefetch(pictures, read, { ...options, ahead: Math.min(ahead, 4), concurrency: 2 })) {
      const { item: group } = result;
      let pairs: Tensor[] | undefined;
      let error = result.ok ? undefined : result.error;
      try {
        if (result.ok) pairs = await this.#pairs(result.value, group[0]!);
      } catch (thrown) {
        this.#model.device.check();
        error = thrown;
      }
      for (const row of group) {
        const tensor = pairs?.[row.version!];
        if (tensor) {
          this.#rows.push(tensor);
          this.#dropOldest();
        }
        yield tensor ? { row, tensor } : { row, error };
      }
    }
  }

  /** The part of a picture that versions are made of. @throws Error when it is too small for two crops at both sizes */
  async #region(path: string, share: Corner): Promise<Picture> {
    const picture = await decode(path, this.decoding);
    const { crop } = this.#model.options;
    const { region } = this.#options;
    const size = { height: Math.min(region, picture.height), width: Math.min(region, picture.width) };
    const half = { height: size.height >> 1, width: size.width >> 1 };
    const fits = Math.min(half.height, half.width) >= crop && drawPair(new Random(1, "fits"), half, crop) !== undefined;
    if (!fits)
      throw new Error(
        `${path} is ${picture.width} x ${picture.height}, of which at most ${region} x ${region} are taken: at half that size two crops of ${crop} pixels that overlap by ${100 * overlap.least} to ${100 * overlap.most} % do not fit; give a smaller \`crop\`, or larger pictures`,
      );
    return cutPart(picture, size, share);
  }

  /** What is asked for and what it is compared with, for each row of a picture. */
  async #pairs(region: Picture, { strong: seed }: Wanted): Promise<Tensor[]> {
    const { device } = this.#model;
    const random = new Random(seed!, "versions");
    const versions = planVersions(random, this.#options.degraded);
    const { crop } = this.#model.options;
    const sizes = [1, 2].map((share) => ({
      height: Math.floor(region.height / share),
      width: Math.floor(region.width / share),
    }));
    const places = sizes.map((size) => drawPair(random, size, crop)!);
    const made: Tensor[][] = [[], []];
    try {
      using whole = device
        .owned("pictures", () => unpackRgb(device, region.pixels, region.height, region.width))
        .keep();
      for (const version of versions) {
        using seen = await this.#degraded(whole, version);
        device.scope(() =>
          withoutGradients(() => {
            sizes.forEach((size, i) => {
              const shown = i === 0 ? seen : resizeBicubic(seen, { ...size, alignCorners: true });
              made[i]!.push(device.owned("pictures", () => pairOf(shown, places[i]!, version, crop)).keep());
            });
          }),
        );
      }
    } catch (error) {
      for (const tensor of made.flat()) tensor.dispose();
      throw error;
    }
    return made.flat();
  }

  async #degraded(whole: Tensor, { degraded }: Version): Promise<Tensor> {
    if (!degraded) return whole.alias().keep();
    const { kind, level, seed } = degraded;
    if ("distortion" in kind) return distort(whole, kind.distortion, level, seed, { levels: "kadid" });
    return resized(whole, kind.resizing, resizingFactors[level - 1]!);
  }

  assemble(items: readonly InputItem[]): Tensor {
    return stack(items.map(({ tensor }) => tensor));
  }

  async prepare(): Promise<void> {}

  /** The upper crops of pairs, or crops alone, through the model. */
  forward(batch: Tensor, training: boolean, model = this.#model): Outputs {
    return model.forward(batch.shape[1] === batch.shape[2] ? batch : cropOf(batch, 0), training);
  }

  dispose(): void {
    for (const tensor of this.#rows.splice(0)) tensor.dispose();
  }

  #dropOldest(): void {
    // Commands already recorded still see a dropped tensor: its buffer is only written again by later ones.
    while (this.#rows.length > this.#capacity) this.#rows.shift()!.dispose();
  }
}

/** The upper (0) or lower (1) crops of pairs. x: [N, 2 crop, crop, 3] → [N, crop, crop, 3]. */
export function cropOf(x: Tensor, which: 0 | 1): Tensor {
  const [images, , crop] = x.shape as [number, number, number];
  return slice(x, [0, which * crop, 0, 0], [images, (which + 1) * crop, crop, 3]);
}

function pairOf(shown: Tensor, places: readonly [Corner, Corner], { swapped }: Version, crop: number): Tensor {
  const [first, second] = swapped ? places.toReversed() : places;
  const cut = ({ top, left }: Corner) => cropAndFlip(shown, [{ top, left }], crop, crop);
  return clamp(concat([cut(first!), cut(second!)], 1), 0, 1);
}

/** Rows of one picture after another. */
export function* groups<Row extends Wanted>(rows: Iterable<Row>): Generator<Row[], void, undefined> {
  let group: Row[] = [];
  for (const row of rows) {
    if (group.length > 0 && row.version === 0) {
      yield group;
      group = [];
    }
    group.push(row);
  }
  if (group.length > 0) yield group;
}
