import sharp, { type Sharp } from "sharp";
import type { Picture } from "../data/index.ts";
import { outlineOf, smallSide } from "./likeness.ts";
import { hashSide, type PerceptualHash, perceptualHash } from "./perceptual-hash.ts";
import { type Grey, halved, type Sharpness, sharpnessOf } from "./sharpness.ts";

/** What culling keeps of a picture's pixels: 2 kB, whatever its size. */
export interface Look {
  /** Pixels, upright. */
  readonly width: number;
  readonly height: number;
  readonly hash: PerceptualHash;
  /** Ranks of the pixels of a copy of 24 x 24, as {@link outlineOf} gives them. */
  readonly outline: Int8Array;
  /** Mean of the luminance of that copy, 0 to 1. */
  readonly brightness: number;
  /** Its standard deviation. */
  readonly contrast: number;
  /** At falling scales, each half of the one before. */
  readonly sharpness: readonly Sharpness[];
  /** Share of pixels that are white in all channels, 0 to 1. */
  readonly overexposed: number;
  /** Share of pixels that are black in all channels, 0 to 1. */
  readonly underexposed: number;
  /** Steps of brightness at the borders of 8 x 8 blocks over those elsewhere; about 1 where no block shows. */
  readonly blocking: number;
}

/** Longer side of the largest scale at which sharpness is compared, pixels. */
const largestScale = 1536;
/** Longer side of the smallest. */
const smallestScale = 96;
/** Values from which on, and up to which, all channels of a clipped pixel are. */
const [white, black] = [252, 3];
/** Pixels looked at for clipping, about. */
const samples = 250_000;

/**
 * Looks at a decoded picture.
 * @param size its size in pixels, where it was shrunk
 */
export async function lookAt(picture: Picture, size: Pick<Picture, "width" | "height"> = picture): Promise<Look> {
  const { width, height } = picture;
  const isWhole = width === size.width && height === size.height;
  const pipeline = () =>
    sharp(picture.pixels, { raw: { width, height, channels: 3 }, limitInputPixels: false }).toColourspace("srgb");
  const [hashed, small, scales] = await Promise.all([
    pipeline().resize(hashSide, hashSide, { fit: "fill", kernel: "cubic" }).greyscale().raw().toBuffer(),
    pipeline().resize(smallSide, smallSide, { fit: "fill", kernel: "cubic" }).raw().toBuffer(),
    scalesOf(pipeline),
  ]);
  return {
    width: size.width,
    height: size.height,
    hash: perceptualHash(hashed),
    outline: outlineOf(small),
    ...tonesOf(small),
    sharpness: scales.map(sharpnessOf),
    ...clippedOf(picture),
    // Blocks of a shrunk picture are no longer of 8 pixels.
    blocking: isWhole ? blockingOf(picture) : 1,
  };
}

async function scalesOf(pipeline: () => Sharp): Promise<Grey[]> {
  const { data, info } = await pipeline()
    .resize(largestScale, largestScale, { fit: "inside", withoutEnlargement: true, kernel: "cubic" })
    .greyscale()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const scales: Grey[] = [{ width: info.width, height: info.height, values: data }];
  for (;;) {
    const last = scales.at(-1)!;
    if (Math.max(last.width, last.height) < 2 * smallestScale || Math.min(last.width, last.height) < 32) return scales;
    scales.push(halved(last));
  }
}

function tonesOf(small: Uint8Array): Pick<Look, "brightness" | "contrast"> {
  const count = small.length / 3;
  let [sum, squares] = [0, 0];
  for (let i = 0; i < small.length; i += 3) {
    const luminance = (0.2126 * small[i]! + 0.7152 * small[i + 1]! + 0.0722 * small[i + 2]!) / 255;
    sum += luminance;
    squares += luminance ** 2;
  }
  return { brightness: sum / count, contrast: Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2)) };
}

function clippedOf({ width, height, pixels }: Picture): Pick<Look, "overexposed" | "underexposed"> {
  const count = width * height;
  // An odd step does not keep to columns of an even width.
  const step = Math.max(1, Math.floor(count / samples)) | 1;
  let [seen, over, under] = [0, 0, 0];
  for (let i = 0; i < count; i += step) {
    const [r, g, b] = [pixels[3 * i]!, pixels[3 * i + 1]!, pixels[3 * i + 2]!];
    if (r >= white && g >= white && b >= white) over++;
    else if (r <= black && g <= black && b <= black) under++;
    seen++;
  }
  return { overexposed: over / seen, underexposed: under / seen };
}

/** Rows, and columns, that blocks are looked for in. */
const lines = 256;

/**
 * How much steps at the borders of the blocks of a JPEG stand out (after Wang, Sheikh and Bovik, No-Reference Perceptual Quality Assessment of JPEG Compressed
 * Images, ICIP 2002), in green, at original size.
 */
function blockingOf({ width, height, pixels }: Picture): number {
  let [border, borders, inner, inners] = [0, 0, 0, 0];
  const walk = (count: number, length: number, at: (line: number, i: number) => number) => {
    const step = Math.max(1, Math.floor(count / lines)) | 1;
    for (let line = 0; line < count; line += step) {
      for (let i = 0; i + 1 < length; i++) {
        const difference = Math.abs(pixels[at(line, i + 1)]! - pixels[at(line, i)]!);
        if (i % 8 === 7) {
          border += difference;
          borders++;
        } else {
          inner += difference;
          inners++;
        }
      }
    }
  };
  walk(height, width, (y, x) => 3 * (y * width + x) + 1);
  walk(width, height, (x, y) => 3 * (y * width + x) + 1);
  return borders > 0 && inner > 0 ? border / borders / (inner / inners) : 1;
}
