import type { Picture } from "./decode.ts";
import type * as system from "./resample.ts";

/** A kernel of resampling and the distance at which it ends, in pixels of the result. */
interface Kernel {
  readonly at: (x: number) => number;
  readonly reach: number;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const lanczos: Kernel = { reach: 3, at: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) };
const linear: Kernel = { reach: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) };

/**
 * Rows of pixels become so many, each a mean of those near it, weighted by the kernel: its centre lies at height / 2 + (i + ½ − to / 2) step.
 * @param step rows from one centre to the next
 */
function alongColumn({ width, height, pixels }: Picture, to: number, step: number, { at, reach }: Kernel): Picture {
  const row = width * 3;
  const spread = Math.max(1, step);
  const result = new Uint8ClampedArray(to * row);
  const sums = new Float64Array(row);
  for (let i = 0; i < to; i++) {
    const centre = height / 2 + (i + 0.5 - to / 2) * step;
    const [first, last] = [Math.ceil(centre - reach * spread - 0.5), Math.floor(centre + reach * spread - 0.5)];
    let total = 0;
    sums.fill(0);
    for (let j = first; j <= last; j++) {
      const weight = at((j + 0.5 - centre) / spread);
      total += weight;
      const from = Math.min(height - 1, Math.max(0, j)) * row;
      for (let x = 0; x < row; x++) sums[x]! += weight * pixels[from + x]!;
    }
    for (let x = 0; x < row; x++) result[i * row + x] = sums[x]! / total;
  }
  return { width, height: to, pixels: new Uint8Array(result.buffer) };
}

function turned({ width, height, pixels }: Picture): Picture {
  const result = new Uint8Array(pixels.length);
  for (let y = 0, from = 0; y < height; y++) {
    for (let x = 0; x < width; x++, from += 3) {
      const to = 3 * (x * height + y);
      result[to] = pixels[from]!;
      result[to + 1] = pixels[from + 1]!;
      result[to + 2] = pixels[from + 2]!;
    }
  }
  return { width: height, height: width, pixels: result };
}

/** Columns first and then rows, each rounded, as libvips does. @param step along columns and along rows */
function resampled(picture: Picture, size: Size, [down, across]: readonly [number, number], kernel: Kernel): Picture {
  return turned(alongColumn(turned(alongColumn(picture, size.height, down, kernel)), size.width, across, kernel));
}

export const reduced: typeof system.reduced = (picture, longerSide) => {
  const { width, height } = picture;
  const step = Math.max(width, height) / longerSide;
  if (longerSide === 0 || step <= 1) return picture;
  const side = (length: number) => Math.max(1, Math.round(length / step));
  return resampled(picture, { width: side(width), height: side(height) }, [step, step], lanczos);
};

export const stretched: typeof system.stretched = async (picture, size) =>
  resampled(picture, size, [picture.height / size.height, picture.width / size.width], linear);
