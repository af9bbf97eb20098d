import sharp from "sharp";
import type { Device } from "../../../engine/device/device.ts";
import { flatGrid, flatWorkgroup } from "../../../engine/kernel/grid.ts";
import { randomWords } from "../../../engine/ops/dropout.ts";
import { overElements } from "../../../engine/ops/over-elements.ts";
import { unpackRgb } from "../../../engine/ops/pictures/image.ts";
import { ShapeError, Tensor } from "../../../engine/tensor.ts";

/**
 * A way to degrade a picture [1, H, W, 3] in [0, 1]; `amount` is its strength in its own unit, `seed` feeds its noise.
 * Definitions follow the KADID-10k generator (Lin, Hosu & Saupe 2019) where not said otherwise, without its min-max stretch
 * of the output. The levels are further apart than KADID's, whose mildest are invisible, so that each kind spans most of
 * the range of SSIM.
 */
export interface Distortion {
  /** Amount at level 1 … 5. */
  readonly levels: readonly [number, number, number, number, number];
  readonly apply: (x: Tensor, amount: number, seed: number) => Tensor | Promise<Tensor>;
}

/** Every distortion by its name. */
export const distortions = {
  /** Standard deviation in pixels. */
  "gaussian-blur": { levels: [0.6, 1, 1.6, 2.6, 4], apply: (x, deviation) => filter(x, gaussianKernel(deviation)) },
  /** Length in pixels of a line at an angle drawn from the seed, its rim one pixel wide. */
  "motion-blur": {
    levels: [3, 5, 8, 12, 18],
    apply: (x, length, seed) => filter(x, lineKernel(length, ((seed % 1024) / 1024) * Math.PI)),
  },
  /** Quality of a real JPEG encoder and decoder, on the host. */
  jpeg: { levels: [40, 20, 10, 5, 2], apply: jpeg },
  /** Variance of the noise, drawn for each channel. */
  "white-noise": {
    levels: [0.001, 0.004, 0.012, 0.04, 0.1],
    apply: (x, amount, seed) => noise(x, "white", amount, seed),
  },
  /** Share of samples that become 0 or 1. */
  "impulse-noise": {
    levels: [0.005, 0.02, 0.05, 0.12, 0.25],
    apply: (x, amount, seed) => noise(x, "impulse", amount, seed),
  },
  /** A of the curve through (0, 0), (1/2, 1/2 − A/2), (1, 1), on R, G and B. */
  darken: { levels: [0.2, 0.4, 0.55, 0.7, 0.85], apply: (x, amount) => curve(x, 0.5 - amount / 2) },
  /** Share of the size that the picture is reduced to, and enlarged from, by nearest neighbours. */
  pixelate: { levels: [0.7, 0.5, 0.35, 0.25, 0.16], apply: pixelate },
} satisfies Record<string, Distortion>;

export type DistortionName = keyof typeof distortions;

export const distortionNames = Object.keys(distortions) as DistortionName[];

/**
 * Degrades a picture.
 * @param x [1, H, W, 3] in [0, 1]
 * @param level 1 (mild) … 5 (strong)
 * @param seed a whole number below 2^32; noise and angles depend on it alone
 * @returns a tensor of the same shape, in [0, 1]
 * @throws ShapeError for another shape, RangeError for another level
 */
export async function distort(x: Tensor, name: DistortionName, level: number, seed: number): Promise<Tensor> {
  if (x.rank !== 4 || x.shape[0] !== 1 || x.shape[3] !== 3) {
    throw new ShapeError(`distort takes a picture [1, H, W, 3], found [${x.shape}]`);
  }
  const { levels, apply }: Distortion = distortions[name];
  const amount = levels[level - 1];
  if (amount === undefined) throw new RangeError(`distort: level ${level}; there are levels 1 to 5`);
  return apply(x, amount, seed >>> 0);
}

/** Gaussian window of side 2⌈2s⌉ + 1, normalised. */
export function gaussianKernel(deviation: number, side = 2 * Math.ceil(2 * deviation) + 1): Float32Array<ArrayBuffer> {
  const reach = (side - 1) / 2;
  const line = Array.from({ length: side }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * deviation ** 2)));
  return normalised(line.flatMap((a) => line.map((b) => a * b)));
}

/** Line of a length through the centre, falling off linearly within one pixel of it, normalised. */
function lineKernel(length: number, angle: number): Float32Array<ArrayBuffer> {
  const half = (length - 1) / 2;
  const reach = Math.ceil(half);
  const side = 2 * reach + 1;
  const [dx, dy] = [Math.cos(angle), Math.sin(angle)];
  return normalised(
    Array.from({ length: side * side }, (_, i) => {
      const [x, y] = [(i % side) - reach, Math.floor(i / side) - reach];
      const along = Math.max(-half, Math.min(half, x * dx + y * dy));
      return Math.max(0, 1 - Math.hypot(x - along * dx, y - along * dy));
    }),
  );
}

function normalised(weights: readonly number[]): Float32Array<ArrayBuffer> {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return Float32Array.from(weights, (weight) => weight / total);
}

function filter(x: Tensor, kernel: Float32Array<ArrayBuffer>): Tensor {
  const { device } = x;
  const [, height, width, channels] = x.shape as [number, number, number, number];
  const y = Tensor.empty(device, x.shape);
  const weights = Tensor.from(device, kernel, [kernel.length]);
  device.kernels.run(
    "distort/filter",
    { WORKGROUP: flatWorkgroup },
    { x: x.window(), kernel: weights.window(), y: y.window() },
    { height, width, channels, side: Math.sqrt(kernel.length) },
    flatGrid(device, x.size),
    { flops: 2 * kernel.length * x.size },
  );
  weights.dispose();
  return y;
}

function noise(x: Tensor, kind: "white" | "impulse", amount: number, seed: number): Tensor {
  const words = randomWords(x.device, 2 * x.size, { seed, stream: kind });
  const y = Tensor.empty(x.device, x.shape);
  x.device.kernels.run(
    "distort/noise",
    { KIND: kind, WORKGROUP: flatWorkgroup },
    { x: x.window(), words: words.window(), y: y.window() },
    { count: x.size, amount },
    flatGrid(x.device, x.size),
    // Two uniform numbers (3); √(−2 ln u) · cos 2πv (6), its factor, the sum and the clamp (4)
    { flops: (kind === "white" ? 13 : 3) * x.size },
  );
  words.dispose();
  return y;
}

function curve(x: Tensor, middle: number): Tensor {
  const y = Tensor.empty(x.device, x.shape);
  overElements("distort/curve", {}, { x, y }, { middle }, {}, 6);
  return y;
}

function pixelate(x: Tensor, share: number): Tensor {
  const { device } = x;
  const [, height, width, channels] = x.shape as [number, number, number, number];
  const y = Tensor.empty(device, x.shape);
  const small = (extent: number) => Math.max(1, Math.round(extent * share));
  device.kernels.run(
    "distort/pixelate",
    { WORKGROUP: flatWorkgroup },
    { x: x.window(), y: y.window() },
    { height, width, channels, small_height: small(height), small_width: small(width) },
    flatGrid(device, x.size),
    { bytes: 4 * (small(height) * small(width) * channels + x.size) },
  );
  return y;
}

async function jpeg(x: Tensor, quality: number): Promise<Tensor> {
  const [, height, width] = x.shape as [number, number, number, number];
  const raw = { width, height, channels: 3 } as const;
  const file = await sharp(await toBytes(x), { raw })
    .jpeg({ quality })
    .toBuffer();
  return fromBytes(x.device, await sharp(file).raw().toBuffer(), height, width);
}

/** Samples of a picture as bytes, rounded to the nearest of 256 levels. */
export async function toBytes(x: Tensor): Promise<Uint8Array> {
  return Uint8Array.from(await x.read(), (value) => Math.round(Math.max(0, Math.min(1, value)) * 255));
}

/** Interleaved RGB bytes as a picture [1, H, W, 3] in [0, 1]. */
export function fromBytes(device: Device, bytes: Uint8Array, height: number, width: number): Tensor {
  return unpackRgb(device, bytes, height, width);
}
