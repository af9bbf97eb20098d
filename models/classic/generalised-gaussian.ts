import type { Moments } from "./scene-statistics.ts";

/** Lanczos' approximation with g = 7 and nine terms (Godfrey), about 15 digits. */
const lanczos = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/** Shapes α that are tried, as in the authors' programs: 0.2, 0.201 … 10. */
const leastShape = 0.2;
const shapeStep = 0.001;
const shapes = Float64Array.from({ length: 9801 }, (_, i) => leastShape + i * shapeStep);
/** Γ(2/α)² / (Γ(1/α) Γ(3/α)) of each: rises with α. */
const ratios = shapes.map((shape) => gamma(2 / shape) ** 2 / (gamma(1 / shape) * gamma(3 / shape)));

/** A generalised Gaussian, symmetric around 0. */
export interface Symmetric {
  readonly shape: number;
  readonly variance: number;
}

/** An asymmetric generalised Gaussian: one shape, a spread on each side of its mode at 0. */
export interface Asymmetric {
  readonly shape: number;
  /** Root mean squares of the numbers below and above 0. */
  readonly leftDeviation: number;
  readonly rightDeviation: number;
}

/**
 * Fit by moments (Sharifi & Leon-Garcia 1995): the shape whose Γ(1/α) Γ(3/α) / Γ(2/α)² is nearest E[v²] / E[|v|]². NaN where all
 * numbers are 0.
 */
export function fitSymmetric({ negativeSquares, positiveSquares, magnitudes, count }: Moments): Symmetric {
  const variance = (negativeSquares + positiveSquares) / count;
  const rho = variance / (magnitudes / count) ** 2;
  return { shape: nearestShape(rho, (ratio) => 1 / ratio), variance };
}

/** Fit by moments (Lasmar, Stitou & Berthoumieu 2009). NaN where no number is below 0, or none above. */
export function fitAsymmetric(moments: Moments): Asymmetric {
  const { negativeSquares, negatives, positiveSquares, positives, magnitudes, count } = moments;
  const leftDeviation = Math.sqrt(negativeSquares / negatives);
  const rightDeviation = Math.sqrt(positiveSquares / positives);
  const g = leftDeviation / rightDeviation;
  const r = (magnitudes / count) ** 2 / ((negativeSquares + positiveSquares) / count);
  const shape = nearestShape((r * (g ** 3 + 1) * (g + 1)) / (g ** 2 + 1) ** 2, (ratio) => ratio);
  return { shape, leftDeviation, rightDeviation };
}

/** The shape whose value is nearest, the first of two; `of` is monotone in the ratio. */
function nearestShape(value: number, of: (ratio: number) => number): number {
  if (Number.isNaN(value)) return Number.NaN;
  const rises = of(2) > of(1);
  let [low, high] = [0, shapes.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (of(ratios[middle]!) < value === rises) low = middle;
    else high = middle;
  }
  const distance = (i: number) => Math.abs(of(ratios[i]!) - value);
  return shapes[distance(high) < distance(low) ? high : low]!;
}

/** Γ(x) for x > 0. */
export function gamma(x: number): number {
  if (x < 0.5) return Math.PI / (Math.sin(Math.PI * x) * gamma(1 - x));
  const z = x - 1;
  const t = z + 7.5;
  const series = lanczos.reduce((sum, term, i) => (i === 0 ? term : sum + term / (z + i)), 0);
  return Math.sqrt(2 * Math.PI) * t ** (z + 0.5) * Math.exp(-t) * series;
}
