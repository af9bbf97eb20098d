import { PictureError, type PictureReason, pixelWords } from "./picture-error.ts";

/** Samples of a BMP file, by rows from the top. */
export interface BmpPicture {
  readonly width: number;
  readonly height: number;
  /** 3: R, G, B; 4: with alpha behind, not multiplied. */
  readonly channels: 3 | 4;
  /** [height, width, channels], 0-255. */
  readonly samples: Uint8Array;
  /** The ICC profile that is embedded. */
  readonly profile?: Uint8Array;
}

/** What a file's header says. */
interface Header {
  readonly width: number;
  readonly height: number;
  /** Whether the first stored row is the top one. */
  readonly topDown: boolean;
  readonly bits: number;
  /** Bytes of a stored row: whole groups of four. */
  readonly stride: number;
  /** Where the pixels start. */
  readonly offset: number;
  /** R, G, B of each colour index, for up to 8 bits a pixel. */
  readonly palette: Uint8Array;
  /** Which bits of a pixel are red, green, blue and alpha, for 16 and 32 bits. */
  readonly masks: readonly [number, number, number, number];
}

/** Bytes of the file header. */
const fileHeader = 14;
const compressions = ["none", "RLE8", "RLE4", "bit fields", "JPEG", "PNG", "bit fields with alpha"];
const [none, bitFields, alphaBitFields] = [0, 3, 6];
/** Bytes of BITMAPV4HEADER and BITMAPV5HEADER. */
const [longHeader, longestHeader] = [108, 124];
/** "MBED": where a profile lies is said. */
const embeddedProfile = 0x4d424544;
const usualAlpha = 0xff000000;

/** Whether bytes begin as a BMP file does. */
export function isBmp(bytes: Uint8Array): boolean {
  return bytes[0] === 0x42 && bytes[1] === 0x4d;
}

/**
 * Decodes a BMP file: 1, 4 and 8 bits by a palette, 16 and 32 bits by masks, 24 bits; from the bottom row or the top row; with
 * the headers of OS/2 1, Windows 3 and those that grew from it. Of colours only an embedded profile is looked for, as in browsers.
 * An alpha channel that is 0 everywhere is one that the writer left empty, and is taken for none.
 * @param path stands for the file in errors
 * @param maxPixels pictures with more are refused before memory is taken for them
 * @throws PictureError "truncated", "damaged", "not-a-picture" for a header that makes no sense, "too-large", "unsupported" for
 * run lengths, JPEG and PNG inside
 *
 * Source: Microsoft, "Bitmap Storage": BITMAPFILEHEADER, BITMAPCOREHEADER, BITMAPINFOHEADER, BITMAPV5HEADER.
 */
export function decodeBmp(bytes: Uint8Array, path: string, maxPixels: number): BmpPicture {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const profile = readEmbedded(view);
    return { ...decodePixels(bytes, readHeader(view), maxPixels), ...(profile && { profile }) };
  } catch (error) {
    if (error instanceof Refusal) throw new PictureError(path, error.reason, error.message);
    throw error;
  }
}

function decodePixels(bytes: Uint8Array, header: Header, maxPixels: number): BmpPicture {
  const { width, height, bits, stride, offset, masks } = header;
  if (width * height > maxPixels) throw new Refusal("too-large", pixelWords(width, height, maxPixels));
  const missing = offset + stride * height - bytes.length;
  if (missing > 0) throw new Refusal("truncated", `The last ${missing} bytes of the BMP's pixels are missing.`);
  if (bits <= 8) return { width, height, channels: 3, samples: byPalette(bytes, header) };
  if (bits === 24) return { width, height, channels: 3, samples: inTriples(bytes, header) };
  const samples = byMasks(bytes, header);
  return masks[3]
    ? { width, height, channels: 4, samples: opaqueIfEmpty(samples) }
    : { width, height, channels: 3, samples };
}

/** The ICC profile that the longest header points at, counted from where that begins. */
function readEmbedded(view: DataView): Uint8Array | undefined {
  if (view.byteLength < fileHeader + longestHeader || view.getUint32(14, true) !== longestHeader) return undefined;
  if (view.getUint32(fileHeader + 56, true) !== embeddedProfile) return undefined;
  const [start, length] = [112, 116].map((at) => view.getUint32(fileHeader + at, true)) as [number, number];
  const from = fileHeader + start;
  if (from + length > view.byteLength) return undefined;
  return new Uint8Array(view.buffer, view.byteOffset + from, length);
}

/** Why a file is refused. */
class Refusal extends Error {
  readonly reason: PictureReason;

  constructor(reason: PictureReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

function readHeader(view: DataView): Header {
  expectBytes(view, fileHeader + 12, "header");
  const size = view.getUint32(14, true);
  const isCore = size === 12;
  if (!isCore && (size < 40 || size > 1024)) throw new Refusal("not-a-picture", `A BMP header has no ${size} bytes.`);
  expectBytes(view, fileHeader + size, "header");
  const width = isCore ? view.getUint16(18, true) : view.getInt32(18, true);
  const rows = isCore ? view.getUint16(20, true) : view.getInt32(22, true);
  const bits = view.getUint16(isCore ? 24 : 28, true);
  const compression = isCore ? none : view.getUint32(30, true);
  if (width <= 0 || rows === 0) throw new Refusal("not-a-picture", `Its BMP header has ${width} x ${rows} pixels.`);
  expectKnown(bits, compression);
  const { masks, end } = readMasks(view, size, bits, compression);
  const used = isCore ? 0 : view.getUint32(46, true);
  const palette = bits <= 8 ? readPalette(view, end, { bits, used, bytesEach: isCore ? 3 : 4 }) : new Uint8Array();
  const offset = view.getUint32(10, true);
  if (offset < end) throw new Refusal("damaged", `The BMP's pixels start at byte ${offset}, within its header.`);
  const stride = 4 * Math.ceil((width * bits) / 32);
  return { width, height: Math.abs(rows), topDown: rows < 0, bits, stride, offset, palette, masks };
}

function expectBytes(view: DataView, count: number, what: string): void {
  if (view.byteLength < count) throw new Refusal("truncated", `The BMP ends within its ${what}.`);
}

function expectKnown(bits: number, compression: number): void {
  const name = compressions[compression] ?? `${compression}`;
  const isPlain = compression === none;
  if (!isPlain && compression !== bitFields && compression !== alphaBitFields)
    throw new Refusal("unsupported", `It is a BMP with the compression ${name}.`);
  if (!(isPlain ? [1, 4, 8, 16, 24, 32] : [16, 32]).includes(bits))
    throw new Refusal("not-a-picture", `Its BMP header has ${bits} bits a pixel with compression ${name}.`);
}

/** Masks of the colours: the standard ones, or those that stand in a long header or behind a short one; and where that ends. */
function readMasks(view: DataView, size: number, bits: number, compression: number) {
  const end = fileHeader + size;
  if (compression === none) {
    // Browsers take the alpha that a long header tells of, though its masks do not count without bit fields.
    const hasAlpha = bits === 32 && size >= longHeader && view.getUint32(fileHeader + 52, true) === usualAlpha;
    const colours = bits === 16 ? ([0x7c00, 0x3e0, 0x1f] as const) : ([0xff0000, 0xff00, 0xff] as const);
    return { masks: [...colours, hasAlpha ? usualAlpha : 0] as const, end };
  }
  const hasAlpha = compression === alphaBitFields || size >= 56;
  const masksEnd = fileHeader + 40 + (hasAlpha ? 16 : 12);
  expectBytes(view, masksEnd, "colour masks");
  const mask = (i: number) => view.getUint32(fileHeader + 40 + 4 * i, true);
  return { masks: [mask(0), mask(1), mask(2), hasAlpha ? mask(3) : 0] as const, end: Math.max(end, masksEnd) };
}

/** Colours are B, G, R, and but for OS/2 1 a byte that means nothing. Gives R, G, B. */
function readPalette(
  view: DataView,
  at: number,
  { bits, used, bytesEach }: { readonly bits: number; readonly used: number; readonly bytesEach: number },
): Uint8Array {
  const count = Math.min(used || 2 ** bits, 2 ** bits);
  expectBytes(view, at + count * bytesEach, "palette");
  return Uint8Array.from({ length: 3 * count }, (_, i) =>
    view.getUint8(at + Math.floor(i / 3) * bytesEach + 2 - (i % 3)),
  );
}

/** Where stored row `row`, from the top of the picture, starts. */
function rowStart({ offset, stride, height, topDown }: Header, row: number): number {
  return offset + stride * (topDown ? row : height - 1 - row);
}

function byPalette(bytes: Uint8Array, header: Header): Uint8Array {
  const { width, height, bits, palette } = header;
  const samples = new Uint8Array(3 * width * height);
  const perByte = 8 / bits;
  let at = 0;
  for (let row = 0; row < height; row++) {
    const start = rowStart(header, row);
    for (let x = 0; x < width; x++, at += 3) {
      const shift = 8 - bits * (1 + (x % perByte));
      const index = (bytes[start + Math.floor(x / perByte)]! >> shift) & (2 ** bits - 1);
      if (3 * index >= palette.length)
        throw new Refusal(
          "damaged",
          `Row ${row} of the BMP has colour ${index} of a palette of ${palette.length / 3}.`,
        );
      samples[at] = palette[3 * index]!;
      samples[at + 1] = palette[3 * index + 1]!;
      samples[at + 2] = palette[3 * index + 2]!;
    }
  }
  return samples;
}

function inTriples(bytes: Uint8Array, header: Header): Uint8Array {
  const { width, height } = header;
  const samples = new Uint8Array(3 * width * height);
  let at = 0;
  for (let row = 0; row < height; row++) {
    let from = rowStart(header, row);
    for (let x = 0; x < width; x++, at += 3, from += 3) {
      samples[at] = bytes[from + 2]!;
      samples[at + 1] = bytes[from + 1]!;
      samples[at + 2] = bytes[from]!;
    }
  }
  return samples;
}

function byMasks(bytes: Uint8Array, header: Header): Uint8Array {
  const { width, height, bits, masks } = header;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields = masks.slice(0, masks[3] ? 4 : 3).map(fieldOf);
  const samples = new Uint8Array(fields.length * width * height);
  let at = 0;
  for (let row = 0; row < height; row++) {
    const start = rowStart(header, row);
    for (let x = 0; x < width; x++) {
      const pixel = bits === 16 ? view.getUint16(start + 2 * x, true) : view.getUint32(start + 4 * x, true);
      for (const { shift, largest } of fields)
        samples[at++] = Math.round((((pixel >>> shift) & largest) * 255) / largest);
    }
  }
  return samples;
}

/** Where a field lies in a pixel, and its largest value. */
function fieldOf(mask: number): { readonly shift: number; readonly largest: number } {
  const shift = mask === 0 ? 0 : 31 - Math.clz32(mask & -mask);
  const largest = mask >>> shift;
  // A run of ones and one more is a power of two.
  if (mask === 0 || largest > 0xffff || (largest & (largest + 1)) !== 0)
    throw new Refusal("not-a-picture", `The colour mask 0x${mask.toString(16)} of its BMP header is no run of bits.`);
  return { shift, largest };
}

/** RGBA, opaque when every alpha is 0. */
function opaqueIfEmpty(samples: Uint8Array): Uint8Array {
  for (let i = 3; i < samples.length; i += 4) if (samples[i] !== 0) return samples;
  for (let i = 3; i < samples.length; i += 4) samples[i] = 255;
  return samples;
}
