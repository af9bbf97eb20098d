import { checkPairs, moments, type Scores } from "./pairs.ts";

/**
 * Pearson linear correlation coefficient (PLCC) of the raw scores, without a fitted curve.
 * @returns a number in [-1, 1], higher is better; NaN when either list is constant (undefined)
 * @throws MetricError on different lengths, fewer than 2 pictures or non-finite scores
 */
export function plcc(predicted: Scores, mos: Scores): number {
  checkPairs(predicted, mos, 2);
  return correlation(predicted, mos);
}

/** Pearson correlation of lists that are already checked; NaN when one is constant. */
export function correlation(x: Scores, y: Scores): number {
  const { xx, yy, xy } = moments(x, y);
  if (xx === 0 || yy === 0) return Number.NaN;
  return Math.max(-1, Math.min(1, xy / (Math.sqrt(xx) * Math.sqrt(yy))));
}

/**
 * Root mean squared error, in the units of the scores; 0 is perfect.
 * @throws MetricError on different lengths, no pictures or non-finite scores
 */
export function rmse(predicted: Scores, mos: Scores): number {
  checkPairs(predicted, mos, 1);
  let sum = 0;
  for (let i = 0; i < mos.length; i++) sum += (predicted[i]! - mos[i]!) ** 2;
  return Math.sqrt(sum / mos.length);
}

/**
 * Mean absolute error, in the units of the scores; 0 is perfect.
 * @throws MetricError on different lengths, no pictures or non-finite scores
 */
export function mae(predicted: Scores, mos: Scores): number {
  checkPairs(predicted, mos, 1);
  let sum = 0;
  for (let i = 0; i < mos.length; i++) sum += Math.abs(predicted[i]! - mos[i]!);
  return sum / mos.length;
}

/**
 * Least-squares slope of predicted on true scores, cov(predicted, mos) / var(mos). 1 keeps the scale; below 1 the
 * predictions crowd the middle, which rank correlations cannot see.
 * @returns the slope; NaN when the true scores are constant (undefined)
 * @throws MetricError on different lengths, fewer than 2 pictures or non-finite scores
 */
export function slope(predicted: Scores, mos: Scores): number {
  checkPairs(predicted, mos, 2);
  const { yy, xy } = moments(predicted, mos);
  return yy === 0 ? Number.NaN : xy / yy;
}
