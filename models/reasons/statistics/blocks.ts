import { type Plane, type Planes, quantile } from "./planes.ts";

const sharpShares = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98] as const;
const contrastShares = [0.1, 0.5, 0.9] as const;
const noiseShares = [0.05, 0.25, 0.5] as const;

export const blockNames = [
  ...sharpShares.map((share) => `sharpness that ${100 * share} % of blocks do not exceed`),
  ...contrastShares.map((share) => `contrast that ${100 * share} % of blocks do not exceed`),
  "sharpness by contrast where that is high",
  ...["luma", "blue", "red"].map((plane) => `noise of ${plane}`),
  ...noiseShares.map((share) => `noise of luma that ${100 * share} % of blocks do not exceed`),
  ...noiseShares.map((share) => `noise of blue that ${100 * share} % of blocks do not exceed`),
  "share of lone pixels",
];

/** How sharp, contrasty and noisy the blocks of a picture are: a sharp part is enough for a sharp picture, noise is everywhere. */
export function blockStatistics({ luma, blue, red }: Planes): number[] {
  const contrast = deviations(luma, 16);
  const sharp = blockMeans(laplacians(luma), 16);
  const byContrast = Array.from(contrast.keys()).sort((a, b) => contrast[b]! - contrast[a]!);
  const high = byContrast.slice(0, Math.ceil(contrast.length / 4));
  const relative = high.map((i) => Math.log((sharp[i]! + 0.25) / (contrast[i]! + 1)));
  const noise = [luma, blue, red].map((plane) => blockMeans(noises(plane), 8));
  const spread = (numbers: ArrayLike<number>, shares: readonly number[], offset: number) => {
    const sorted = Float64Array.from(numbers).sort();
    return shares.map((share) => Math.log(quantile(sorted, share) + offset));
  };
  return [
    ...spread(sharp, sharpShares, 0.25),
    ...spread(contrast, contrastShares, 1),
    mean(relative),
    ...noise.map((blocks) => Math.log(mean(blocks) + 0.1)),
    ...spread(noise[0]!, noiseShares, 0.1),
    ...spread(noise[1]!, noiseShares, 0.1),
    Math.log(lonePixels(luma) + 1e-5),
  ];
}

const mean = (numbers: ArrayLike<number>) => Array.from(numbers).reduce((sum, n) => sum + n, 0) / numbers.length;

/** |Laplacian| of the inner pixels, by the four neighbours. */
function laplacians({ width, height, values: v }: Plane): Plane {
  const inner = new Float32Array((width - 2) * (height - 2));
  for (let y = 1, to = 0; y < height - 1; y++) {
    for (let at = y * width + 1; at < (y + 1) * width - 1; at++, to++)
      inner[to] = Math.abs(v[at - 1]! + v[at + 1]! + v[at - width]! + v[at + width]! - 4 * v[at]!);
  }
  return { width: width - 2, height: height - 2, values: inner };
}

/** |difference of two Laplacians| of the inner pixels, which edges and slopes hardly have (Immerkær 1996). */
function noises({ width, height, values: v }: Plane): Plane {
  const inner = new Float32Array((width - 2) * (height - 2));
  for (let y = 1, to = 0; y < height - 1; y++) {
    for (let at = y * width + 1; at < (y + 1) * width - 1; at++, to++) {
      const corners = v[at - width - 1]! + v[at - width + 1]! + v[at + width - 1]! + v[at + width + 1]!;
      const sides = v[at - 1]! + v[at + 1]! + v[at - width]! + v[at + width]!;
      inner[to] = Math.abs(corners - 2 * sides + 4 * v[at]!);
    }
  }
  return { width: width - 2, height: height - 2, values: inner };
}

/** Means over whole blocks. */
function blockMeans({ width, height, values }: Plane, side: number): Float64Array {
  const across = Math.floor(width / side);
  const down = Math.floor(height / side);
  const means = new Float64Array(across * down);
  for (let block = 0; block < means.length; block++) {
    const first = Math.floor(block / across) * side * width + (block % across) * side;
    let sum = 0;
    for (let y = 0; y < side; y++) {
      for (let at = first + y * width; at < first + y * width + side; at++) sum += values[at]!;
    }
    means[block] = sum / side ** 2;
  }
  return means;
}

/** Standard deviations of whole blocks of the inner pixels. */
function deviations({ width, height, values: v }: Plane, side: number): Float64Array {
  const across = Math.floor((width - 2) / side);
  const down = Math.floor((height - 2) / side);
  const found = new Float64Array(across * down);
  for (let block = 0; block < found.length; block++) {
    const first = (Math.floor(block / across) * side + 1) * width + (block % across) * side + 1;
    let sum = 0;
    let squares = 0;
    for (let y = 0; y < side; y++) {
      for (let at = first + y * width; at < first + y * width + side; at++) {
        sum += v[at]!;
        squares += v[at]! * v[at]!;
      }
    }
    found[block] = Math.sqrt(Math.max(0, squares - (sum * sum) / side ** 2)) / side;
  }
  return found;
}

/** Share of the inner pixels that lie more than 20 levels beyond all four neighbours. */
function lonePixels({ width, height, values: v }: Plane): number {
  let count = 0;
  for (let y = 1; y < height - 1; y++) {
    for (let at = y * width + 1; at < (y + 1) * width - 1; at++) {
      const left = v[at - 1]!;
      const right = v[at + 1]!;
      const above = v[at - width]!;
      const below = v[at + width]!;
      const here = v[at]!;
      if (here > Math.max(left, right, above, below) + 20 || here < Math.min(left, right, above, below) - 20) count++;
    }
  }
  return count / ((width - 2) * (height - 2));
}
