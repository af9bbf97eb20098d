import type { Device } from "../../engine/device/device.ts";
import { resize, unpackRgb } from "../../engine/ops/image.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { decode, type Picture } from "./decode.ts";
import { type PrefetchOptions, prefetch } from "./prefetch.ts";

/** A picture on the device, or why it could not be brought there. */
export type Loaded<Row> =
  | { readonly row: Row; readonly tensor: Tensor }
  | { readonly row: Row; readonly error: unknown };

/**
 * Pictures on the device, resized to one square size, with the most recently used ones kept. Decoding runs ahead on
 * other threads; a kept picture is not decoded again. The result does not depend on what was kept.
 */
export class PictureStore {
  readonly #device: Device;
  readonly #side: number;
  #capacity: number;
  readonly #kept = new Map<string, Tensor>();

  /**
   * @param side pictures are resized to side x side with antialias
   * @param inUse pictures that the caller holds at a time; so many are always kept
   * @param cacheBytes device memory for kept pictures beyond that, 12 bytes a pixel
   */
  constructor(device: Device, side: number, inUse: number, cacheBytes = 512 * 2 ** 20) {
    this.#device = device;
    this.#side = side;
    this.#capacity = Math.max(inUse, Math.floor(cacheBytes / (side * side * 12)));
  }

  /** The most pictures that are kept. Must not be set below the number that the caller holds at a time. */
  get capacity(): number {
    return this.#capacity;
  }

  set capacity(pictures: number) {
    this.#capacity = pictures;
    this.#dropOldest();
  }

  /** Pictures kept now. */
  get size(): number {
    return this.#kept.size;
  }

  /** Walks the pictures of `rows` in order, [1, side, side, 3] in [0, 1] each. The tensors belong to the store. */
  async *load<Row extends { readonly path: string }>(
    rows: Iterable<Row>,
    options: PrefetchOptions = {},
  ): AsyncGenerator<Loaded<Row>, void, undefined> {
    const decodeUnlessKept = (row: Row) => (this.#kept.has(row.path) ? undefined : decode(row.path));
    for await (const result of prefetch(rows, decodeUnlessKept, { ahead: 16, concurrency: 3, ...options })) {
      const { item: row } = result;
      if (!result.ok) {
        yield { row, error: result.error };
        continue;
      }
      try {
        // A picture that was kept when its turn came may have been dropped since.
        yield {
          row,
          tensor: this.#use(row.path, result.value ?? (this.#kept.get(row.path) ? undefined : await decode(row.path))),
        };
      } catch (error) {
        // A device that failed is no fault of the picture.
        this.#device.check();
        yield { row, error };
      }
    }
  }

  /** Frees every kept picture. */
  dispose(): void {
    for (const tensor of this.#kept.values()) tensor.dispose();
    this.#kept.clear();
  }

  #use(path: string, picture: Picture | undefined): Tensor {
    const kept = this.#kept.get(path);
    const tensor = kept ?? upload(this.#device, picture!, this.#side);
    this.#kept.delete(path);
    this.#kept.set(path, tensor);
    this.#dropOldest();
    return tensor;
  }

  #dropOldest(): void {
    // Commands already recorded still see a dropped picture: its buffer is only written again by later ones.
    for (const [oldest, dropped] of this.#kept) {
      if (this.#kept.size <= this.#capacity) break;
      this.#kept.delete(oldest);
      dropped.dispose();
    }
  }
}

/** A decoded picture on the device, resized to side x side with antialias. */
export function upload(device: Device, picture: Picture, side: number): Tensor {
  const resized = () => {
    const whole = unpackRgb(device, picture.pixels, picture.height, picture.width);
    return resize(whole, { height: side, width: side, filter: "bilinear", antialias: true });
  };
  return device.labels.within({ phase: "input" }, () => device.owned("pictures", () => device.scope(resized))).keep();
}
