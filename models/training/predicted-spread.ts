import type { MosRange } from "../data/range.ts";
import type { SpreadScore } from "../labels/score.ts";
import {
  cumulativeShare,
  emd,
  gradesOnScores,
  jensenShannon,
  median,
  normalOnScores,
  reliability,
  wasserstein,
} from "../metrics/index.ts";
import type { Head } from "../networks/heads.ts";
import type { RunRecord } from "./run-record.ts";
import type { RatedRow } from "./training.ts";

type Comparison = NonNullable<RunRecord["distributions"]>[number];
type ReliabilityRecord = NonNullable<RunRecord["reliability"]>[number];

/** A test picture with what a model predicted for it. */
export interface PredictedDistribution {
  readonly row: RatedRow;
  /** [m], over the score set, or probabilities of classes. */
  readonly distribution: ArrayLike<number>;
  readonly score: SpreadScore;
}

/** The score set's range and that of the data set's grades; they differ when Eq. 1 takes the observed range. */
export interface Scales {
  readonly scores: MosRange;
  readonly grades: MosRange;
}

/** Share of a predicted distribution below the picture's MOS. @param below what the network's head says of it */
export function shareBelow(
  distribution: ArrayLike<number>,
  mos: number,
  range: MosRange,
  below: NonNullable<Head["shareBelow"]> = cumulativeShare,
): number {
  return below(distribution, onUnit(mos, range));
}

/** Reliability of the spreads predicted for a test part; undefined with fewer than 3 pictures. */
export function spreadReliability(
  name: string,
  predicted: readonly PredictedDistribution[],
  range: MosRange,
  below?: Head["shareBelow"],
): ReliabilityRecord | undefined {
  if (predicted.length < 3) return undefined;
  const pictures = predicted.map(({ row, distribution, score }) => ({
    ...score,
    mos: row.mos,
    shareBelow: shareBelow(distribution, row.mos, range, below),
  }));
  return { name, ...reliability(pictures) };
}

/**
 * Predicted distributions beside what is known of the opinions: the counts of grades, and a normal distribution of the MOS and the
 * standard deviation of the opinions, both on the score set. Pictures without a deviation take the mean of the others'. What
 * the data set does not have is left out.
 */
export function compareDistributions(
  name: string,
  predicted: readonly PredictedDistribution[],
  scales: Scales,
): Comparison[] {
  const { scores, grades } = scales;
  const levels = predicted[0]?.distribution.length ?? 0;
  const window = [onUnit(scores[0], grades), onUnit(scores[1], grades)] as const;
  const counted = predicted.filter(({ row }) => row.histogram && isOfItsMos(row.histogram, row.mos, grades));
  const deviations = predicted.flatMap(({ row }) => row.sd ?? []);
  const meanDeviation = deviations.reduce((sum, sd) => sum + sd, 0) / deviations.length;
  const width = scores[1] - scores[0];
  return [
    ...comparison(counted, { name, reference: "histogram" }, ({ histogram }) =>
      gradesOnScores(histogram!, levels, window),
    ),
    ...comparison(
      deviations.length > 0 ? predicted : [],
      { name, reference: "normal", deviation: { given: deviations.length, mean: meanDeviation } },
      ({ mos, sd = meanDeviation }) => normalOnScores(onUnit(mos, scores), sd / width, levels),
    ),
  ];
}

/** No entry for no pictures, else one. */
function comparison(
  predicted: readonly PredictedDistribution[],
  what: Pick<Comparison, "name" | "reference" | "deviation">,
  reference: (row: RatedRow) => ArrayLike<number>,
): Comparison[] {
  if (predicted.length === 0) return [];
  const pairs = predicted.map(({ row, distribution }) => [distribution, reference(row)] as const);
  const divergences = pairs.map(([p, q]) => jensenShannon(p, q));
  return [
    {
      ...what,
      n: pairs.length,
      jensenShannon: summary(divergences),
      jensenShannonDistance: summary(divergences.map(Math.sqrt)),
      wasserstein: summary(pairs.map(([p, q]) => wasserstein(p, q))),
      emd: summary(pairs.map(([p, q]) => emd(p, q))),
    },
  ];
}

function summary(values: readonly number[]): { mean: number; median: number } {
  return { mean: values.reduce((sum, value) => sum + value, 0) / values.length, median: median(values) };
}

/** Largest distance of the mean of the grades from the MOS at which the grades are believed to lie on its scale; a share of it. */
const largestOffset = 0.05;

/** Whether grades spread over the whole scale give the MOS. A MOS made otherwise, such as a z-score, has no grades on its scale. */
function isOfItsMos(grades: readonly number[], mos: number, range: MosRange): boolean {
  const total = grades.reduce((sum, count) => sum + count, 0);
  const mean = grades.reduce((sum, count, i) => sum + (count * i) / (grades.length - 1), 0) / total;
  return Math.abs(mean - onUnit(mos, range)) <= largestOffset;
}

const onUnit = (mos: number, [low, high]: MosRange) => (mos - low) / (high - low);
