import { crc32, deflateSync } from "node:zlib";
import sharp from "sharp";
import { Random } from "../../../../../engine/random.ts";
import { decode } from "../../../../../models/data/pictures/decode.ts";

/** A picture with soft and busy parts, so that its files have something to lose everywhere. */
export function scene(width = 160, height = 120) {
  const random = new Random(5, "scene");
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    const wave = 110 + 60 * Math.sin(x / (9 + 4 * (i % 3))) + 50 * Math.cos(y / 11);
    return Math.max(0, Math.min(255, wave + random.integer(30)));
  });
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

/** Bytes of the picture that is decoded. */
export async function pixelsOf(file: Uint8Array): Promise<string> {
  const { width, height, pixels } = await decode(file);
  return `${width} x ${height} ${Buffer.from(pixels).toString("base64")}`;
}

export const join = (...parts: (Uint8Array | readonly number[] | string)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : Uint8Array.from(part))));

/** A file with bytes put in at a place. */
export const withBytes = (file: Buffer, at: number, bytes: Uint8Array | readonly number[] | string) =>
  join(file.subarray(0, at), bytes, file.subarray(at));

/** A file with bytes written over those at a place. */
export function over(file: Buffer, at: number, bytes: readonly number[] | Uint8Array): Buffer {
  const copy = Buffer.from(file);
  copy.set(bytes, at);
  return copy;
}

/** Where the first marker of a code stands in a JPEG that has no 0xFF in its header but in markers. */
export const markerAt = (jpeg: Buffer, code: number, from = 2) => jpeg.indexOf(Buffer.from([0xff, code]), from);

/** A segment of a JPEG. */
export function segment(code: number, data: Uint8Array | readonly number[] | string): Buffer {
  const body = join(data);
  return join([0xff, code, (body.length + 2) >> 8, (body.length + 2) & 255], body);
}

/** The entropy-coded data of a baseline JPEG, without its EOI. */
function scanData(jpeg: Buffer): Buffer {
  const at = markerAt(jpeg, 0xda);
  return jpeg.subarray(at + 2 + jpeg.readUInt16BE(at + 2), -2);
}

/** A baseline JPEG with a restart marker behind each row of blocks, made of JPEGs of its rows. */
export async function jpegWithRestarts(width = 160, height = 120): Promise<Buffer> {
  const raw = await scene(width, height).raw().toBuffer();
  const rows = Array.from({ length: height / 8 }, (_, i) => {
    const strip = raw.subarray(i * 8 * width * 3, (i + 1) * 8 * width * 3);
    const image = sharp(strip, { raw: { width, height: 8, channels: 3 } });
    return image.jpeg({ quality: 85, chromaSubsampling: "4:4:4", optimiseCoding: false }).toBuffer();
  });
  const strips = await Promise.all(rows);
  const first = strips[0]!;
  const sos = markerAt(first, 0xda);
  const header = Buffer.from(first.subarray(0, sos + 2 + first.readUInt16BE(sos + 2)));
  header.writeUInt16BE(height, markerAt(header, 0xc0) + 5);
  const data = strips.map((strip, i) => join(i === 0 ? [] : [0xff, 0xd0 + ((i - 1) & 7)], scanData(strip)));
  const interval = segment(0xdd, [0, width / 8]);
  return join(header.subarray(0, sos), interval, header.subarray(sos), ...data, [0xff, 0xd9]);
}

/** A JPEG with another one behind it, as Ultra HDR and MPO files have. */
export function withSecondPicture(first: Buffer, second: Buffer): Buffer {
  const xmp =
    'http://ns.adobe.com/xap/1.0/\0<rdf:RDF xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/>';
  const index = join(
    ...["MPF\0MM\0*", [0, 0, 0, 8, 0, 3], [0xb0, 0, 0, 7, 0, 0, 0, 4], "0100", [0xb0, 1, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2]],
    ...[[0xb0, 2, 0, 7, 0, 0, 0, 32, 0, 0, 0, 50], [0, 0, 0, 0], new Uint8Array(32)],
  );
  return join(withBytes(first, 2, join(segment(0xe1, xmp), segment(0xe2, index))), second);
}

export function chunk(type: string, data: Uint8Array | string, sound = true): Buffer {
  const named = join(type, data);
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32BE(named.length - 4);
  numbers.writeUInt32BE((crc32(named) ^ (sound ? 0 : 1)) >>> 0, 4);
  return join(numbers.subarray(0, 4), named, numbers.subarray(4));
}

/** Where a PNG's first data begins, with the length in front. */
export const dataOf = (png: Buffer) => png.indexOf("IDAT") - 4;

export interface Tag {
  readonly tag: number;
  /** 2: text, 3: 16 bits, 4: 32 bits, 5: fractions, 7: bytes. */
  readonly type: number;
  readonly count: number;
  /** A number, or bytes that stand elsewhere. */
  readonly value: number | Uint8Array;
}

/** A TIFF of one strip of RGB, little-endian, deflate by default, with other tags besides. */
export async function tiff(more: readonly Tag[] = [], { compression = 8, sorted = true, next = 0 } = {}) {
  const [width, height] = [64, 48];
  const raw = await scene(width, height).raw().toBuffer();
  const strip = compression === 8 ? deflateSync(raw) : raw;
  const number = (tag: number, value: number, type = 4): Tag => ({ tag, type, count: 1, value });
  const own = [number(256, width), number(257, height), number(259, compression, 3), number(262, 2, 3)];
  own.push({ tag: 258, type: 3, count: 3, value: Buffer.from([8, 0, 8, 0, 8, 0]) }, number(273, 8), number(277, 3, 3));
  own.push(number(278, height), number(279, strip.length), number(284, 1, 3));
  const tags = [...own.filter(({ tag }) => more.every((other) => other.tag !== tag)), ...more];
  if (sorted) tags.sort((a, b) => a.tag - b.tag);
  const start = 8 + strip.length;
  const directory = Buffer.alloc(2 + 12 * tags.length + 4);
  directory.writeUInt16LE(tags.length);
  directory.writeUInt32LE(next, directory.length - 4);
  const elsewhere: Uint8Array[] = [];
  let end = start + directory.length;
  tags.forEach(({ tag, type, count, value }, i) => {
    const at = 2 + 12 * i;
    directory.writeUInt16LE(tag, at);
    directory.writeUInt16LE(type, at + 2);
    directory.writeUInt32LE(count, at + 4);
    directory.writeUInt32LE(typeof value === "number" ? value : end, at + 8);
    if (typeof value === "number") return;
    elsewhere.push(value);
    end += value.length;
  });
  const header = Buffer.from([0x49, 0x49, 42, 0, 0, 0, 0, 0]);
  header.writeUInt32LE(start, 4);
  return { file: join(header, strip, directory, ...elsewhere), strip: { at: 8, length: strip.length } };
}
