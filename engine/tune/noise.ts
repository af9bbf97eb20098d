/** Standard errors beyond which a difference is not called chance. */
export const deviations = 2;

/**
 * Standard error of a median of n values with spread σ (half the distance between the 16th and the 84th percentile, σ of a
 * normal distribution):   s = √(π / 2) · σ / √n
 * The asymptotic one of the normal distribution. One value has no spread to speak of, so that its error is unknown.
 */
export function errorOfMedian(spread: number, n: number): number {
  return n < 2 ? Number.POSITIVE_INFINITY : (Math.sqrt(Math.PI / 2) * spread) / Math.sqrt(n);
}

/** Between the two nearest of sorted values. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
  return below + (above - below) * (at - Math.floor(at));
}

/** How far the median of times may be off by chance: two standard errors, as a share of it. */
export function relativeNoise(times: readonly number[]): number {
  if (times.length === 0) return Number.POSITIVE_INFINITY;
  const sorted = times.toSorted((a, b) => a - b);
  const spread = (quantile(sorted, 0.84) - quantile(sorted, 0.16)) / 2;
  return (deviations * errorOfMedian(spread, sorted.length)) / quantile(sorted, 0.5);
}

/** Fewer times than this say nothing of their own noise. */
const leastForNoise = 5;

/**
 * Whether there are enough times.
 * @param runs at least so many
 * @param noise and so many more, up to `most`, that their median is known to this share
 */
export function isEnough(
  times: readonly number[],
  { runs, noise, most = 200 }: { readonly runs: number; readonly noise?: number | undefined; readonly most?: number },
): boolean {
  if (times.length < runs) return false;
  if (noise === undefined || times.length >= Math.max(runs, most)) return true;
  return times.length >= leastForNoise && relativeNoise(times) <= noise;
}

/** 97.5 % of Student's distribution lie below, for 1 to 30 degrees of freedom; further ones are close to the normal one. */
const student = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
] as const;

/** A ratio with the interval that holds it in 95 of 100 such experiments. */
export interface Ratio {
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  readonly pairs: number;
}

/**
 * The ratio b / a of paired times: with d = ln b − ln a of each pair, exp(mean d ± t · s / √n) with Student's t of n − 1 degrees of
 * freedom. What disturbs both of a pair alike falls out. One pair has no interval.
 */
export function pairedRatio(pairs: readonly (readonly [number, number])[]): Ratio {
  const logs = pairs.map(([a, b]) => Math.log(b / a));
  const n = logs.length;
  const mean = logs.reduce((sum, value) => sum + value, 0) / n;
  const variance = logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const t = student[Math.min(n - 2, student.length - 1)] ?? Number.POSITIVE_INFINITY;
  const half = n < 2 ? Number.POSITIVE_INFINITY : t * Math.sqrt(variance / n);
  return { ratio: Math.exp(mean), low: Math.exp(mean - half), high: Math.exp(mean + half), pairs: n };
}
