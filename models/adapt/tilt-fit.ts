import { CholeskyDecomposition, Matrix } from "ml-matrix";
import type { AdaptableHead, Seen } from "./adaptable-head.ts";

/** A picture as the fit takes it. */
export interface Sample {
  readonly seen: Seen;
  /** Free coordinates, of which each weight is shrunk towards 0. */
  readonly x: Float64Array;
  /** The score of the model that is adapted, in standard deviations of all, to first order: what a change of scale needs. */
  readonly z: number;
  /** Rating as a share of the scale. */
  readonly target: number;
}

/** A tilt: weights of the free coordinates, then those of z and of 1. */
export type Weights = Float64Array;

/** What the squares of the weights of z and of 1 count, beside those of the free ones: a change of scale is nearly free. */
const [scaleCost, shiftCost] = [1e-4, 1e-7];
const rounds = 4;
/** Steps of Gauss and Newton for the two of a change of scale. */
const scaleRounds = 12;

export function tiltOf(weights: Weights, { x, z }: Sample): number {
  const free = weights.length - 2;
  let sum = weights[free]! * z + weights[free + 1]!;
  for (let i = 0; i < free; i++) sum += weights[i]! * x[i]!;
  return sum;
}

/** Normal equations of a set of pictures: sums of outer products of their rows with themselves and what they lack. */
export interface Sums {
  readonly gram: Float64Array;
  readonly right: Float64Array;
}

/**
 * The sums of pictures, linearised at a tilt: share(t + δ) ≈ share(t) + slope · δ, so a row is slope · (x, z, 1), and lacks
 * target − share(t) + slope · t.
 */
export function sumsOf(head: AdaptableHead, samples: readonly Sample[], at: Weights): Sums {
  const size = at.length;
  const gram = new Float64Array(size * size);
  const right = new Float64Array(size);
  const row = new Float64Array(size);
  for (const sample of samples) {
    const tilt = tiltOf(at, sample);
    const { share, slope } = head.tilted(sample.seen, tilt);
    for (let i = 0; i < sample.x.length; i++) row[i] = slope * sample.x[i]!;
    row[size - 2] = slope * sample.z;
    row[size - 1] = slope;
    const lack = sample.target - share + slope * tilt;
    for (let i = 0; i < size; i++) {
      const value = row[i]!;
      right[i]! += value * lack;
      for (let j = 0; j <= i; j++) gram[i * size + j]! += value * row[j]!;
    }
  }
  return { gram, right };
}

/** Ridge in closed form: (G + λ D) w = r. @param strength λ */
export function solve({ gram, right }: Sums, strength: number): Weights {
  const size = right.length;
  const matrix = new Matrix(size, size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      matrix.set(i, j, gram[i * size + j]!);
      matrix.set(j, i, gram[i * size + j]!);
    }
    const cost = i < size - 2 ? 1 : i === size - 2 ? scaleCost : shiftCost;
    matrix.set(i, i, matrix.get(i, i) + strength * cost + 1e-12);
  }
  const found = new CholeskyDecomposition(matrix).solve(Matrix.columnVector(Array.from(right)));
  return Float64Array.from(found.to1DArray());
}

/** The change of scale alone, two numbers, that is nearest to the ratings: where every fit starts, and what it is shrunk towards. */
export function scaleFit(head: AdaptableHead, samples: readonly Sample[]): Weights {
  const free = samples[0]!.x.length;
  const bare = samples.map((sample) => ({ ...sample, x: new Float64Array(0) }));
  let two: Weights = new Float64Array(2);
  for (let round = 0; round < scaleRounds; round++) {
    const next = solve(sumsOf(head, bare, two), 1e-4);
    // A step that is too far for the linear form is halved.
    two = better(head, bare, two, next);
  }
  const weights = new Float64Array(free + 2);
  weights.set(two, free);
  return weights;
}

/** The tilt of a strength, by a few steps of Gauss and Newton. */
export function tiltFit(head: AdaptableHead, samples: readonly Sample[], strength: number): Weights {
  let weights = scaleFit(head, samples);
  for (let round = 0; round < rounds; round++) {
    const next = solve(sumsOf(head, samples, weights), strength);
    weights = round === 0 ? next : better(head, samples, weights, next, strength);
  }
  return weights;
}

function better(head: AdaptableHead, samples: readonly Sample[], from: Weights, to: Weights, strength = 0): Weights {
  const loss = (weights: Weights) =>
    samples.reduce((sum, sample) => sum + (shareOf(head, sample, weights) - sample.target) ** 2, 0) +
    strength * weights.subarray(0, -2).reduce((sum, weight) => sum + weight ** 2, 0);
  const start = loss(from);
  for (let step = 1; step > 0.05; step /= 2) {
    const between = from.map((value, i) => value + step * (to[i]! - value));
    if (loss(between) <= start) return between;
  }
  return from;
}

/** The score of a picture with a tilt, as a share of the scale, within it. */
export function shareOf(head: AdaptableHead, sample: Sample, weights: Weights): number {
  return Math.min(1, Math.max(0, head.tilted(sample.seen, tiltOf(weights, sample)).share));
}
