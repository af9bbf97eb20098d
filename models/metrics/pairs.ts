/** Predicted and true scores that cannot be compared: different lengths, too few, or a value that is not finite. */
export class MetricError extends Error {
  override name = "MetricError";
}

/** Any list of numbers: array or typed array. */
export type Scores = ArrayLike<number>;

/**
 * Checks that `predicted` and `mos` pair up: same length, at least `minimum` pairs, finite numbers.
 * @throws MetricError naming the first offending position and value
 */
export function checkPairs(predicted: Scores, mos: Scores, minimum: number): void {
  if (predicted.length !== mos.length) {
    throw new MetricError(
      `There are ${predicted.length} predicted scores but ${mos.length} true ones; pass one of each per picture.`,
    );
  }
  if (predicted.length < minimum) {
    throw new MetricError(`This metric needs at least ${minimum} pictures, got ${predicted.length}.`);
  }
  checkFinite("predicted", predicted);
  checkFinite("true", mos);
}

function checkFinite(kind: string, scores: Scores): void {
  for (let i = 0; i < scores.length; i++) {
    if (!Number.isFinite(scores[i])) {
      throw new MetricError(
        `The ${kind} score at index ${i} is ${scores[i]}; leave out pictures without a finite score before comparing.`,
      );
    }
  }
}

/** Arithmetic mean. */
export function mean(scores: Scores): number {
  let sum = 0;
  for (let i = 0; i < scores.length; i++) sum += scores[i]!;
  return sum / scores.length;
}

/** Median: of an even number of scores the mean of the middle two; NaN of none. */
export function median(scores: Scores): number {
  const sorted = Float64Array.from(scores).sort();
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}

/** Centred second moments of the pairs: sums of (x - mean x)², (y - mean y)² and their product. */
export function moments(x: Scores, y: Scores): { xx: number; yy: number; xy: number; meanX: number; meanY: number } {
  const meanX = mean(x);
  const meanY = mean(y);
  let xx = 0;
  let yy = 0;
  let xy = 0;
  for (let i = 0; i < x.length; i++) {
    const dx = x[i]! - meanX;
    const dy = y[i]! - meanY;
    xx += dx * dx;
    yy += dy * dy;
    xy += dx * dy;
  }
  // Rounding of the mean leaves a residue on constant lists; it must not pass for a spread.
  if (isConstant(x)) xx = 0;
  if (isConstant(y)) yy = 0;
  return { xx, yy, xy, meanX, meanY };
}

/** True when every score equals the first. */
export function isConstant(scores: Scores): boolean {
  for (let i = 1; i < scores.length; i++) if (scores[i] !== scores[0]) return false;
  return true;
}
