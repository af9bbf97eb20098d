/**
 * Normal density at the members of a score set, divided by its sum.
 *
 * p_j = exp(−(M_j − c)² / 2s²) / Σ_i exp(−(M_i − c)² / 2s²)
 *
 * The expectation is c as long as c lies some deviations inside the set and s is no smaller than about half the distance
 * of its members. Nearer to an end the density beyond it is missing, and the expectation moves inwards: with s = 10 and the
 * set 1..100 it is 8.7 for c = 1 and 20.6 for c = 20. A much smaller s makes it one-hot on the nearest member.
 * @param scores ascending
 * @param deviation s, in the units of the scores
 * @returns [scores.length], sums to 1
 * @throws RangeError when the deviation is not a positive number
 */
export function normalShape(scores: Float64Array, centre: number, deviation: number): Float64Array {
  if (!(deviation > 0 && Number.isFinite(deviation))) {
    throw new RangeError(`The standard deviation of a label must be a positive number, got ${deviation}.`);
  }
  const exponents = scores.map((score) => -((score - centre) ** 2) / (2 * deviation ** 2));
  return normalised(exponents);
}

/**
 * The distribution of greatest entropy on 0..count-1 with the given mean: p_j = e^{θj} / Σ_i e^{θi}. One-hot at the ends.
 *
 * θ is the root of E_θ[j] − mean, whose derivative is Var_θ[j] > 0: Newton's method, with a bisection where a step leaves
 * the interval known to hold the root.
 * @param mean from 0 to count − 1
 * @returns [count], sums to 1
 *
 * Source: Jaynes (1957); as labels for MOS in idealo's image-quality-assessment.
 */
export function maximumEntropyShape(count: number, mean: number): Float64Array {
  const last = count - 1;
  // Of the two halves of the set, the lower one: near 0 the mean has its full relative precision.
  if (mean > last / 2) return maximumEntropyShape(count, last - mean).reverse();
  if (mean <= 0) return oneHot(count, 0);
  const shapeAt = (theta: number) => normalised(Float64Array.from({ length: count }, (_, j) => theta * j));
  // θ = 0 has its mean in the middle. Without an end above, the mean of e^{θj} would be e^θ / (1 − e^θ); with one it is less.
  let [low, high] = [Math.log(mean / (1 + mean)), 0];
  let theta = 0;
  let shape = shapeAt(theta);
  for (let iteration = 0; iteration < mostIterations; iteration++) {
    const [found, variance] = moments(shape);
    const excess = found - mean;
    if (Math.abs(excess) <= tolerance * mean) break;
    if (excess > 0) high = theta;
    else low = theta;
    const newton = theta - excess / variance;
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (next === theta) break;
    theta = next;
    shape = shapeAt(theta);
  }
  return shape;
}

/** Relative error of the mean at which the search for θ ends. */
const tolerance = 1e-13;
/** Bisections from an interval of 50 to the resolution of doubles take fewer. */
const mostIterations = 100;

/** 1 at one place, 0 elsewhere. */
export function oneHot(count: number, at: number): Float64Array {
  const shape = new Float64Array(count);
  shape[at] = 1;
  return shape;
}

/**
 * What classes become where they are learnt, [C, C] row-major: one-hot rows or, with σ > 0, p_j ∝ exp(−(j − c)² / 2σ²) in row c, which
 * adds up to 1.
 * @param sigma σ, in classes
 */
export function classShapes(classes: number, sigma = 0): Float32Array<ArrayBuffer> {
  const places = Float64Array.from({ length: classes }, (_, c) => c);
  const shapes = new Float32Array(classes ** 2);
  places.forEach((c) => {
    shapes.set(sigma > 0 ? normalShape(places, c, sigma) : oneHot(classes, c), c * classes);
  });
  return shapes;
}

/** Mean and variance of the place. */
function moments(shape: Float64Array): [number, number] {
  const mean = shape.reduce((sum, p, j) => sum + p * j, 0);
  return [mean, shape.reduce((sum, p, j) => sum + p * (j - mean) ** 2, 0)];
}

/** Softmax. */
function normalised(exponents: Float64Array): Float64Array {
  const largest = exponents.reduce((a, b) => Math.max(a, b));
  const weights = exponents.map((exponent) => Math.exp(exponent - largest));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
}
