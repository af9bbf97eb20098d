import { expectNames } from "../../engine/arguments.ts";
import type { Device } from "../../engine/device/device.ts";
import { unpackRgb } from "../../engine/ops/pictures/image.ts";
import { ShapeError } from "../../engine/tensor.ts";
import { DatasetError, type Decoding, decode, type Picture, PictureError, prefetch } from "../data/index.ts";
import { reduced } from "../data/pictures/resample.ts";
import {
  type FullReference,
  type FullReferenceMeasure,
  fullReference,
  fullReferenceMeasures,
} from "../metrics/full-reference.ts";
import type { CopyPair } from "./copies.ts";
import { SeenPictures } from "./seen-pictures.ts";

export interface MeasureOptions extends Decoding {
  /** @default all */
  readonly measures?: readonly FullReferenceMeasure[];
  readonly signal?: AbortSignal;
}

const names = { measures: true, signal: true, strictness: true, maxPixels: true } satisfies Record<
  keyof MeasureOptions,
  true
>;

/** A copy with its measures, or why it has none. */
export type MeasuredCopy = { readonly pair: CopyPair } & (
  | { readonly measures: FullReference }
  | { readonly error: Error }
);

/** References kept decoded: the copies of one follow each other. */
const keptReferences = 4;

/**
 * Measures copies of pictures against their references, in order. One that cannot be read, or has another size than its reference, comes with
 * its error and stops nothing.
 * @throws what is no picture's fault; the signal's reason
 */
export async function* measureCopies(
  device: Device,
  pairs: readonly CopyPair[],
  options: MeasureOptions = {},
): AsyncGenerator<MeasuredCopy, void, undefined> {
  expectNames("measureCopies", options, names);
  const { measures = fullReferenceMeasures, signal, ...decoding } = options;
  const kept = new Map<string, Promise<Picture>>();
  const referenceOf = ({ referencePath, longerSide }: CopyPair): Promise<Picture> => {
    const key = `${longerSide} ${referencePath}`;
    let known = kept.get(key);
    if (!known) {
      known = decode(referencePath!, decoding).then(
        (picture) => reduced(picture, longerSide),
        (error: unknown) => {
          if (!(error instanceof PictureError)) throw error;
          const detail = `Its reference ${error.path}: ${error.detail}`;
          throw new PictureError(referencePath!, error.reason, detail, { cause: error });
        },
      );
      kept.set(key, known);
      const [oldest] = kept.keys();
      if (kept.size > keptReferences) kept.delete(oldest!);
    }
    return known;
  };
  const pictures = new SeenPictures(device, decoding);
  const measured = async (pair: CopyPair): Promise<FullReference> => {
    if (pair.referencePath === undefined) throw new DatasetError(pair.why ?? "It has no reference.");
    return pictures.see(pair.path, async (copy) => {
      const reference = await referenceOf(pair);
      const [, height, width] = copy.shape;
      if (reference.height !== height || reference.width !== width) {
        const [own, other] = [`${width} x ${height}`, `${reference.width} x ${reference.height}`];
        throw new ShapeError(`it has ${own} pixels, its reference ${other}`);
      }
      using original = unpackRgb(device, reference.pixels, reference.height, reference.width);
      return fullReference(original, copy, measures);
    });
  };
  for await (const result of prefetch(pairs, measured, { ...(signal && { signal }) })) {
    if (result.ok) yield { pair: result.item, measures: result.value };
    else if (result.error instanceof PictureError || result.error instanceof DatasetError)
      yield { pair: result.item, error: result.error };
    else throw result.error;
  }
}
