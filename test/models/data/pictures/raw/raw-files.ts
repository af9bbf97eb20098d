import sharp from "sharp";

/** A JPEG whose left half is red and whose right half is blue. */
export async function halves(width: number, height: number): Promise<Buffer> {
  const right = { create: { width: width / 2, height, channels: 3, background: "#0000ff" } } as const;
  return sharp({ create: { width, height, channels: 3, background: "#ff0000" } })
    .composite([{ input: await sharp(right).png().toBuffer(), left: width / 2, top: 0 }])
    .jpeg({ quality: 95 })
    .toBuffer();
}

/** A lossless frame as raw samples have it: no decoder for pictures can show it. */
export const losslessJpeg = Buffer.concat([
  Buffer.from("ffd8ffc3000e0e138014c0020011000111000000", "hex").subarray(0, 18),
  Buffer.alloc(300, 0x55),
  Buffer.from("ffd9", "hex"),
]);

/** A value of a tag: numbers of 16 or 32 bits, bytes, where a blob begins, or where another directory begins. */
type Value =
  | { readonly shorts: readonly number[] }
  | { readonly longs: readonly number[] }
  | { readonly bytes: Buffer }
  | { readonly offsetOf: Buffer }
  | { readonly directories: readonly Tags[] };
export type Tags = Readonly<Record<number, Value | undefined>>;

export const short = (...shorts: number[]): Value => ({ shorts });
export const long = (...longs: number[]): Value => ({ longs });
export const at = (offsetOf: Buffer): Value => ({ offsetOf });
export const below = (...directories: Tags[]): Value => ({ directories });

/** A TIFF of a chain of directories, the first right behind the header, which may have a camera's own number and more bytes. */
export function tiffFile(
  chain: readonly Tags[],
  { magic = "II*\0", header = "", big = false }: { magic?: string; header?: string; big?: boolean } = {},
): Buffer {
  const pieces: Buffer[] = [];
  let length = 8 + header.length;
  const append = (piece: Buffer) => {
    const place = length;
    pieces.push(piece);
    length += piece.length;
    if (length % 2 === 1) {
      pieces.push(Buffer.alloc(1));
      length++;
    }
    return place;
  };
  const reserved = Buffer.alloc(2 + 12 * Object.values(chain[0]!).filter((value) => value).length + 4);
  const first = append(reserved);
  const two = (value: number) => {
    const piece = Buffer.alloc(2);
    big ? piece.writeUInt16BE(value) : piece.writeUInt16LE(value);
    return piece;
  };
  const four = (value: number) => {
    const piece = Buffer.alloc(4);
    big ? piece.writeUInt32BE(value) : piece.writeUInt32LE(value);
    return piece;
  };
  const entry = (tag: number, value: Value) => {
    const [type, count, content] =
      "shorts" in value
        ? [3, value.shorts.length, Buffer.concat(value.shorts.map(two))]
        : "bytes" in value
          ? [7, value.bytes.length, value.bytes]
          : "longs" in value
            ? [4, value.longs.length, Buffer.concat(value.longs.map(four))]
            : "offsetOf" in value
              ? [4, 1, four(append(value.offsetOf))]
              : [4, value.directories.length, Buffer.concat(value.directories.map((tags) => four(directory(tags, 0))))];
    const field =
      content.length > 4 ? four(append(content)) : Buffer.concat([content, Buffer.alloc(4 - content.length)]);
    return Buffer.concat([two(tag), two(type), four(count), field]);
  };
  function directory(tags: Tags, next: number): number {
    const entries = Object.entries(tags).flatMap(([tag, value]) => (value ? [entry(Number(tag), value)] : []));
    const whole = Buffer.concat([two(entries.length), ...entries, four(next)]);
    if (tags !== chain[0]) return append(whole);
    reserved.set(whole);
    return first;
  }
  // The last first, so that each knows where the next one is.
  chain.reduceRight((next, tags) => directory(tags, next), 0);
  return Buffer.concat([Buffer.from(magic, "latin1"), four(first), Buffer.from(header, "latin1"), ...pieces]);
}

/** A box of an ISO base media file. */
export function box(type: string, ...content: Buffer[]): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + content.reduce((sum, { length }) => sum + length, 0));
  head.write(type, 4, "latin1");
  return Buffer.concat([head, ...content]);
}

export function numbers(...values: number[]): Buffer {
  const piece = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) piece.writeUInt32BE(value, 4 * i);
  return piece;
}
