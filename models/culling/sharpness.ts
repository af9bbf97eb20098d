/** A grey picture, 0 to 255. */
export interface Grey {
  readonly width: number;
  readonly height: number;
  /** [height, width] */
  readonly values: ArrayLike<number>;
}

/** How sharp a picture is at one scale. All are ratios that exposure and contrast do not change. */
export interface Sharpness {
  /** Longer side of the scale, pixels. */
  readonly side: number;
  /** 90th percentile over tiles with detail of sqrt(gradient energy / variance), both without the noise's share, 1/pixel; 0 where nothing has detail. */
  readonly best: number;
  /** The same over all tiles with detail together. */
  readonly mean: number;
  /** Gradient energy along x and y and their product, over the variance: (xx, yy, xy), which tells a direction that is smeared. */
  readonly tensor: readonly [number, number, number];
  /** Standard deviation of noise, in 255ths. */
  readonly noise: number;
}

/** Side of a tile, pixels. */
const tile = 32;
/** Least variance of a tile with detail, in squared 255ths, above that of noise. */
const leastVariance = 16;

interface Tile {
  xx: number;
  yy: number;
  xy: number;
  variance: number;
  noise: number;
}

/**
 * Sharpness by the gradients of tiles (Tenengrad: Krotkov, Focusing, IJCV 1988; compared by Pertuz, Puig and García, Pattern Recognition 2013) over
 * their contrast, so that neither exposure nor what is shown matters within a burst. Noise of deviation σ adds 2 · 12/64 · σ² to the
 * gradient energy of Sobel's filter / 8 and σ² to the variance; both are taken off. σ is Immerkær's estimate (Computer Vision and Image Understanding 1996) of
 * the tiles with the least of it.
 */
export function sharpnessOf(grey: Grey): Sharpness {
  const tiles = tilesOf(grey);
  const side = Math.max(grey.width, grey.height);
  const noise = quantile(
    tiles.map((one) => one.noise),
    0.2,
  );
  const power = noise ** 2;
  const detailed = tiles.filter(({ variance }) => variance - power > leastVariance);
  if (detailed.length === 0) return { side, best: 0, mean: 0, tensor: [0, 0, 0], noise };
  const own = (energy: number) => Math.max(0, energy - (12 / 64) * power);
  const steep = detailed.map(({ xx, yy, variance }) => Math.sqrt((own(xx) + own(yy)) / (variance - power)));
  const total = (of: (one: Tile) => number) => detailed.reduce((sum, one) => sum + of(one), 0);
  const variance = total((one) => one.variance - power);
  const tensor = [total(({ xx }) => own(xx)), total(({ yy }) => own(yy)), total(({ xy }) => xy)] as const;
  return {
    side,
    best: quantile(steep, 0.9),
    mean: Math.sqrt((tensor[0] + tensor[1]) / variance),
    tensor: [tensor[0] / variance, tensor[1] / variance, tensor[2] / variance],
    noise,
  };
}

function tilesOf({ width, height, values }: Grey): Tile[] {
  const tiles: Tile[] = [];
  const [across, down] = [width, height].map((side) => Math.max(1, Math.floor((side - 2) / tile)));
  for (let row = 0; row < down!; row++) {
    for (let column = 0; column < across!; column++) {
      const [left, right] = spanOf(column, across!, width);
      const [top, bottom] = spanOf(row, down!, height);
      if (right > left && bottom > top) tiles.push(tileOf(values, width, left, right, top, bottom));
    }
  }
  return tiles;
}

/** Pixels of a tile along one side, of those that have neighbours on both sides. */
function spanOf(index: number, count: number, side: number): [number, number] {
  return [1 + Math.floor((index * (side - 2)) / count), 1 + Math.floor(((index + 1) * (side - 2)) / count)];
}

function tileOf(
  values: ArrayLike<number>,
  width: number,
  left: number,
  right: number,
  top: number,
  bottom: number,
): Tile {
  let [xx, yy, xy, sum, squares, laplacian] = [0, 0, 0, 0, 0, 0];
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const at = y * width + x;
      const [a, b, c] = [values[at - width - 1]!, values[at - width]!, values[at - width + 1]!];
      const [d, e, f] = [values[at - 1]!, values[at]!, values[at + 1]!];
      const [g, h, i] = [values[at + width - 1]!, values[at + width]!, values[at + width + 1]!];
      const gx = (c + 2 * f + i - a - 2 * d - g) / 8;
      const gy = (g + 2 * h + i - a - 2 * b - c) / 8;
      xx += gx * gx;
      yy += gy * gy;
      xy += gx * gy;
      sum += e;
      squares += e * e;
      laplacian += Math.abs(a + c + g + i - 2 * (b + d + f + h) + 4 * e);
    }
  }
  const count = (right - left) * (bottom - top);
  return {
    xx: xx / count,
    yy: yy / count,
    xy: xy / count,
    variance: squares / count - (sum / count) ** 2,
    // σ = sqrt(π / 2) / 6 · mean |I * L|, L = [1 −2 1; −2 4 −2; 1 −2 1]
    noise: (Math.sqrt(Math.PI / 2) / 6) * (laplacian / count),
  };
}

function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return 0;
  const sorted = values.toSorted((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (at - below) * (sorted[above]! - sorted[below]!);
}

/** The picture at half its size, each pixel the mean of four. */
export function halved({ width, height, values }: Grey): Grey {
  const [w, h] = [width >> 1, height >> 1];
  const half = new Float32Array(w * h);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const at = 2 * y * width + 2 * x;
      half[y * w + x] = (values[at]! + values[at + 1]! + values[at + width]! + values[at + width + 1]!) / 4;
    }
  }
  return { width: w, height: h, values: half };
}
