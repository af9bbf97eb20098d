import { mean, type Scores } from "./pairs.ts";

/** A mean with the ends of its interval, in the units of the values. */
export interface MeanInterval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** 97.5 % quantiles of Student's t distribution with 1 to 30 degrees of freedom. */
const quantiles = [
  12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.306, 2.2622, 2.2281, 2.201, 2.1788, 2.1604, 2.1448, 2.1314,
  2.1199, 2.1098, 2.1009, 2.093, 2.086, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
];

/**
 * Mean of a few repeats with its 95 % interval by Student's t, mean ± t · sd / √n.
 * @returns undefined for fewer than two values
 */
export function meanInterval(values: Scores): MeanInterval | undefined {
  const n = values.length;
  if (n < 2) return undefined;
  const centre = mean(values);
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (values[i]! - centre) ** 2;
  // Beyond the table: z + (z³ + z) / 4ν + (5z⁵ + 16z³ + 3z) / 96ν² with the normal quantile z, to four digits.
  const quantile = quantiles[n - 2] ?? 1.95996 + 2.37227 / (n - 1) + 2.8225 / (n - 1) ** 2;
  const half = quantile * Math.sqrt(squares / (n - 1) / n);
  return { mean: centre, low: centre - half, high: centre + half };
}
