import { crc32, inflateSync } from "node:zlib";
import type { Cicp } from "../colours.ts";

/** What the chunks of a PNG say about its colours, each as the first whole chunk of its kind before the pixels says it. */
export interface PngColours {
  /** cICP: code points of ITU-T H.273. */
  readonly cicp?: Cicp & { readonly matrix: number; readonly range: number };
  /** iCCP: an ICC profile. */
  readonly profile?: Uint8Array;
  /** sRGB is there. */
  readonly isSrgb: boolean;
  /** gAMA: the exponent with which it was encoded, such as 0.45455. */
  readonly gamma?: number;
  /** cHRM: x and y of white, red, green and blue. */
  readonly chromaticities?: readonly number[];
}

/** A profile of more bytes is none that anybody makes for a PNG. */
const largestProfile = 0x1000000;
const lengths: Readonly<Record<string, number>> = { cICP: 4, sRGB: 1, gAMA: 4, cHRM: 32 };
const imageData = 0x49444154;
/** Types that are looked at, as the numbers that their letters make. */
const names = new Map(
  [...Object.keys(lengths), "iCCP"].map((name) => [Buffer.from(name, "latin1").readUInt32BE(), name]),
);

/**
 * Reads the chunks before the pixels. A chunk of a wrong length or with a wrong checksum counts as absent, as in browsers.
 * Source: W3C, Portable Network Graphics (third edition), sections 5.3 and 11.3.2.
 */
export function readPng(bytes: Uint8Array): PngColours {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = new Map<string, DataView>();
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const type = view.getUint32(at + 4);
    if (type === imageData || at + 12 + length > bytes.length) break;
    const name = names.get(type);
    const isUsable = name !== undefined && !found.has(name) && (lengths[name] ?? length) === length;
    if (isUsable && crc32(bytes.subarray(at + 4, at + 8 + length)) === view.getUint32(at + 8 + length))
      found.set(name, new DataView(bytes.buffer, bytes.byteOffset + at + 8, length));
    at += 12 + length;
  }
  const { cICP, iCCP, sRGB, gAMA, cHRM } = Object.fromEntries(found);
  const profile = iCCP && inflatedProfile(iCCP);
  return {
    ...(cICP && {
      cicp: {
        primaries: cICP.getUint8(0),
        transfer: cICP.getUint8(1),
        matrix: cICP.getUint8(2),
        range: cICP.getUint8(3),
      },
    }),
    ...(profile && { profile }),
    // Intents beyond the four mean nothing.
    isSrgb: sRGB !== undefined && sRGB.getUint8(0) < 4,
    ...(gAMA && { gamma: gAMA.getUint32(0) / 1e5 }),
    ...(cHRM && { chromaticities: Array.from({ length: 8 }, (_, i) => cHRM.getUint32(4 * i) / 1e5) }),
  };
}

/** What follows the name, which ends in 0, and a byte for the method. */
function inflatedProfile(chunk: DataView): Uint8Array | undefined {
  const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  try {
    return inflateSync(bytes.subarray(bytes.indexOf(0) + 2), { maxOutputLength: largestProfile });
  } catch {
    // Then it counts as absent.
    return undefined;
  }
}
