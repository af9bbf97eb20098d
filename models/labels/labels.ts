import { checkRange, type MosRange } from "../data/range.ts";
import { maximumEntropyShape, normalShape, oneHot } from "./label-shapes.ts";
import { opinionShape, pqrDeviation } from "./opinion-labels.ts";

/** Lowest score of the common scale of Eq. 1. */
export const LOWEST = 1;
/** Highest score of the common scale of Eq. 1. */
export const HIGHEST = 100;

/**
 * How a score becomes a distribution over the score set (Eq. 2).
 * - `adjacent`: linear interpolation between the two neighbouring scores. Keeps the expectation; smallest variance
 * - `minent`: the exact minimum of the entropy at the given expectation: one neighbour and the far end of the scale
 * - `nearest`: one-hot on the nearest score. Keeps the expectation only to within half a bin
 * - `gauss`: normal density of a fixed standard deviation at the scores, renormalised. Near the ends the expectation moves
 *   inwards, see {@link normalShape}
 * - `gauss-own`: the same with the standard deviation of the opinions on each picture; below half a bin `adjacent`
 * - `maxent`: the greatest entropy at the given expectation, the opposite of `minent`
 * - `onehot5`: one-hot on one of five levels by five equal intervals of the scale (Q-Align), with m = 5 alone. Level i, from
 *   1, takes 1 + 99 (i − 1) / 5 < y ≤ 1 + 99 i / 5, and the first the lowest score too. The expectation over the levels
 *   1, 25.75, … 100 is an even stretch of that over the intervals' centres
 * - `pqr`: normal density at the middles of m equal intervals of the scale, p_j ∝ exp(−64 (s − (j − ½)/m)²) with the score as a share
 *   s of the scale (PQR, Zeng et al. 2018, with m = 5). The paper reads scores by a support vector machine; here the expectation is
 *   taken, which for the labels is up to 9.5 of 99 off, in the order of the scores
 * - `deqa`: normal with the deviation of the opinions on each picture, its sum and mean kept ({@link opinionShape}); without one
 *   `adjacent`
 * - `histogram`: the grades that were given of each picture (`gradesOnScores`); of a score without them `adjacent`
 */
export type LabelMode = (typeof LABEL_MODES)[number];

/** Every label mode, the default first. */
export const LABEL_MODES = [
  "adjacent",
  "minent",
  "nearest",
  "gauss",
  "gauss-own",
  "maxent",
  "onehot5",
  "pqr",
  "deqa",
  "histogram",
] as const;

/** Levels of the score set that the mode `onehot5` is for. */
export const ONE_HOT_LEVELS = 5;

/** Options of `convert`. */
export interface ConvertOptions {
  /** @default "adjacent" */
  readonly mode?: LabelMode;
  /** m, the number of scores in the score set. @default 100 */
  readonly levels?: number;
  /** Standard deviation of the mode `gauss`, on the scale [1, 100], and of `gauss-own` for a score without one. @default 10 */
  readonly deviation?: number;
  /** Of the opinions on each picture, for the modes `gauss-own` and `deqa`, on the same scale; with `deqa` a score without one is interpolated. */
  readonly deviations?: readonly (number | undefined)[] | undefined;
}

// Scores closer than this to a member of the score set, in bins, count as that member; ties are decided with the same
// slack. It absorbs the rounding of Eq. 1, e.g. MOS 3 of [1, 5], which lies exactly half way.
const SLACK = 1e-9;

function checkLevels(levels: number): void {
  if (!Number.isInteger(levels) || levels < 2) {
    throw new RangeError(`The score set needs an integer number of levels of at least 2, got ${levels}.`);
  }
}

function checkScore(score: number): void {
  if (score >= LOWEST - SLACK && score <= HIGHEST + SLACK) return;
  throw new RangeError(
    `A score must lie in [${LOWEST}, ${HIGHEST}], got ${score}; check that the MOS range covers every MOS.`,
  );
}

/**
 * MOS on the scale of a data set → score on the common scale [1, 100]: y = 1 + 99 (MOS - lo) / (hi - lo).
 * With the nominal range nothing leaks from the test part; values outside the range map outside [1, 100].
 * @throws RangeError when the range is empty or not finite
 *
 * Source: CPL-IQA (ICML 2025), Eq. 1.
 */
export function normaliseMos(mos: number, range: MosRange): number {
  checkRange(range);
  return LOWEST + ((HIGHEST - LOWEST) * (mos - range[0])) / (range[1] - range[0]);
}

/**
 * Inverse of `normaliseMos`: score on [1, 100] → MOS on the scale of the data set.
 * @throws RangeError when the range is empty or not finite
 */
export function denormaliseScore(score: number, range: MosRange): number {
  checkRange(range);
  return range[0] + ((range[1] - range[0]) * (score - LOWEST)) / (HIGHEST - LOWEST);
}

/**
 * The score set M: `levels` equally spaced scores from 1 to 100, M_j = 1 + 99 (j - 1) / (m - 1).
 * @returns [levels]
 * @throws RangeError when levels is not an integer of at least 2
 */
export function scoreSet(levels: number): Float64Array {
  checkLevels(levels);
  return Float64Array.from({ length: levels }, (_, j) => LOWEST + ((HIGHEST - LOWEST) * j) / (levels - 1));
}

/**
 * One score → probabilities over the score set, by Eq. 2 or another rule. A score that is a member of the set becomes
 * one-hot in the modes of at most two scores, an end of the set in `maxent` too. Ties: `minent` takes the pair with the upper
 * end of the scale (y = 50.5, m = 100 → 0.99 at 50, 0.01 at 100); `nearest` rounds half a bin upwards; `onehot5` takes the
 * lower of two levels.
 * @param score on the common scale [1, 100]
 * @param deviation standard deviation of the mode `gauss` or, of the opinions, of `gauss-own` and `deqa`, on the same scale
 * @returns [levels], sums to 1
 * @throws RangeError when the score is outside [1, 100] or not a number, levels is wrong or not 5 with `onehot5`, or the
 * deviation is not positive
 *
 * Source: CPL-IQA (ICML 2025), Eq. 2. The entropy is concave, so its minimum lies on a vertex of the polytope of
 * distributions with the given mean: at most two scores, of which one neighbours y and one is an end of the scale.
 */
export function convertScore(score: number, mode: LabelMode, levels: number, deviation?: number): Float64Array {
  checkLevels(levels);
  checkScore(score);
  const last = levels - 1;
  const between = (count: number) => Math.max(0, Math.min(count, ((score - LOWEST) * count) / (HIGHEST - LOWEST)));
  const rounded = Math.round(between(last));
  const isMember = Math.abs(between(last) - rounded) < SLACK;
  const position = isMember ? rounded : between(last);
  switch (mode) {
    case "deqa":
    case "histogram": {
      const ofLevels = mode === "deqa" && deviation !== undefined ? (deviation * last) / (HIGHEST - LOWEST) : 0;
      return opinionShape(levels, position, ofLevels) ?? convertScore(score, "adjacent", levels);
    }
    case "pqr":
      return normalShape(classCentres(levels), score, pqrDeviation(HIGHEST - LOWEST));
    case "adjacent":
    case "minent":
    case "nearest":
      return isMember ? oneHot(levels, rounded) : betweenMembers(position, mode, levels);
    case "gauss-own":
      if (deviation !== undefined && deviation >= 0 && deviation < (HIGHEST - LOWEST) / last / 2)
        return convertScore(score, "adjacent", levels);
      return convertScore(score, "gauss", levels, deviation);
    case "gauss":
      return normalShape(scoreSet(levels), score, deviation ?? 10);
    case "maxent":
      return maximumEntropyShape(levels, position);
    case "onehot5":
      if (levels !== ONE_HOT_LEVELS) {
        throw new RangeError(`The label mode onehot5 is for a score set of ${ONE_HOT_LEVELS} levels, got ${levels}.`);
      }
      return oneHot(levels, classOf(score, levels));
    default:
      throw new RangeError(`Unknown label mode ${JSON.stringify(mode)}; choose one of ${LABEL_MODES.join(", ")}.`);
  }
}

/**
 * The class of a score, from 0 for the lowest quality, among so many of equal width: class c of C takes
 * 1 + 99 c / C < y ≤ 1 + 99 (c + 1) / C, and the first the lowest score too.
 * @param score on the common scale [1, 100]
 * @param edges where classes of other widths meet, C − 1 ascending scores on that scale; each belongs to the class below
 * @throws RangeError when the score is outside it or there are not at least 2 classes
 */
export function classOf(score: number, classes: number, edges: readonly number[] = []): number {
  checkLevels(classes);
  checkScore(score);
  if (edges.length > 0) return edges.filter((edge) => score > edge + SLACK).length;
  const place = ((score - LOWEST) * classes) / (HIGHEST - LOWEST);
  return Math.max(0, Math.min(classes, Math.ceil(place - SLACK)) - 1);
}

/**
 * The share of the common scale below a score, 0 to 1.
 * @throws RangeError when the score is outside [1, 100]
 */
export function shareOf(score: number): number {
  checkScore(score);
  return (score - LOWEST) / (HIGHEST - LOWEST);
}

/**
 * The scores in the middle of classes of equal width: 1 + 99 (c + 1/2) / C.
 * @param edges as of {@link classOf}; then half way between those of a class, the ends of the scale being the outermost
 * @returns [classes]
 * @throws RangeError when there are not at least 2
 */
export function classCentres(classes: number, edges: readonly number[] = []): Float64Array {
  checkLevels(classes);
  if (edges.length > 0) {
    const ends = [LOWEST, ...edges, HIGHEST];
    return Float64Array.from({ length: classes }, (_, c) => (ends[c]! + ends[c + 1]!) / 2);
  }
  return Float64Array.from({ length: classes }, (_, c) => LOWEST + ((HIGHEST - LOWEST) * (c + 0.5)) / classes);
}

/** Labels of at most two scores for a position between two members of the set, counted from 0. */
function betweenMembers(position: number, mode: "adjacent" | "minent" | "nearest", levels: number): Float64Array {
  const label = new Float64Array(levels);
  const last = levels - 1;
  const below = Math.floor(position);
  const fraction = position - below;
  if (mode === "nearest") return oneHot(levels, fraction >= 0.5 - SLACK ? below + 1 : below);
  if (mode === "adjacent") {
    label[below] = 1 - fraction;
    label[below + 1] = fraction;
    return label;
  }
  const massAtTop = fraction / (last - below);
  const massAtBottom = (1 - fraction) / (below + 1);
  if (massAtTop <= massAtBottom + SLACK) {
    label[below] = 1 - massAtTop;
    label[last] = massAtTop;
  } else {
    label[0] = massAtBottom;
    label[below + 1] = 1 - massAtBottom;
  }
  return label;
}

/**
 * Scores → label matrix, one row per score; the layout the GPU takes.
 * @param scores on the common scale [1, 100]
 * @returns [scores.length, levels] row-major, each row sums to 1
 * @throws RangeError as `convertScore`
 */
export function convert(scores: ArrayLike<number>, options: ConvertOptions = {}): Float32Array {
  const { mode = "adjacent", levels = 100, deviation, deviations = [] } = options;
  checkLevels(levels);
  const labels = new Float32Array(scores.length * levels);
  for (let i = 0; i < scores.length; i++) {
    const own = mode === "deqa" ? deviations[i] : mode === "gauss-own" ? (deviations[i] ?? deviation) : deviation;
    labels.set(convertScore(scores[i]!, mode, levels, own), i * levels);
  }
  return labels;
}

/**
 * Expectation sum_j p_j M_j of a distribution.
 * @param scores M; the score set of its length unless given
 * @returns a score on [1, 100] when p sums to 1
 */
export function expectation(p: ArrayLike<number>, scores = scoreSet(p.length)): number {
  let sum = 0;
  for (let j = 0; j < p.length; j++) sum += p[j]! * scores[j]!;
  return sum;
}

/**
 * Standard deviation of a distribution, on the [1, 100] scale; 0 for one-hot.
 * @param scores that its entries are of; the score set of its length unless given
 */
export function standardDeviation(p: ArrayLike<number>, scores = scoreSet(p.length)): number {
  const centre = expectation(p, scores);
  let variance = 0;
  for (let j = 0; j < p.length; j++) variance += p[j]! * (scores[j]! - centre) ** 2;
  return Math.sqrt(variance);
}

/** Shannon entropy H(p) = -sum_j p_j ln p_j in nats, from 0 (one-hot) to ln m (uniform); 0 ln 0 = 0. */
export function entropy(p: ArrayLike<number>): number {
  let sum = 0;
  for (let j = 0; j < p.length; j++) if (p[j]! > 0) sum -= p[j]! * Math.log(p[j]!);
  return sum;
}

/**
 * Confidence of a pseudo-label, 1 - H(p) / ln m: 0 for uniform, 1 for one-hot.
 * @returns a number in [0, 1]
 * @throws RangeError when p has fewer than 2 entries
 *
 * Source: CPL-IQA (ICML 2025), Eq. 8, in the form of Iscen et al. (CVPR 2019), Eq. 11.
 */
export function confidence(p: ArrayLike<number>): number {
  checkLevels(p.length);
  return Math.max(0, Math.min(1, 1 - entropy(p) / Math.log(p.length)));
}

/** Options of `confidences`. */
export interface ConfidenceOptions {
  /** Divide by the largest, as the code of Iscen et al. does; else the weights stay near 0.15 at m = 100. @default true */
  readonly divideByMaximum?: boolean;
}

/**
 * Confidences (Eq. 8) of a matrix of pseudo-labels.
 * @param rows [n, levels] row-major, each row a distribution
 * @returns [n], in [0, 1]; all 0 when every row is uniform
 * @throws RangeError when the length of `rows` is no multiple of levels
 */
export function confidences(rows: ArrayLike<number>, levels: number, options: ConfidenceOptions = {}): Float64Array {
  checkLevels(levels);
  if (rows.length % levels !== 0) {
    throw new RangeError(`A label matrix of ${levels} levels cannot have ${rows.length} entries.`);
  }
  const weights = Float64Array.from({ length: rows.length / levels }, (_, i) =>
    confidence(Array.from({ length: levels }, (_, j) => rows[i * levels + j]!)),
  );
  const largest = weights.reduce((a, b) => Math.max(a, b), 0);
  return (options.divideByMaximum ?? true) && largest > 0 ? weights.map((weight) => weight / largest) : weights;
}
