/** The two ends of a MOS scale, lowest first: the nominal scale of the study, or the observed extremes. */
export type MosRange = readonly [lowest: number, highest: number];

/** @throws RangeError when the ends are not finite, or not in ascending order */
export function checkRange([lowest, highest]: MosRange): void {
  if (!Number.isFinite(lowest) || !Number.isFinite(highest) || lowest >= highest) {
    throw new RangeError(`A MOS range needs two different finite ends, lowest first, got [${lowest}, ${highest}].`);
  }
}

/**
 * The ends of the scale as observed: smallest and largest MOS. Pass the labelled part only, or the test part leaks.
 * @throws RangeError when there are fewer than two different finite values
 */
export function observedRange(mos: Iterable<number>): MosRange {
  let lowest = Number.POSITIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  for (const value of mos) {
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
  }
  checkRange([lowest, highest]);
  return [lowest, highest];
}
