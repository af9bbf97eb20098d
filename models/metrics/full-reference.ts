import { expectList, oneOf } from "../../engine/arguments.ts";
import { flatGrid, flatWorkgroup } from "../../engine/kernel/grid.ts";
import { multiply, subtract } from "../../engine/ops/arithmetic.ts";
import { mean, sum } from "../../engine/ops/reduce.ts";
import { Tensor } from "../../engine/tensor.ts";
import { featureSums } from "./fsim.ts";
import { expectPair, halve, luma } from "./luma.ts";
import { structure, windowSide } from "./ssim.ts";

/** Weights of the five scales of MS-SSIM, the finest first. */
const scaleWeights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333] as const;

/** Sides that MS-SSIM needs: the window fits the coarsest scale. */
const leastSide = windowSide * 2 ** (scaleWeights.length - 1);

/** T of GMSD for numbers of 0 … 255. */
const similarityConstant = 170;

/** Measures of how alike a picture is to its reference, and the sides that each needs. */
const leastSides = { psnr: 1, ssim: windowSide, msSsim: leastSide, gmsd: 2, fsim: 2 } as const;

export type FullReferenceMeasure = keyof typeof leastSides;
export const fullReferenceMeasures = Object.keys(leastSides) as FullReferenceMeasure[];

/** What was measured; a measure that was not asked for, or that the pictures are too small for, is absent. */
export type FullReference = { readonly [Measure in FullReferenceMeasure]?: number };

/**
 * Full-reference measures of a picture, such as make labels for degraded copies.
 * - `psnr`: dB, higher is better, {@link psnr}
 * - `ssim`: up to 1, higher is better, {@link ssim}
 * - `msSsim`: 0 … 1, higher is better, {@link msSsim}
 * - `gmsd`: from 0, **lower** is better, {@link gmsd}
 * - `fsim`: 0 … 1, higher is better, {@link fsim}; absent where neither picture has a feature
 * @param reference [1, H, W, 3] in [0, 1]
 * @param distorted the same shape
 * @param measures those that are wanted; all unless given
 * @throws ShapeError when the shapes differ; RangeError for a measure that there is not
 */
export async function fullReference(
  reference: Tensor,
  distorted: Tensor,
  measures: readonly FullReferenceMeasure[] = fullReferenceMeasures,
): Promise<FullReference> {
  expectPair("fullReference", reference, distorted);
  expectList("fullReference", "the measures", measures, oneOf(...fullReferenceMeasures));
  const side = Math.min(reference.shape[1]!, reference.shape[2]!);
  return measured(
    reference,
    distorted,
    measures.filter((name) => side >= leastSides[name]),
  );
}

async function measured(
  reference: Tensor,
  distorted: Tensor,
  measures: readonly FullReferenceMeasure[],
): Promise<FullReference> {
  const started = reference.device.scope(() => {
    const lumas = [luma(reference), luma(distorted)] as const;
    let first: Tensor | undefined;
    const finest = () => {
      first ??= structure(...lumas);
      return first;
    };
    const starts: Record<FullReferenceMeasure, () => Promise<number>> = {
      psnr: () => ratioOf(reference, distorted),
      ssim: async () => (await finest().read())[0]!,
      msSsim: () => overScales(finest(), ...lumas),
      gmsd: () => gradientDeviation(...lumas),
      fsim: () => quotientOf(featureSums(...lumas)),
    };
    // A rejected one is told when all are awaited.
    return measures.map((name) => [name, starts[name]()] as const);
  });
  const values = await Promise.all(started.map(async ([name, value]) => [name, await value] as const));
  return Object.fromEntries(values.filter(([, value]) => !Number.isNaN(value)));
}

/**
 * Peak signal-to-noise ratio in dB, −10 log₁₀ of the mean squared difference of R, G and B in [0, 1]: higher is better, infinite for equal
 * pictures.
 * @param a [1, H, W, 3] in [0, 1] @param b the same shape
 * @throws ShapeError when the shapes differ
 */
export async function psnr(a: Tensor, b: Tensor): Promise<number> {
  expectPair("psnr", a, b);
  return (await measured(a, b, ["psnr"])).psnr!;
}

/**
 * Structural similarity over five scales: SSIM's contrast and structure at each, its luminance at the coarsest, to the powers 0.0448, 0.2856, 0.3001,
 * 0.2363 and 0.1333; 1 for equal pictures. Luma in [0, 1], each scale the means of 2 x 2 of the last; a negative mean counts as 0.
 * Source: Wang, Simoncelli & Bovik, "Multi-scale structural similarity" (Asilomar 2003), Eq. 7.
 * @param a [1, H, W, 3] in [0, 1], sides at least 176 @param b the same shape
 * @throws ShapeError when the shapes differ or are too small
 */
export async function msSsim(a: Tensor, b: Tensor): Promise<number> {
  expectPair("msSsim", a, b, leastSide);
  return (await measured(a, b, ["msSsim"])).msSsim!;
}

/**
 * Gradient magnitude similarity deviation: 0 for equal pictures, **higher for less alike ones**, hardly above 0.35. Luma of 0 … 255 averaged
 * over 2 x 2, Prewitt gradients, T = 170; the standard deviation is that of a sample.
 * Source: Xue, Zhang, Mou & Bovik, "Gradient magnitude similarity deviation" (IEEE TIP 2014), Eq. 1-6.
 * @param a [1, H, W, 3] in [0, 1], sides at least 2 @param b the same shape
 * @throws ShapeError when the shapes differ or are too small
 */
export async function gmsd(a: Tensor, b: Tensor): Promise<number> {
  expectPair("gmsd", a, b, leastSides.gmsd);
  return (await measured(a, b, ["gmsd"])).gmsd!;
}

/**
 * Feature similarity: phase congruency (log-Gabor filters of four scales and four orientations) and Scharr gradients of the luma, compared with T1 = 0.85 and
 * T2 = 160 and weighted by phase congruency; 1 for equal pictures. A shorter side is averaged to near 256 pixels. NaN where neither picture has a feature,
 * as two flat ones.
 * Source: Zhang, Zhang, Mou & Zhang, "FSIM: a feature similarity index for image quality assessment" (IEEE TIP 2011), Eq. 6-10.
 * @param a [1, H, W, 3] in [0, 1], sides at least 2 @param b the same shape
 * @throws ShapeError when the shapes differ or are too small
 */
export async function fsim(a: Tensor, b: Tensor): Promise<number> {
  expectPair("fsim", a, b, leastSides.fsim);
  return (await measured(a, b, ["fsim"])).fsim ?? Number.NaN;
}

// Each starts its reads before it first waits, so that a scope may end meanwhile.

async function ratioOf(a: Tensor, b: Tensor): Promise<number> {
  const difference = subtract(a, b);
  return -10 * Math.log10(await mean(multiply(difference, difference)).item());
}

async function quotientOf(sums: Tensor): Promise<number> {
  const [weighted, weights] = await sums.read();
  return weighted! / weights!;
}

/** @param finest means of the finest scale */
async function overScales(finest: Tensor, a: Tensor, b: Tensor): Promise<number> {
  const reads = [finest.read()];
  let pair = [a, b] as const;
  while (reads.length < scaleWeights.length) {
    pair = [halve(pair[0], "repeat"), halve(pair[1], "repeat")];
    reads.push(structure(...pair).read());
  }
  const means = await Promise.all(reads);
  const last = scaleWeights.length - 1;
  return scaleWeights.reduce(
    (product, weight, i) => product * Math.max(0, means[i]![i === last ? 0 : 1]!) ** weight,
    1,
  );
}

async function gradientDeviation(a: Tensor, b: Tensor): Promise<number> {
  const { device } = a;
  const [smallA, smallB] = [halve(a, "zero"), halve(b, "zero")];
  const [height, width] = smallA.shape as [number, number];
  const map = Tensor.empty(device, [height, width]);
  device.kernels.run(
    "compare/gradient_similarity",
    { WORKGROUP: flatWorkgroup },
    { a: smallA.window(), b: smallB.window(), y: map.window() },
    { height, width, c: similarityConstant / 255 ** 2 },
    flatGrid(device, map.size),
    // Two gradients of both (18 · 2), their magnitudes (4 · 2), the quotient (8)
    { flops: 52 * map.size },
  );
  const deviation = subtract(map, mean(map));
  const squares = await sum(multiply(deviation, deviation)).item();
  return Math.sqrt(squares / Math.max(1, map.size - 1));
}
