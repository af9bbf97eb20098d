import { ShapeError, type Tensor } from "../../engine/tensor.ts";
import { fitAsymmetric, fitSymmetric, gamma } from "./generalised-gaussian.ts";
import type { BrisqueParameters } from "./parameters.ts";
import { type BlockMoments, expectPicture, sceneStatistics } from "./scene-statistics.ts";

/** The least side of a picture: at half size the window of the statistics fits it. */
const leastSide = 16;

/**
 * The spatial quality of a picture, a score without reference: a regression on 36 statistics of the whole picture. Its range and
 * whether lower or higher is better are those of the opinions that the parameters were learnt from; the authors' are DMOS of 0 … 100, lower
 * is better. It may lie outside of the range.
 *
 * Mittal, Moorthy & Bovik, "No-reference image quality assessment in the spatial domain" (IEEE TIP 2012), table I.
 * @param picture [1, H, W, 3] in [0, 1], 8-bit sRGB, H and W at least 16
 * @returns NaN where the picture is black all over and has no statistics
 * @throws ShapeError for another shape or a smaller picture
 */
export async function brisque(picture: Tensor, parameters: BrisqueParameters): Promise<number> {
  return brisqueOf(await brisqueFeatures(picture), parameters);
}

/** The 36 statistics: 18 at full size, 18 at half size. NaN where they do not exist. @throws ShapeError as {@link brisque} */
export async function brisqueFeatures(picture: Tensor): Promise<number[]> {
  const [, height, width] = expectPicture(picture);
  if (Math.min(height, width) < leastSide) {
    throw new ShapeError(
      `BRISQUE needs a picture of at least ${leastSide} x ${leastSide} pixels, this one has ${width} x ${height}`,
    );
  }
  const { scales } = await sceneStatistics(picture, { border: "zero" });
  return scales.flatMap(([whole]) => featuresOf(whole!));
}

/** Of the coefficients shape and variance; of each product shape, mean and both variances. */
function featuresOf([own, ...products]: BlockMoments): number[] {
  const { shape, variance } = fitSymmetric(own!);
  return [
    ...[shape, variance],
    ...products.flatMap((moments) => {
      const { shape, leftDeviation, rightDeviation } = fitAsymmetric(moments);
      const spread = Math.sqrt(gamma(1 / shape) / gamma(3 / shape));
      const mean = (rightDeviation - leftDeviation) * (gamma(2 / shape) / gamma(1 / shape)) * spread;
      return [shape, mean, leftDeviation ** 2, rightDeviation ** 2];
    }),
  ];
}

/** Σ_i c_i exp(−γ |s_i − x|²) − ρ, with features x brought to [−1, 1]. */
export function brisqueOf(features: readonly number[], parameters: BrisqueParameters): number {
  const { minimum, maximum, gamma, offset, coefficients, vectors } = parameters;
  const x = features.map((value, k) => -1 + (2 * (value - minimum[k]!)) / (maximum[k]! - minimum[k]!));
  const kernel = (vector: readonly number[]) =>
    Math.exp(-gamma * vector.reduce((sum, value, k) => sum + (value - x[k]!) ** 2, 0));
  return vectors.reduce((sum, vector, i) => sum + coefficients[i]! * kernel(vector), -offset);
}
