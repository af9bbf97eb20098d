import { crc32, deflateSync, gzipSync } from "node:zlib";
import sharp from "sharp";

/** Small files that take much to decode, by what they are; some take seconds to make. */
export const costlyPictures: Readonly<Record<string, () => Uint8Array | Promise<Uint8Array>>> = {
  "PNG 50,000,000 x 1, 16 bits, RGBA": () => png(50_000_000, 1, { depth: 16, colour: 6 }),
  "PNG 1 x 50,000,000": () => png(1, 50_000_000, { depth: 8, colour: 2 }),
  "PNG 12,000,000 x 1": () => png(12_000_000, 1, { depth: 1, colour: 0 }),
  "PNG 7,000 x 7,000, 16 bits, RGBA": () => png(7_000, 7_000, { depth: 16, colour: 6 }),
  "JPEG of 800 scans": () => manyScans(800),
  "AVIF of 49 megapixels": () => flatAvif(7_000),
  "SVG, gzip": () =>
    gzipSync(`<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">${"<g/>".repeat(4_000_000)}</svg>`),
  "screenshot 1080 x 25,000": () => png(1_080, 25_000, { depth: 8, colour: 2 }),
};

/** A whole PNG of one colour. @param form bits of a sample, and PNG's number for the kind of colour */
function png(width: number, height: number, form: { readonly depth: number; readonly colour: 0 | 2 | 6 }): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = form.depth;
  header[9] = form.colour;
  const samples = { 0: 1, 2: 3, 6: 4 }[form.colour];
  const rows = deflateSync(Buffer.alloc(height * (1 + Math.ceil((width * samples * form.depth) / 8))), { level: 9 });
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", rows), chunk("IEND", Buffer.alloc(0))]);
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, check]);
}

/**
 * A grey progressive JPEG, whole and right, that comes in as many scans as one asks for, up to 883: one for the constant part of the blocks, and one for
 * each bit of each other coefficient, all of which are 0.
 * @param side pixels, a multiple of 8
 */
export async function manyScans(scans: number, side = 8_000): Promise<Uint8Array> {
  const image = sharp({ create: { width: side, height: side, channels: 3, background: "grey" } }).toColourspace("b-w");
  const jpeg = await image.jpeg({ progressive: true, optimiseScans: false }).toBuffer();
  const [first = 0, second = 0] = startsOfScans(jpeg);
  const tables = jpeg.lastIndexOf(Buffer.from([0xff, 0xc4]), second);
  const end = tables > first ? tables : second;
  // A Huffman table of one code, 0, for a run of 16384 blocks or more without coefficients; 14 bits say how many more.
  const table = Buffer.from([0xff, 0xc4, 0, 20, 0x10, 1, ...new Array(15).fill(0), 0xe0]);
  const data = emptyBlocks((side / 8) ** 2);
  const others = Array.from({ length: scans - 1 }, (_, i) => {
    const [coefficient, bit] = [1 + Math.floor(i / 14), 13 - (i % 14)];
    const approximation = bit === 13 ? 13 : ((bit + 1) << 4) | bit;
    return Buffer.concat([Buffer.from([0xff, 0xda, 0, 8, 1, 1, 0, coefficient, coefficient, approximation]), data]);
  });
  return Buffer.concat([jpeg.subarray(0, end), table, ...others, Buffer.from([0xff, 0xd9])]);
}

function startsOfScans(jpeg: Buffer): number[] {
  const starts: number[] = [];
  for (let at = jpeg.indexOf(0xff); at >= 0; at = jpeg.indexOf(0xff, at + 1))
    if (jpeg[at + 1] === 0xda) starts.push(at);
  return starts;
}

/** The data of a scan in which so many blocks have no coefficients. */
function emptyBlocks(count: number): Buffer {
  let bits = "";
  for (let left = count; left > 0; ) {
    const run = Math.min(left, 32_767);
    if (run < 16_384) throw new RangeError(`runs of 16384 to 32767 blocks do not make up ${count}`);
    // What is left must be enough for a run of its own.
    const taken = left - run > 0 && left - run < 16_384 ? run - 16_384 + (left - run) : run;
    bits += `0${(taken - 16_384).toString(2).padStart(14, "0")}`;
    left -= taken;
  }
  const bytes: number[] = [];
  for (let at = 0; at < bits.length; at += 8) {
    const byte = Number.parseInt(bits.slice(at, at + 8).padEnd(8, "1"), 2);
    bytes.push(byte, ...(byte === 0xff ? [0] : []));
  }
  return Buffer.from(bytes);
}

async function flatAvif(side: number): Promise<Uint8Array> {
  const image = sharp({ create: { width: side, height: side, channels: 3, background: "teal" } });
  return image.avif({ effort: 0, quality: 1 }).toBuffer();
}
