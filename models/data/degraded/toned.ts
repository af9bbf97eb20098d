import type { Random } from "../../../engine/random.ts";
import type { Picture } from "../pictures/decode.ts";

/** Weights of R, G and B in the luma (ITU-R BT.601). */
const lumaWeights = [0.299, 0.587, 0.114] as const;

/**
 * The picture as a faded print would show it: its colours gone or pale, its black and white no longer black and white, both of a
 * warm tone. How much of each is drawn: colours are left in three of ten pictures, black lies up to a fifth of the range above
 * 0 and white up to a quarter below its end.
 */
export function tonedPicture({ pixels, width, height }: Picture, random: Random): Picture {
  const black = 0.2 * random.uniform();
  const white = 0.75 + 0.25 * random.uniform();
  const warmth = 0.12 * random.uniform();
  const saturation = random.uniform() < 0.7 ? 0 : random.uniform();
  const lows = [black + warmth / 3, black, Math.max(0, black - warmth / 3)];
  const highs = [white, white - warmth / 2, white - 1.3 * warmth];
  const result = new Uint8Array(pixels.length);
  for (let i = 0; i < pixels.length; i += 3) {
    const luma = lumaWeights.reduce((sum, weight, c) => sum + weight * pixels[i + c]!, 0);
    for (let c = 0; c < 3; c++) {
      const value = (luma + saturation * (pixels[i + c]! - luma)) / 255;
      result[i + c] = Math.round(255 * (lows[c]! + value * (highs[c]! - lows[c]!)));
    }
  }
  return { pixels: result, width, height };
}
