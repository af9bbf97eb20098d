import { crc32, deflateSync } from "node:zlib";

/** A chunk of a PNG. */
export function chunk(type: string, data: Uint8Array | readonly number[]): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), Uint8Array.from(data)]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

export const cicp = (primaries: number, transfer: number, matrix = 0, range = 1) =>
  chunk("cICP", [primaries, transfer, matrix, range]);
export const gama = (gamma: number) => chunk("gAMA", bigEndian([gamma]));
export const chrm = (points: readonly number[]) =>
  chunk("cHRM", bigEndian(points.map((value) => Math.round(value * 1e5))));
export const srgb = () => chunk("sRGB", [0]);
export const iccp = (profile: Uint8Array) =>
  chunk("iCCP", Buffer.concat([Buffer.from("x\0\0", "latin1"), deflateSync(profile)]));

function bigEndian(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i);
  return bytes;
}

/** Samples of a picture, by rows: 0-255, or 0-65535 for 16 bits. */
export interface Grid {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 2 | 3 | 4;
  readonly bits: 8 | 16;
  readonly values: readonly number[];
}

/** A PNG with chunks between header and pixels. Channels: grey, grey and alpha, RGB, RGBA. */
export function pngFile({ width, height, channels, bits, values }: Grid, chunks: readonly Uint8Array[] = []): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([bits, [0, 0, 4, 2, 6][channels]!], 8);
  const rows = Array.from({ length: height }, (_, y) => {
    const row = values.slice(y * width * channels, (y + 1) * width * channels);
    return [0, ...(bits === 8 ? row : row.flatMap((value) => [value >> 8, value & 255]))];
  });
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    ...chunks,
    chunk("IDAT", deflateSync(Uint8Array.from(rows.flat()))),
    chunk("IEND", []),
  ]);
}

/** Values of TIFF tags: shorts, or what is given as typed. */
export type TiffTags = Readonly<Record<number, readonly number[] | Uint8Array>>;

/** An uncompressed TIFF of one strip, little-endian. Of the tags only width, height and the strip have a default. */
export function tiffFile(width: number, height: number, data: Uint8Array, tags: TiffTags): Buffer {
  const all: TiffTags = {
    256: [width],
    257: [height],
    259: [1],
    273: [8],
    278: [height],
    279: [data.length],
    ...tags,
  };
  const directory = 8 + data.length + (data.length % 2);
  const numbers = Object.keys(all).map(Number);
  let behind = directory + 2 + 12 * numbers.length + 4;
  const tails: Buffer[] = [];
  const entries = numbers.map((tag) => {
    const values = all[tag]!;
    const isBytes = values instanceof Uint8Array;
    const isLong = !isBytes && values.some((value) => value > 0xffff);
    const size = isBytes ? 1 : isLong ? 4 : 2;
    const content = Buffer.alloc(Math.max(4, size * values.length));
    for (const [i, value] of values.entries()) content.writeUIntLE(value, size * i, size);
    const entry = Buffer.alloc(12);
    entry.writeUInt16LE(tag, 0);
    entry.writeUInt16LE(isBytes ? 7 : isLong ? 4 : 3, 2);
    entry.writeUInt32LE(values.length, 4);
    if (content.length === 4) entry.set(content, 8);
    else {
      entry.writeUInt32LE(behind, 8);
      tails.push(content, Buffer.alloc(content.length % 2));
      behind += content.length + (content.length % 2);
    }
    return entry;
  });
  const head = Buffer.from("II\x2a\0\0\0\0\0", "latin1");
  head.writeUInt32LE(directory, 4);
  const count = Buffer.alloc(2);
  count.writeUInt16LE(numbers.length);
  return Buffer.concat([head, data, Buffer.alloc(data.length % 2), count, ...entries, Buffer.alloc(4), ...tails]);
}

/** An ICC profile, display class, with the given tags. */
export function profileFile(
  space: "RGB " | "GRAY",
  tags: Readonly<Record<string, Uint8Array>>,
  connection = "XYZ ",
): Buffer {
  const head = Buffer.alloc(128);
  head.set([2, 0x10], 8);
  head.write(`mntr${space}${connection}`, 12, "latin1");
  head.write("acsp", 36, "latin1");
  head.set(bigEndian([0xf6d6, 0x10000, 0xd32d]), 68);
  const all = Object.entries({ wtpt: xyz(0.9642, 1, 0.8249), ...tags });
  let at = 132 + 12 * all.length;
  const table = all.map(([name, data]) => {
    const entry = Buffer.concat([Buffer.from(name, "latin1"), bigEndian([at, data.length])]);
    at += data.length;
    return entry;
  });
  const whole = Buffer.concat([head, bigEndian([all.length]), ...table, ...all.map(([, data]) => data)]);
  whole.writeUInt32BE(whole.length, 0);
  return whole;
}

/** A profile's curve of a power. */
export function powerCurve(exponent: number): Buffer {
  return Buffer.concat([
    Buffer.from("curv\0\0\0\0\0\0\0\x01", "latin1"),
    Buffer.from([Math.floor(exponent), Math.round((exponent % 1) * 256), 0, 0]),
  ]);
}

/** A profile's colour. */
export function xyz(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.write("XYZ ", 0, "latin1");
  for (const [i, value] of values.entries()) bytes.writeInt32BE(Math.round(value * 65536), 8 + 4 * i);
  return bytes;
}
