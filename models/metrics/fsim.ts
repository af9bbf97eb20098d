import type { Device } from "../../engine/device/device.ts";
import { flatGrid, flatWorkgroup } from "../../engine/kernel/grid.ts";
import { subtract } from "../../engine/ops/arithmetic.ts";
import { matmul } from "../../engine/ops/contraction/matmul.ts";
import { mean, sum } from "../../engine/ops/reduce.ts";
import { reshape } from "../../engine/ops/shape.ts";
import { scale } from "../../engine/ops/unary.ts";
import { Tensor } from "../../engine/tensor.ts";
import { type LogGabor, logGabor, orientations, scales } from "./log-gabor.ts";

/** Shorter sides are brought near this many pixels. */
const viewedSide = 256;

/** Sums of amplitudes below this, in levels of 255, are what rounding leaves of flat areas. */
const leastAmplitude = 1e-3;

/**
 * Σ of similarity times phase congruency, and Σ of phase congruency, over the places of two lumas [H, W] in [0, 1] → [2]; FSIM is their quotient. Both are
 * averaged to a shorter side near 256 pixels first.
 */
export function featureSums(a: Tensor, b: Tensor): Tensor {
  const { device } = a;
  return device.scope(() => {
    const [smallA, smallB] = [viewed(a), viewed(b)];
    const [height, width] = smallA.shape as [number, number];
    const transform = transformOf(device, height, width);
    const [phaseA, phaseB] = [congruency(smallA, transform), congruency(smallB, transform)];
    const y = Tensor.empty(device, [2, height * width]);
    device.kernels.run(
      "compare/feature_similarity",
      { WORKGROUP: flatWorkgroup },
      { a: smallA.window(), b: smallB.window(), pa: phaseA.window(), pb: phaseB.window(), y: y.window() },
      { height, width },
      flatGrid(device, height * width),
      // Two gradients of both (20 · 2), their magnitudes (4 · 2), two quotients (8 · 2), the product (3)
      { flops: 67 * height * width },
    );
    return sum(y, 1);
  });
}

/** Luma of 0 … 255, averaged over F x F for F the shorter side by 256, rounded. */
function viewed(x: Tensor): Tensor {
  const { device } = x;
  const [height, width] = x.shape as [number, number];
  const side = Math.max(1, Math.round(Math.min(height, width) / viewedSide));
  const levels = scale(x, 255);
  if (side === 1) return levels;
  const y = Tensor.empty(device, [Math.ceil(height / side), Math.ceil(width / side)]);
  device.kernels.run(
    "compare/average",
    { WORKGROUP: flatWorkgroup },
    { x: levels.window(), y: y.window() },
    { height, width, side },
    flatGrid(device, y.size),
    { flops: y.size * side * side },
  );
  return y;
}

/** Matrices of the discrete Fourier transform of a size, and its filters. */
interface Transform {
  readonly height: number;
  readonly width: number;
  /** [2 H, H]: cosines above sines of e^(−2πi hk / H); [2 H, 2 H] for e^(+2πi hk / H) of real above imaginary rows. */
  readonly down: Tensor;
  readonly up: Tensor;
  /** [W, 2 W]: cosines beside sines, of either sign. */
  readonly across: Tensor;
  readonly back: Tensor;
  readonly radial: Tensor;
  readonly angular: readonly Tensor[];
  /** [orientations] */
  readonly noise: Tensor;
}

/** Filters of the last sizes: pictures of a set are often of one. */
const known = new Map<string, LogGabor>();
const mostKnown = 2;

function filtersOf(height: number, width: number): LogGabor {
  const key = `${height} ${width}`;
  const filters = known.get(key) ?? logGabor(height, width);
  known.delete(key);
  known.set(key, filters);
  const [oldest] = known.keys();
  if (known.size > mostKnown) known.delete(oldest!);
  return filters;
}

function transformOf(device: Device, height: number, width: number): Transform {
  const { radial, angular, noise } = filtersOf(height, width);
  const [h, w] = [turns(height), turns(width)];
  const matrix = (rows: number, columns: number, at: (i: number, j: number) => number) =>
    Tensor.from(
      device,
      Float32Array.from({ length: rows * columns }, (_, k) => at(Math.floor(k / columns), k % columns)),
      [rows, columns],
    );
  const { cos, sin } = h;
  return {
    ...{ height, width },
    noise: Tensor.from(device, Float32Array.from(noise), [orientations]),
    down: matrix(2 * height, height, (i, j) => (i < height ? cos(i, j) : -sin(i - height, j))),
    up: matrix(2 * height, 2 * height, (i, j) => {
      if (i < height) return j < height ? cos(i, j) : -sin(i, j - height);
      return j < height ? sin(i - height, j) : cos(i - height, j - height);
    }),
    across: matrix(width, 2 * width, (i, j) => (j < width ? w.cos(i, j) : -w.sin(i, j - width))),
    back: matrix(width, 2 * width, (i, j) => (j < width ? w.cos(i, j) : w.sin(i, j - width))),
    radial: Tensor.from(device, radial, [scales, height, width]),
    angular: angular.map((own) => Tensor.from(device, own, [height, width])),
  };
}

/** Cosine and sine of 2π ij / n, from one table. */
function turns(n: number) {
  const table = Float64Array.from({ length: n }, (_, k) => Math.cos((2 * Math.PI * k) / n));
  const sines = Float64Array.from({ length: n }, (_, k) => Math.sin((2 * Math.PI * k) / n));
  return {
    cos: (i: number, j: number) => table[(i * j) % n]!,
    sin: (i: number, j: number) => sines[(i * j) % n]!,
  };
}

/** Phase congruency of a luma [H, W] → [H · W]. */
function congruency(x: Tensor, transform: Transform): Tensor {
  const { device } = x;
  const { height, width, noise } = transform;
  const count = height * width;
  const out = Tensor.empty(device, [count]);
  device.scope(() => {
    // The mean is filtered out; it would round the rest.
    const halves = matmul(matmul(transform.down, subtract(x, mean(x))), transform.across);
    const amplitude = Tensor.empty(device, [count]);
    const energy = Tensor.empty(device, [orientations, count]);
    const finest = Tensor.empty(device, [orientations, count]);
    transform.angular.forEach((angular, orientation) => {
      device.scope(() => orientedEnergy({ halves, angular, amplitude, energy, finest }, transform, orientation));
    });
    const medians = Tensor.empty(device, [orientations]);
    device.kernels.run(
      "compare/median",
      { WORKGROUP: medianWorkgroup },
      { x: finest.window(), y: medians.window() },
      { rows: orientations, count },
      [orientations, 1, 1],
    );
    device.kernels.run(
      "compare/phase_congruency",
      { WORKGROUP: flatWorkgroup },
      {
        ...{ energy: energy.window(), amplitude: amplitude.window(), medians: medians.window() },
        ...{ noise: noise.window(), y: out.window() },
      },
      { count, least: leastAmplitude },
      flatGrid(device, count),
      { flops: (4 * orientations + 1) * count },
    );
  });
  return out;
}

const medianWorkgroup = 256;

interface Oriented {
  readonly halves: Tensor;
  readonly angular: Tensor;
  readonly amplitude: Tensor;
  readonly energy: Tensor;
  readonly finest: Tensor;
}

/** Local energy of one orientation: the spectrum through its filters, back into space. */
function orientedEnergy(
  { halves, angular, amplitude, energy, finest }: Oriented,
  { height, width, up, back, radial }: Transform,
  orientation: number,
): void {
  const { device } = halves;
  const band = Tensor.empty(device, [2 * height, scales * width]);
  device.kernels.run(
    "compare/band",
    { WORKGROUP: flatWorkgroup },
    { halves: halves.window(), radial: radial.window(), angular: angular.window(), y: band.window() },
    { height, width, scales },
    flatGrid(device, height * width),
    { flops: (2 + 3 * scales) * height * width },
  );
  const columns = reshape(matmul(up, band), [2 * height * scales, width]);
  const space = matmul(columns, back);
  device.kernels.run(
    "compare/local_energy",
    { WORKGROUP: flatWorkgroup },
    { halves: space.window(), amplitude: amplitude.window(), energy: energy.window(), finest: finest.window() },
    { height, width, scales, orientation },
    flatGrid(device, height * width),
    // At each scale an answer (4), its length (4), its sum (2), projections (7), and once the mean (6)
    { flops: (21 * scales + 6) * height * width },
  );
}
