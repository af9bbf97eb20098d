import type { Picture } from "../../data/index.ts";

/** Numbers of a picture by rows. */
export interface Plane {
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
}

/** What the statistics are computed from, all whole numbers. */
export interface Planes {
  /** Luma of ITU-R BT.601 rounded to 0 … 255. */
  readonly luma: Plane;
  /** B and R less the luma. */
  readonly blue: Plane;
  readonly red: Plane;
}

/** The luma of a picture and its differences of colour; whole numbers, so that they are the same on every machine. */
export function planesOf({ pixels, width, height }: Picture): Planes {
  const plane = (): Plane => ({ width, height, values: new Float32Array(width * height) });
  const [luma, blue, red] = [plane(), plane(), plane()];
  for (let i = 0, at = 0; i < luma.values.length; i++, at += 3) {
    const r = pixels[at]!;
    const g = pixels[at + 1]!;
    const b = pixels[at + 2]!;
    const y = ((299 * r + 587 * g + 114 * b + 500) / 1000) | 0;
    luma.values[i] = y;
    blue.values[i] = b - y;
    red.values[i] = r - y;
  }
  return { luma, blue, red };
}

/** Means of 2 x 2 pixels; an odd row or column at the end is left out. */
export function halved({ width, height, values }: Plane): Plane {
  const half = { width: width >> 1, height: height >> 1 };
  const means = new Float32Array(half.width * half.height);
  for (let y = 0; y < half.height; y++) {
    let at = 2 * y * width;
    for (let x = 0; x < half.width; x++, at += 2) {
      const sum = values[at]! + values[at + 1]! + values[at + width]! + values[at + width + 1]!;
      means[y * half.width + x] = sum / 4;
    }
  }
  return { ...half, values: means };
}

/** The least of the numbers that a share of all does not exceed; of sorted numbers. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length - 1e-9) - 1)]!;
}
