import { correlation } from "./linear.ts";
import { checkPairs, type Scores } from "./pairs.ts";

/**
 * Ranks from 1, ties sharing the mean of the ranks they cover.
 * @returns one rank per score, in the order of the scores
 */
export function averageRanks(scores: Scores): Float64Array {
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
  const ranks = new Float64Array(scores.length);
  let start = 0;
  while (start < order.length) {
    let end = start + 1;
    while (end < order.length && scores[order[end]!] === scores[order[start]!]) end++;
    for (let i = start; i < end; i++) ranks[order[i]!] = (start + 1 + end) / 2;
    start = end;
  }
  return ranks;
}

/**
 * Spearman rank correlation coefficient (SRCC): the Pearson correlation of the average ranks.
 * @returns a number in [-1, 1], higher is better; NaN when either list is constant (undefined)
 * @throws MetricError on different lengths, fewer than 2 pictures or non-finite scores
 */
export function srcc(predicted: Scores, mos: Scores): number {
  checkPairs(predicted, mos, 2);
  return correlation(averageRanks(predicted), averageRanks(mos));
}

/**
 * Kendall rank correlation coefficient (KRCC), tau-b: (concordant - discordant) / sqrt((pairs - ties in x)(pairs - ties
 * in y)), in O(n log n).
 * @returns a number in [-1, 1], higher is better; NaN when either list is constant (undefined)
 * @throws MetricError on different lengths, fewer than 2 pictures or non-finite scores
 *
 * Source: Knight, "A computer method for calculating Kendall's tau with ungrouped data", JASA 61 (1966).
 */
export function krcc(predicted: Scores, mos: Scores): number {
  checkPairs(predicted, mos, 2);
  const n = predicted.length;
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort(
    (a, b) => predicted[a]! - predicted[b]! || mos[a]! - mos[b]!,
  );
  const x = Float64Array.from(order, (i) => predicted[i]!);
  const y = Float64Array.from(order, (i) => mos[i]!);
  const pairs = (n * (n - 1)) / 2;
  const tiedX = countTies(n, (i) => x[i] === x[i - 1]);
  const tiedBoth = countTies(n, (i) => x[i] === x[i - 1] && y[i] === y[i - 1]);
  const discordant = sortCountingSwaps(y);
  const tiedY = countTies(n, (i) => y[i] === y[i - 1]);
  if (tiedX === pairs || tiedY === pairs) return Number.NaN;
  const difference = pairs - tiedX - tiedY + tiedBoth - 2 * discordant;
  return difference / (Math.sqrt(pairs - tiedX) * Math.sqrt(pairs - tiedY));
}

/** Number of tied pairs in a sorted sequence whose runs of equals are told by `sameAsPrevious`. */
function countTies(n: number, sameAsPrevious: (i: number) => boolean): number {
  let ties = 0;
  let run = 0;
  for (let i = 1; i < n; i++) {
    run = sameAsPrevious(i) ? run + 1 : 0;
    ties += run;
  }
  return ties;
}

/** Sorts in place by bottom-up merging and returns how many pairs stood strictly in the wrong order. */
function sortCountingSwaps(values: Float64Array<ArrayBuffer>): number {
  const n = values.length;
  let source = values;
  let target = new Float64Array(n);
  let swaps = 0;
  for (let width = 1; width < n; width *= 2) {
    for (let start = 0; start < n; start += 2 * width) {
      const middle = Math.min(start + width, n);
      const end = Math.min(start + 2 * width, n);
      let left = start;
      let right = middle;
      for (let out = start; out < end; out++) {
        if (right >= end || (left < middle && source[left]! <= source[right]!)) {
          target[out] = source[left++]!;
        } else {
          swaps += middle - left;
          target[out] = source[right++]!;
        }
      }
    }
    [source, target] = [target, source];
  }
  if (source !== values) values.set(source);
  return swaps;
}
