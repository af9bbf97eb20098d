import type { Picture } from "../data/index.ts";

/** Side of a tile, pixels of the upright picture at its own size. */
const side = 64;
/** Tiles along each side of the grid, at most: some stand for all, so that the size of a picture costs nothing. */
const most = 8;
/** Half of the window of the second blur: 9 pixels, as in the source. */
const reach = 4;
/** Tiles whose neighbouring pixels differ by less on average, of 255, show a plain area and say nothing. */
const leastDifference = 0.5;
/** The sharpest tenth of the tiles: a sharp subject before a soft background is a sharp picture. */
const share = 0.9;

/**
 * How sharp the sharpest tenth of a picture is, 0 to 1: 1 − b with the perceptual blur b of Crete et al. 2007, "The blur effect: perception
 * and estimation with a new no-reference perceptual blur metric", Eq. 1 to 6 on luma, the larger of its two directions, of up to 8 x 8 tiles
 * of 64 pixels at original size. It is of the pixels as they are: compare pictures of like size. Noise and coarse JPEG blocks count as sharp. A plain area has 0.
 */
export function sharpnessOf({ width, height, pixels }: Picture): number {
  const [tileWidth, tileHeight] = [Math.min(side, width), Math.min(side, height)];
  const tile = new Float32Array(tileWidth * tileHeight);
  const found: number[] = [];
  for (const top of placesAlong(height, tileHeight)) {
    for (const left of placesAlong(width, tileWidth)) {
      for (let y = 0; y < tileHeight; y++) {
        for (let x = 0; x < tileWidth; x++) {
          const at = 3 * ((top + y) * width + left + x);
          // Rec. 601 luma.
          tile[y * tileWidth + x] = 0.299 * pixels[at]! + 0.587 * pixels[at + 1]! + 0.114 * pixels[at + 2]!;
        }
      }
      const across = kept(tile, { along: tileWidth, step: 1, lines: tileHeight, lineStep: tileWidth });
      const down = kept(tile, { along: tileHeight, step: tileWidth, lines: tileWidth, lineStep: 1 });
      const both = [across, down].filter((value) => value !== undefined);
      if (both.length > 0) found.push(Math.min(...both));
    }
  }
  if (found.length === 0) return 0;
  found.sort((a, b) => a - b);
  return found[Math.min(found.length - 1, Math.floor(share * found.length))]!;
}

/** Where tiles begin: evenly spread from one edge to the other, without overlap where there is room. */
function placesAlong(extent: number, tile: number): number[] {
  const count = Math.max(1, Math.min(most, Math.floor(extent / tile)));
  return Array.from({ length: count }, (_, i) =>
    count === 1 ? Math.floor((extent - tile) / 2) : Math.round((i * (extent - tile)) / (count - 1)),
  );
}

interface Direction {
  /** Pixels in its direction. */
  readonly along: number;
  readonly step: number;
  readonly lines: number;
  readonly lineStep: number;
}

/**
 * Share of the differences between neighbours that a mean over 9 pixels takes away, Σ max(0, D_F − D_B) / Σ D_F: much of a sharp tile, little of
 * one that is blurred already. Windows end at the tile. undefined where hardly any neighbours differ.
 */
function kept(tile: Float32Array, { along, step, lines, lineStep }: Direction): number | undefined {
  let [differences, lost] = [0, 0];
  const sums = new Float64Array(along + 1);
  for (let line = 0; line < lines; line++) {
    const start = line * lineStep;
    for (let i = 0; i < along; i++) sums[i + 1] = sums[i]! + tile[start + i * step]!;
    const mean = (i: number) => {
      const [from, to] = [Math.max(0, i - reach), Math.min(along, i + reach + 1)];
      return (sums[to]! - sums[from]!) / (to - from);
    };
    let before = mean(0);
    for (let i = 1; i < along; i++) {
      const own = Math.abs(tile[start + i * step]! - tile[start + (i - 1) * step]!);
      const next = mean(i);
      differences += own;
      lost += Math.max(0, own - Math.abs(next - before));
      before = next;
    }
  }
  if (differences < leastDifference * lines * Math.max(1, along - 1)) return undefined;
  return lost / differences;
}
