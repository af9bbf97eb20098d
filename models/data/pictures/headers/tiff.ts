import { BeyondEndError, TiffDirectory } from "./tiff-directory.ts";

/** What the tags of a TIFF file's first page say about its samples. Tags that are not there have the standard's default. */
export interface TiffPage {
  readonly compression: number;
  /** PhotometricInterpretation; undefined where the tag is missing. */
  readonly photometric: number | undefined;
  readonly samples: number;
  /** BitsPerSample, of every sample or one for all. */
  readonly bits: readonly number[];
  /** SampleFormat, of every sample or one for all. */
  readonly formats: readonly number[];
  /** What the samples behind the colours are: 0 nobody knows, 1 alpha that is multiplied in, 2 alpha. */
  readonly extra: readonly number[];
  readonly inkSet: number;
}

/** As many values of a tag are looked at. */
const mostValues = 64;

export function isTiff(bytes: Uint8Array): boolean {
  const mark = String.fromCharCode(...bytes.subarray(0, 4));
  return ["II*\0", "MM\0*", "II+\0", "MM\0+"].includes(mark);
}

/**
 * Reads the first page's tags, of classic TIFF and BigTIFF.
 * @returns undefined where there is no directory to be read, which the decoder then says in its words
 * Source: Aldus, TIFF 6.0, sections 2 and 8; Adobe, TIFF Technical Notes.
 */
export function readTiff(bytes: Uint8Array): TiffPage | undefined {
  let tags: TiffDirectory;
  try {
    tags = new TiffDirectory(bytes);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  const values = (tag: number) => readable(tags, tag);
  return {
    compression: values(259)?.[0] ?? 1,
    photometric: values(262)?.[0],
    samples: values(277)?.[0] ?? 1,
    bits: values(258) ?? [1],
    formats: values(339) ?? [1],
    extra: values(338) ?? [],
    inkSet: values(332)?.[0] ?? 1,
  };
}

/** Values of a tag; undefined for one that is absent, empty, or lies behind the end of the file. */
function readable(tags: TiffDirectory, tag: number): readonly number[] | undefined {
  try {
    const numbers = tags.numbers(tag, mostValues);
    return numbers.length > 0 ? numbers : undefined;
  } catch (error) {
    if (error instanceof BeyondEndError) return undefined;
    throw error;
  }
}
