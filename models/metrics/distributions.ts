import { MetricError, type Scores } from "./pairs.ts";

/**
 * Jensen-Shannon divergence of two distributions over the same scores, in nats:
 * JS = KL(p ‖ a) / 2 + KL(q ‖ a) / 2 with a = (p + q) / 2. Its square root is the Jensen-Shannon distance, which SciPy gives.
 * @returns from 0, equal, to ln 2 = 0.693, no score in common
 * @throws MetricError when the lists are no distributions over the same scores
 */
export function jensenShannon(p: Scores, q: Scores): number {
  const [perP, perQ] = checkDistributions(p, q);
  let sum = 0;
  for (let j = 0; j < p.length; j++) {
    const [a, b] = [p[j]! * perP, q[j]! * perQ];
    if (a > 0) sum += (a * Math.log((2 * a) / (a + b))) / 2;
    if (b > 0) sum += (b * Math.log((2 * b) / (a + b))) / 2;
  }
  return Math.max(0, sum);
}

/**
 * 1-Wasserstein distance of two distributions over the same equally spaced scores, whose whole range counts as 1: the area
 * between the cumulative distributions.
 * @returns from 0, equal, to 1, all mass at opposite ends
 * @throws MetricError as {@link jensenShannon}
 */
export function wasserstein(p: Scores, q: Scores): number {
  let sum = 0;
  for (const difference of cumulativeDifferences(p, q)) sum += Math.abs(difference);
  return sum / (p.length - 1);
}

/**
 * Earth mover's distance in the form that NIMA is trained with, r = 2: the root of the mean squared difference of the
 * cumulative distributions over the m scores.
 * @returns from 0, equal, to √((m − 1) / m), all mass at opposite ends
 * @throws MetricError as {@link jensenShannon}
 *
 * Source: Talebi and Milanfar, "NIMA: Neural Image Assessment", IEEE TIP 27 (2018), Eq. 1.
 */
export function emd(p: Scores, q: Scores): number {
  let sum = 0;
  for (const difference of cumulativeDifferences(p, q)) sum += difference * difference;
  return Math.sqrt(sum / p.length);
}

/**
 * Cumulative share of a distribution over m equally spaced scores from 0 to 1, below `at`. The mass of a score lies evenly over
 * the positions that are nearest to it, so that the share grows without jumps: the first and last score have half as many.
 * @param at position on the unit range; what lies outside has share 0 or 1
 * @returns a number in [0, 1]
 */
export function cumulativeShare(p: Scores, at: number): number {
  const last = p.length - 1;
  const place = Math.min(last + 0.5, Math.max(0.5, at * last + 0.5));
  const cell = Math.min(last, Math.floor(place));
  const start = cell === 0 ? 0.5 : cell;
  const end = cell === last ? last + 0.5 : cell + 1;
  let below = 0;
  let total = 0;
  for (let j = 0; j <= last; j++) {
    total += p[j]!;
    if (j < cell) below += p[j]!;
  }
  return Math.min(1, (below + (p[cell]! * (place - start)) / (end - start)) / total);
}

/**
 * {@link cumulativeShare} of probabilities of classes that cut the unit range into equal widths, each even over its class.
 * @param edges where classes of other widths meet, ascending in the unit range
 * @returns a number in [0, 1]
 */
export function cumulativeClassShare(p: Scores, at: number, edges: readonly number[] = []): number {
  const place = Math.min(p.length, Math.max(0, edges.length > 0 ? placeAmong([0, ...edges, 1], at) : at * p.length));
  let below = 0;
  let total = 0;
  for (let c = 0; c < p.length; c++) {
    total += p[c]!;
    below += p[c]! * Math.min(1, Math.max(0, place - c));
  }
  return Math.min(1, below / total);
}

/** How many classes between these ends lie below a place, the one that it is in by its share. */
function placeAmong(ends: readonly number[], at: number): number {
  const c = ends.slice(1, -1).filter((end) => at >= end).length;
  return c + (at - ends[c]!) / (ends[c + 1]! - ends[c]!);
}

/**
 * How often each grade was given → distribution over m scores: every opinion lies evenly among the scores that are nearer to its
 * grade than to the next. Both sets are equally spaced; with as many scores as grades nothing changes.
 * @param grades counts or shares, worst first
 * @param levels m
 * @param window where the lowest and highest score lie, from the lowest grade, 0, to the highest, 1; opinions beyond
 * count as the end
 * @returns [m], sums to 1
 * @throws MetricError when the grades are no distribution
 */
export function gradesOnScores(
  grades: Scores,
  levels: number,
  window: readonly [number, number] = [0, 1],
): Float64Array {
  checkDistribution("distribution of grades", grades);
  const [low, high] = window;
  const share = (edge: number) => cumulativeShare(grades, low + (high - low) * edge);
  const scores = new Float64Array(levels);
  let before = 0;
  for (let j = 0; j < levels; j++) {
    const after = j === levels - 1 ? 1 : share((j + 0.5) / (levels - 1));
    scores[j] = after - before;
    before = after;
  }
  return scores;
}

/**
 * Normal distribution on m equally spaced scores from 0 to 1: its density there, made to sum to 1.
 * @param mean on the unit range
 * @param sd same units; 0 puts all on the nearest score
 * @returns [m]
 * @throws MetricError when mean or sd is no finite number, or sd is negative
 */
export function normalOnScores(mean: number, sd: number, levels: number): Float64Array {
  if (!Number.isFinite(mean) || !(sd >= 0) || !Number.isFinite(sd)) {
    throw new MetricError(
      `A normal distribution needs a finite mean and an sd of at least 0, got mean ${mean} and sd ${sd}.`,
    );
  }
  const scores = Float64Array.from({ length: levels }, (_, j) => j / (levels - 1));
  const nearest = Math.min(levels - 1, Math.max(0, Math.round(mean * (levels - 1))));
  const closest = (scores[nearest]! - mean) ** 2;
  // Divided by the largest density before it could underflow everywhere.
  const density = scores.map((score, j) =>
    j === nearest ? 1 : sd === 0 ? 0 : Math.exp((closest - (score - mean) ** 2) / (2 * sd * sd)),
  );
  const total = density.reduce((sum, value) => sum + value, 0);
  return density.map((value) => value / total);
}

/** Differences of the cumulative distributions after each score but the last, where both are 1. */
function* cumulativeDifferences(p: Scores, q: Scores): Generator<number> {
  const [perP, perQ] = checkDistributions(p, q);
  let difference = 0;
  for (let j = 0; j < p.length - 1; j++) {
    difference += p[j]! * perP - q[j]! * perQ;
    yield difference;
  }
}

/** Checks both and returns what each is multiplied with to sum to 1. */
function checkDistributions(p: Scores, q: Scores): [number, number] {
  if (p.length !== q.length) {
    throw new MetricError(
      `Distributions over ${p.length} and ${q.length} scores cannot be compared; bring both to one.`,
    );
  }
  return [1 / checkDistribution("first distribution", p), 1 / checkDistribution("second distribution", q)];
}

/** Returns the sum. @throws MetricError when there are fewer than two scores, a negative share, or nothing at all */
function checkDistribution(name: string, p: Scores): number {
  if (p.length < 2) throw new MetricError(`The ${name} needs at least 2 scores, got ${p.length}.`);
  let sum = 0;
  for (let j = 0; j < p.length; j++) {
    if (!(p[j]! >= 0 && Number.isFinite(p[j]))) {
      throw new MetricError(`The ${name} has ${p[j]} at index ${j}; shares are finite numbers of at least 0.`);
    }
    sum += p[j]!;
  }
  if (!(sum > 0)) throw new MetricError(`The ${name} is 0 everywhere.`);
  return sum;
}
