import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { onDisk } from "../files/file-name.ts";
import { type Decoding, decode } from "../pictures/decode.ts";
import { kindOf } from "../pictures/kind.ts";
import { PictureError } from "../pictures/picture-error.ts";

/** Side of the grey thumbnail. */
export const side = 9;
/** 32-bit words of a perceptual hash of 128 bits. */
export const hashWords = 4;

/** What inspection keeps of a picture: about 250 bytes, whatever its size. */
export interface Fingerprint {
  readonly width: number;
  readonly height: number;
  /** Format: "jpeg", "png", … */
  readonly format: string;
  /** SHA-256 of the file. */
  readonly sha256: string;
  /** Which of two neighbours is brighter in the thumbnail: 64 bits from left to right, 64 from top to bottom. */
  readonly hash: Uint32Array;
  /** The grey thumbnail with mean 0 and length 1, [9, 9]; all 0 when the picture is one tone. */
  readonly thumbnail: Float32Array;
}

/** Standard deviation of a thumbnail, in grey levels, below which a picture has nothing to be recognised by. */
const flatDeviation = 2;

/**
 * Decodes a picture once, completely.
 * @throws PictureError when the file is missing or broken
 */
export async function fingerprint(path: string, decoding: Decoding = {}): Promise<Fingerprint> {
  const bytes = await readFile(onDisk(path)).catch((error: Error) => {
    throw new PictureError(path, "unreadable", error.message, { cause: error });
  });
  const { width, height, pixels } = await decode(bytes, { ...decoding, name: path });
  const kind = kindOf(bytes);
  const format = kind && "format" in kind ? kind.format : "unknown";
  const grey = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .resize(side, side, { fit: "fill" })
    .greyscale()
    .raw()
    .toBuffer();
  return {
    width,
    height,
    format,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    hash: differenceHash(grey),
    thumbnail: normalised(grey),
  };
}

/** 8 x 8 signs of horizontal differences, then as many of vertical ones. grey: [9, 9]. */
export function differenceHash(grey: Uint8Array): Uint32Array {
  const hash = new Uint32Array(hashWords);
  for (let bit = 0; bit < 128; bit++) {
    const [row, column] = [(bit >> 3) & 7, bit & 7];
    const at = row * side + column;
    const next = bit < 64 ? at + 1 : at + side;
    if (grey[at]! > grey[next]!) hash[bit >> 5]! |= 1 << (bit & 31);
  }
  return hash;
}

function normalised(grey: Uint8Array): Float32Array {
  const mean = grey.reduce((a, b) => a + b, 0) / grey.length;
  const length = Math.sqrt(grey.reduce((sum, value) => sum + (value - mean) ** 2, 0));
  if (length < flatDeviation * Math.sqrt(grey.length)) return new Float32Array(grey.length);
  return Float32Array.from(grey, (value) => (value - mean) / length);
}
