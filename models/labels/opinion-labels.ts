import { normalShape } from "./label-shapes.ts";

/** Normal distribution Φ(x), the probability below x deviations; to 1e-15. */
export function normalCdf(x: number): number {
  if (Number.isNaN(x)) return Number.NaN;
  if (Math.abs(x) > 8.3) return x < 0 ? 0 : 1;
  // Φ(x) = ½ + φ(x) (x + x³/3 + x⁵/(3·5) + …), whose terms have one sign (Marsaglia 2004).
  let [sum, term] = [x, x];
  for (let odd = 3; sum + term !== sum; odd += 2) {
    term *= (x * x) / odd;
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}

/** Below this deviation, in levels, a label is the interpolation between its neighbours. */
const leastDeviation = 0.2;
/** Below this one the density between levels is not told by that at them: the mass of their cells is taken. */
const leastDensity = 0.5;
/** Levels by which clipping may move the mean. */
const mostOffset = 0.1;

/**
 * The opinions on one picture as a label on 0..count-1 with its own mean and deviation: a normal shape at the levels p, made
 * p′ = α p + β with Σ p′ = 1 and Σ j p′_j = mean, entries below 0 being clipped and the rest divided by its sum. The shape is the density
 * at the levels; with a deviation below ½ level the mass within ½ of each. Undefined with a deviation below 0.2 levels, or where clipping
 * moves the mean by more than 0.1 of them: there the interpolation between neighbours stands.
 * @param mean from 0 to count − 1 @param deviation in levels, at least 0
 * @returns [count], sums to 1
 * @throws RangeError when the deviation is none
 *
 * Source: You et al., "DeQA-Score" (CVPR 2025), whose code sets the thresholds for five levels.
 */
export function opinionShape(count: number, mean: number, deviation: number): Float64Array | undefined {
  if (!(deviation >= 0 && Number.isFinite(deviation)))
    throw new RangeError(
      `The standard deviation of opinions must be a number of levels of at least 0, got ${deviation}.`,
    );
  if (deviation < leastDeviation) return undefined;
  const levels = Float64Array.from({ length: count }, (_, j) => j);
  const below = (edge: number) => normalCdf((edge - mean) / deviation);
  const raw =
    deviation < leastDensity
      ? levels.map((j) => below(j + 0.5) - below(j - 0.5))
      : normalShape(levels, mean, deviation);
  const clipped = corrected(raw, mean).map((p) => Math.max(0, p));
  const total = sumOf(clipped, () => 1);
  const shape = clipped.map((p) => p / total);
  return Math.abs(sumOf(shape, (j) => j) - mean) > mostOffset ? undefined : shape;
}

/** α p + β with sum 1 and the given mean; where p has its own mean in the middle of the levels, α alone. */
function corrected(p: Float64Array, mean: number): Float64Array {
  const middle = (p.length - 1) / 2;
  const mass = sumOf(p, () => 1);
  // Of the two equations the second less `middle` times the first: α Σ (j − middle) p_j = mean − middle.
  const lean = sumOf(p, (j) => j - middle);
  const alpha = Math.abs(lean) < 1e-12 * mass ? 1 / mass : (mean - middle) / lean;
  return p.map((share) => alpha * share + (1 - alpha * mass) / p.length);
}

function sumOf(p: Float64Array, of: (j: number) => number): number {
  return p.reduce((sum, share, j) => sum + share * of(j), 0);
}

/** β of PQR on a scale of length 1: with five levels neighbours of one of them have 0.077 of its weight. */
const pqrBeta = 64;

/** Standard deviation of PQR's labels, on a scale of that length. */
export function pqrDeviation(length: number): number {
  return length / Math.sqrt(2 * pqrBeta);
}
