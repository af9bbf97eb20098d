import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { ShapeError, type Tensor } from "../../engine/tensor.ts";
import { fitAsymmetric, gamma } from "./generalised-gaussian.ts";
import type { NiqeParameters } from "./parameters.ts";
import { type BlockMoments, expectPicture, type SceneStatistics, sceneStatistics } from "./scene-statistics.ts";

/** Side of the blocks, pixels. */
export const blockSide = 96;

/** Numbers that describe a block: 18 at each of two scales. */
export const featureCount = 36;

/**
 * The naturalness of a picture, a score without reference and without learnt opinions: 0 for statistics like those of the good
 * photographs that the parameters come from, above it the further away; **lower is better**, there is no upper end. Blocks of 96 x 96
 * pixels; one that is all flat has no statistics and is left out.
 *
 * √((μ₁ − μ₂)ᵀ ((Σ₁ + Σ₂)/2)⁺ (μ₁ − μ₂)), Mittal, Soundararajan & Bovik, "Making a completely blind image quality analyzer" (IEEE SPL
 * 2013), Eq. 10; ⁺ is the pseudo-inverse. The covariance of a single block is 0.
 * @param picture [1, H, W, 3] in [0, 1], 8-bit sRGB, H and W at least 96
 * @returns NaN where all blocks are flat
 * @throws ShapeError for another shape or a smaller picture
 */
export async function niqe(picture: Tensor, parameters: NiqeParameters): Promise<number> {
  const blocks = await niqeBlocks(picture);
  return niqeOf(blocks.features, parameters);
}

/** Features of every block of a picture, NaN where a flat one has none, and how sharp the blocks are where asked for. */
export async function niqeBlocks(
  picture: Tensor,
  withSharpness = false,
): Promise<{ readonly features: number[][]; readonly sharpness?: readonly number[] }> {
  const [, height, width] = expectPicture(picture);
  if (Math.min(height, width) < blockSide) {
    throw new ShapeError(
      `NIQE needs a picture of at least ${blockSide} x ${blockSide} pixels, this one has ${width} x ${height}`,
    );
  }
  const statistics = await sceneStatistics(picture, { block: blockSide, border: "repeat" }, withSharpness);
  const features = blockFeatures(statistics);
  return { features, ...(statistics.sharpness && { sharpness: statistics.sharpness }) };
}

function blockFeatures({ scales }: SceneStatistics): number[][] {
  return scales[0]!.map((_, block) => scales.flatMap((blocks) => featuresOf(blocks[block]!)));
}

/** Of the coefficients shape and mean spread; of each product shape, mean and both spreads. */
function featuresOf([own, ...products]: BlockMoments): number[] {
  const { shape, left, right } = spreads(own!);
  return [
    ...[shape, (left + right) / 2],
    ...products.flatMap((moments) => {
      const product = spreads(moments);
      const mean = (product.right - product.left) * (gamma(2 / product.shape) / gamma(1 / product.shape));
      return [product.shape, mean, product.left, product.right];
    }),
  ];
}

/** Scales β of both sides: β = σ √(Γ(1/α) / Γ(3/α)). */
function spreads(moments: BlockMoments[number]) {
  const { shape, leftDeviation, rightDeviation } = fitAsymmetric(moments);
  const factor = Math.sqrt(gamma(1 / shape) / gamma(3 / shape));
  return { shape, left: leftDeviation * factor, right: rightDeviation * factor };
}

/** A multivariate Gaussian of blocks: means of the numbers that there are, covariance of the blocks that have all. */
export function gaussianOf(features: readonly (readonly number[])[]): { mean: number[]; covariance: number[][] } {
  const means = (rows: readonly (readonly number[])[]) =>
    Array.from({ length: featureCount }, (_, k) => {
      const known = rows.map((row) => row[k]!).filter((value) => !Number.isNaN(value));
      return known.reduce((sum, value) => sum + value, 0) / known.length;
    });
  const whole = features.filter((row) => !row.some(Number.isNaN));
  const centre = means(whole);
  const covariance = centre.map((a, i) =>
    centre.map((b, j) =>
      whole.length < 2 ? 0 : whole.reduce((sum, row) => sum + (row[i]! - a) * (row[j]! - b), 0) / (whole.length - 1),
    ),
  );
  return { mean: means(features), covariance };
}

/** The distance of a picture's blocks from natural ones. */
export function niqeOf(features: readonly (readonly number[])[], parameters: NiqeParameters): number {
  const { mean, covariance } = gaussianOf(features);
  if (mean.some(Number.isNaN)) return Number.NaN;
  const pooled = covariance.map((row, i) => row.map((value, j) => (value + parameters.covariance[i]![j]!) / 2));
  const difference = mean.map((value, k) => value - parameters.mean[k]!);
  return Math.sqrt(quadraticForm(pooled, difference));
}

/** xᵀ A⁺ x of a symmetric A without negative eigenvalues: Σ (v·x)² / λ over those that are not 0 by rounding. */
function quadraticForm(a: readonly (readonly number[])[], x: readonly number[]): number {
  const matrix = new Matrix(a.map((row) => [...row]));
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  const least = Math.max(...realEigenvalues) * a.length * Number.EPSILON;
  let sum = 0;
  realEigenvalues.forEach((value, k) => {
    if (value <= least) return;
    const along = x.reduce((total, coordinate, i) => total + coordinate * eigenvectorMatrix.get(i, k), 0);
    sum += along ** 2 / value;
  });
  return sum;
}
