import { expectNames } from "../../engine/arguments.ts";
import type { Device } from "../../engine/device/device.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { type Decoding, decode, decodingNames, type Picture } from "./pictures/decode.ts";
import { type PrefetchOptions, prefetch } from "./prefetch.ts";
import { upload } from "./upload.ts";

/** A picture on the device, or why it could not be brought there. */
export type Loaded<Row> =
  | { readonly row: Row; readonly tensor: Tensor }
  | { readonly row: Row; readonly error: unknown };

/** How a store comes by the tensor of a row: read on the host, ahead of its use, then brought to the device. */
export interface TensorSource<Row, Value> {
  /** The same for rows that have the same tensor. */
  readonly key: (row: Row) => string;
  readonly read: (row: Row) => Promise<Value>;
  /** Of the tensor, which is in no scope. */
  readonly upload: (value: Value) => Tensor;
  readonly tensorBytes: number;
}

/**
 * Tensors on the device, with the most recently used ones kept. Reading runs ahead on other threads; what is kept is not
 * read again. The result does not depend on what was kept.
 */
export class TensorStore<Row, Value> {
  readonly #device: Device;
  readonly #source: TensorSource<Row, Value>;
  #capacity: number;
  readonly #kept = new Map<string, Tensor>();

  /**
   * @param inUse tensors that the caller holds at a time; so many are always kept
   * @param cacheBytes device memory for kept tensors beyond that
   */
  constructor(device: Device, source: TensorSource<Row, Value>, inUse: number, cacheBytes = 512 * 2 ** 20) {
    this.#device = device;
    this.#source = source;
    this.#capacity = Math.max(inUse, Math.floor(cacheBytes / source.tensorBytes));
  }

  /** The most tensors that are kept. Must not be set below the number that the caller holds at a time. */
  get capacity(): number {
    return this.#capacity;
  }

  set capacity(tensors: number) {
    this.#capacity = tensors;
    this.#dropOldest();
  }

  /** Tensors kept now. */
  get size(): number {
    return this.#kept.size;
  }

  /** Walks the tensors of `rows` in order. They belong to the store. */
  async *load<Wanted extends Row>(
    rows: Iterable<Wanted>,
    options: PrefetchOptions = {},
  ): AsyncGenerator<Loaded<Wanted>, void, undefined> {
    const { key, read } = this.#source;
    const readUnlessKept = (row: Wanted) => (this.#kept.has(key(row)) ? undefined : read(row));
    for await (const result of prefetch(rows, readUnlessKept, { ahead: 16, concurrency: 3, ...options })) {
      const { item: row } = result;
      if (!result.ok) {
        yield { row, error: result.error };
        continue;
      }
      try {
        // What was kept when its turn came may have been dropped since.
        const value = result.value ?? (this.#kept.has(key(row)) ? undefined : await read(row));
        yield { row, tensor: this.#use(key(row), value) };
      } catch (error) {
        // A device that failed is no fault of the picture.
        this.#device.check();
        yield { row, error };
      }
    }
  }

  /** Frees everything kept. */
  dispose(): void {
    for (const tensor of this.#kept.values()) tensor.dispose();
    this.#kept.clear();
  }

  #use(key: string, value: Value | undefined): Tensor {
    const kept = this.#kept.get(key);
    const tensor = kept ?? this.#source.upload(value!);
    this.#kept.delete(key);
    this.#kept.set(key, tensor);
    this.#dropOldest();
    return tensor;
  }

  #dropOldest(): void {
    // Commands already recorded still see a dropped tensor: its buffer is only written again by later ones.
    for (const [oldest, dropped] of this.#kept) {
      if (this.#kept.size <= this.#capacity) break;
      this.#kept.delete(oldest);
      dropped.dispose();
    }
  }
}

/** Pictures [1, side, side, 3] in [0, 1], decoded and resized to one square size. */
export class PictureStore extends TensorStore<{ readonly path: string }, Picture> {
  /**
   * @param side pictures are resized to side x side with antialias
   * @param inUse as of {@link TensorStore}; a picture takes 12 bytes a pixel
   */
  constructor(device: Device, side: number, inUse: number, cacheBytes?: number, decoding: Decoding = {}) {
    const source = {
      key: ({ path }: { readonly path: string }) => path,
      read: ({ path }: { readonly path: string }) => decode(path, decoding),
      upload: (picture: Picture) => upload(device, picture, side),
      tensorBytes: side * side * 12,
    };
    super(device, source, inUse, cacheBytes);
    expectNames("PictureStore", decoding, decodingNames);
  }
}
