import type { Device } from "../../engine/device/device.ts";
import { OutOfMemoryError } from "../../engine/device/errors.ts";
import { unpackRgb } from "../../engine/ops/pictures/image.ts";
import { ShapeError, type Tensor } from "../../engine/tensor.ts";
import { type Decoding, decode, type Picture, PictureError, prefetch } from "../data/index.ts";
import { Limit } from "../data/prefetch.ts";
import { pictureFailure } from "../scoring/picture-failure.ts";
import { contentOf, openPicture, type PictureSource } from "../scoring/picture-source.ts";

/** What was computed of a picture, or why nothing was. */
export type Seen<Source, Value> = { readonly picture: Source; readonly index: number } & (
  | { readonly value: Value }
  | { readonly error: Error }
);

/** Computes something of a picture [1, H, W, 3] in [0, 1]; a ShapeError says that the picture does not allow it. */
export type Work<Value> = (picture: Tensor, name: string) => Promise<Value>;

/** Bodies and streams that are longer are refused. */
const maxBytes = 2 ** 28;

/** Pictures on the device at a time: one is uploaded while the other is computed. */
const onDevice = 2;

/** A picture does not allow what is computed of it. */
export function noScore(name: string, detail: string, cause?: unknown): PictureError {
  const advice = "Choose another picture, or a method that takes it.";
  return new PictureError(name, "no-score", detail, { advice, cause });
}

/** Pictures decoded at original size and shown to a device, some ahead of the one in hand. */
export class SeenPictures {
  readonly device: Device;
  readonly #decoding: Decoding;
  readonly #decoders: number;
  readonly #adapter = new Limit(onDevice);

  constructor(device: Device, decoding: Decoding, decoders = 4) {
    this.device = device;
    this.#decoding = decoding;
    this.#decoders = decoders;
  }

  /** @throws PictureError when it cannot be read, does not fit the device, or does not allow the work; what the device throws */
  async see<Value>(source: PictureSource, work: Work<Value>): Promise<Value> {
    const opened = await openPicture(source, { maxBytes });
    const content = await contentOf(opened);
    const picture = await decode(content, { name: opened.name, ...this.#decoding }).catch((error: unknown): never => {
      throw pictureFailure(opened.name, error);
    });
    return this.#adapter.run(() => this.#shown(picture, opened.name, work));
  }

  /**
   * Pictures in their order. One that fails comes with its error and stops nothing.
   * @param onResult told of each picture as soon as it has its result, which may be before its turn
   * @throws what is no picture's fault; the signal's reason
   */
  async *seeMany<Source extends PictureSource, Value>(
    pictures: Iterable<Source> | AsyncIterable<Source>,
    work: Work<Value>,
    { onResult, signal }: { onResult?: (result: Seen<Source, Value>) => void; signal?: AbortSignal } = {},
  ): AsyncGenerator<Seen<Source, Value>, void, undefined> {
    let begun = 0;
    const seen = async (picture: Source): Promise<Seen<Source, Value>> => {
      const own = { picture, index: begun++ };
      const result = await this.see(picture, work).then(
        (value) => ({ ...own, value }),
        (error: unknown) => {
          if (error instanceof PictureError || error instanceof TypeError) return { ...own, error };
          throw error;
        },
      );
      onResult?.(result);
      return result;
    };
    const options = { ahead: 2 * this.#decoders, concurrency: this.#decoders, ...(signal && { signal }) };
    for await (const result of prefetch(pictures, seen, options)) {
      if (!result.ok) throw result.error;
      yield result.value;
    }
  }

  async #shown<Value>({ pixels, width, height }: Picture, name: string, work: Work<Value>): Promise<Value> {
    try {
      using picture = unpackRgb(this.device, pixels, height, width);
      return await work(picture, name);
    } catch (error) {
      if (error instanceof OutOfMemoryError) {
        const detail = `Its ${width} x ${height} pixels do not fit the device: ${error.message}.`;
        throw new PictureError(name, "too-large", detail, { cause: error, advice: "Shrink the picture first." });
      }
      if (!(error instanceof ShapeError)) throw error;
      throw noScore(name, `${error.message}.`, error);
    }
  }
}
