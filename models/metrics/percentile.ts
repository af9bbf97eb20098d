import { MetricError, type Scores } from "./pairs.ts";
import { averageRanks } from "./rank.ts";

/**
 * Place of each score among all of them, 0 to 100, by mid-rank: 100 · (b + t / 2) / n, where b of the n scores lie below and t are equal, itself
 * among them. One alone has 50, the best of n 100 − 50 / n; equal scores have the same, and the mean of all is 50.
 * @throws MetricError for scores that are not finite
 */
export function percentiles(scores: Scores): Float64Array {
  expectFinite(scores);
  return averageRanks(scores).map((rank) => (100 * (rank - 0.5)) / scores.length);
}

/**
 * Place of a score among others, 0 to 100: 100 · (b + t / 2) / n, where b of the n others lie below and t are equal.
 * @throws MetricError without others, and for scores that are not finite
 */
export function percentile(score: number, others: Scores): number {
  if (others.length === 0) throw new MetricError("a percentile is a place among others, and there are none");
  expectFinite(others);
  expectFinite([score]);
  let [below, equal] = [0, 0];
  for (let i = 0; i < others.length; i++) {
    if (others[i]! < score) below++;
    else if (others[i] === score) equal++;
  }
  return (100 * (below + equal / 2)) / others.length;
}

/**
 * Place of a score in a distribution of which quantiles in equal steps are known, from the least to the greatest, 0 to 100: straight between
 * two quantiles, the middle where several are equal to it, 0 and 100 beyond the ends.
 * @param quantiles rising, at least two
 */
export function percentileOfQuantiles(score: number, quantiles: Scores): number {
  const last = quantiles.length - 1;
  if (score < quantiles[0]!) return 0;
  if (score > quantiles[last]!) return 100;
  let first = 0;
  while (quantiles[first]! < score) first++;
  let end = first;
  while (end < last && quantiles[end + 1] === score) end++;
  if (quantiles[first] === score) return (50 * (first + end)) / last;
  const [from, to] = [quantiles[first - 1]!, quantiles[first]!];
  return (100 * (first - 1 + (score - from) / (to - from))) / last;
}

function expectFinite(scores: Scores): void {
  for (let i = 0; i < scores.length; i++) {
    if (!Number.isFinite(scores[i])) throw new MetricError(`score ${i} is ${scores[i]}, expected a finite number`);
  }
}
