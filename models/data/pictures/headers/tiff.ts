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

/** Bytes of one value of each type of the standard that counts. */
const typeBytes: Readonly<Record<number, 1 | 2 | 4 | 8>> = { 1: 1, 3: 2, 4: 4, 16: 8 };
/** As many values of a tag are looked at. */
const mostValues = 64;

export function isTiff(bytes: Uint8Array): boolean {
  const mark = String.fromCharCode(...bytes.subarray(0, 4));
  return ["II*\0", "MM\0*", "II+\0", "MM\0+"].includes(mark);
}

/**
 * Reads the first page's tags, of classic TIFF and BigTIFF. Follows no chain, so that no file can lead it round.
 * @returns undefined where the tags cannot be read, which the decoder then says in its words
 * Source: Aldus, TIFF 6.0, sections 2 and 8; Adobe, TIFF Technical Notes; AWare, BigTIFF.
 */
export function readTiff(bytes: Uint8Array): TiffPage | undefined {
  try {
    return pageOf(readTags(bytes));
  } catch (error) {
    // A place beyond the end of the file.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function pageOf(tags: ReadonlyMap<number, readonly number[]>): TiffPage {
  const first = (tag: number) => tags.get(tag)?.[0];
  return {
    compression: first(259) ?? 1,
    photometric: first(262),
    samples: first(277) ?? 1,
    bits: tags.get(258) ?? [1],
    formats: tags.get(339) ?? [1],
    extra: tags.get(338) ?? [],
    inkSet: first(332) ?? 1,
  };
}

/** @throws RangeError where a place lies beyond the end */
function readTags(bytes: Uint8Array): Map<number, number[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  const isBig = view.getUint16(2, little) === 43;
  const number = (at: number, size: 1 | 2 | 4 | 8): number => {
    if (size === 8) return Number(view.getBigUint64(at, little));
    return size === 4 ? view.getUint32(at, little) : size === 2 ? view.getUint16(at, little) : view.getUint8(at);
  };
  const word = isBig ? 8 : 4;
  const start = number(isBig ? 8 : 4, word);
  const count = number(start, isBig ? 8 : 2);
  const entryBytes = 4 + 2 * word;
  const tags = new Map<number, number[]>();
  for (let i = 0, at = start + (isBig ? 8 : 2); i < count; i++, at += entryBytes) {
    const tag = number(at, 2);
    const size = typeBytes[number(at + 2, 2)];
    // Of a tag that comes twice the first counts.
    if (size === undefined || tags.has(tag)) continue;
    const values = number(at + 4, word);
    const inside = values * size <= word;
    const from = inside ? at + 4 + word : number(at + 4 + word, word);
    if (values === 0 || from + Math.min(values, mostValues) * size > bytes.length) continue;
    tags.set(
      tag,
      Array.from({ length: Math.min(values, mostValues) }, (_, k) => number(from + k * size, size)),
    );
  }
  return tags;
}
