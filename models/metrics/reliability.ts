import { checkPairs, isConstant, mean, type Scores } from "./pairs.ts";
import { srcc } from "./rank.ts";

/** Share of the true scores inside a central interval of the predicted distribution. */
export interface Coverage {
  /** What the interval should hold, 0 to 1. */
  readonly nominal: number;
  /** What it holds. */
  readonly observed: number;
}

/** How far predicted distributions can be believed as statements about the true score. */
export interface Reliability {
  /** Number of pictures. */
  readonly n: number;
  /** Central intervals of 10 % to 90 %. */
  readonly coverage: readonly Coverage[];
  /** Mean of |observed − nominal| over `coverage`: 0 is perfect, 0.5 the worst. */
  readonly calibrationError: number;
  /** Mean of (true − predicted) / predicted standard deviation: 0 without bias. */
  readonly meanZ: number;
  /** Standard deviation of the same: 1 when the spread fits, more when it is too narrow. */
  readonly sdZ: number;
  /** SRCC of confidence and absolute error: -1 when confidence tells every error's rank, 0 when it tells nothing. */
  readonly confidenceSrcc: number;
  /** SRCC of predicted standard deviation and absolute error: 1 is best. */
  readonly deviationSrcc: number;
}

/** What {@link reliability} needs to know of a picture; scores and deviation in the same units. */
export interface SpreadOfPrediction {
  readonly score: number;
  readonly standardDeviation: number;
  readonly confidence: number;
  readonly mos: number;
  /** Share of the predicted distribution below the true score. */
  readonly shareBelow: number;
}

const nominals = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/**
 * Coverage of central intervals. A true score lies in the central interval of share q when |2u − 1| ≤ q, where u is the share of
 * the predicted distribution below it (its probability integral transform).
 * @param sharesBelow one u in [0, 1] per picture
 */
export function coverage(sharesBelow: Scores): Coverage[] {
  return nominals.map((nominal) => {
    let inside = 0;
    // The slack holds shares that lie on the end of an interval but for rounding.
    for (let i = 0; i < sharesBelow.length; i++) if (Math.abs(2 * sharesBelow[i]! - 1) <= nominal + 1e-9) inside++;
    return { nominal, observed: inside / sharesBelow.length };
  });
}

/**
 * Compares predicted spreads with the errors that were made.
 * @returns correlations are NaN where undefined (constant lists), z where a predicted deviation is 0
 * @throws MetricError with fewer than 2 pictures or numbers that are not finite
 */
export function reliability(pictures: readonly SpreadOfPrediction[]): Reliability {
  const errors = pictures.map(({ score, mos }) => Math.abs(score - mos));
  const covered = coverage(pictures.map(({ shareBelow }) => shareBelow));
  const z = pictures.map(({ score, mos, standardDeviation }) => (mos - score) / standardDeviation);
  const meanZ = mean(z);
  return {
    n: pictures.length,
    coverage: covered,
    calibrationError: mean(covered.map(({ nominal, observed }) => Math.abs(observed - nominal))),
    meanZ,
    sdZ: Math.sqrt(mean(z.map((value) => (value - meanZ) ** 2))),
    confidenceSrcc: srcc(
      pictures.map(({ confidence }) => confidence),
      errors,
    ),
    deviationSrcc: srcc(
      pictures.map(({ standardDeviation }) => standardDeviation),
      errors,
    ),
  };
}

/** Pictures of about the same confidence, or whatever should foretell the error. */
export interface ErrorBin {
  readonly n: number;
  readonly meanPredictor: number;
  readonly meanError: number;
}

/**
 * Mean absolute error by confidence, or by something else that should foretell it: pictures in order of it, cut into bins of
 * equally many, at least 5. Equal ones stay in one bin.
 * @param bins most bins
 * @returns bins in order; one when all are equal
 * @throws MetricError on different lengths, no pictures or numbers that are not finite
 */
export function binnedErrors(predictor: Scores, absoluteErrors: Scores, bins = 8): ErrorBin[] {
  checkPairs(predictor, absoluteErrors, 1);
  const n = predictor.length;
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => predictor[a]! - predictor[b]!);
  const number = isConstant(predictor) ? 1 : Math.max(1, Math.min(bins, Math.floor(n / 5)));
  const found: ErrorBin[] = [];
  let start = 0;
  for (let bin = 1; bin <= number; bin++) {
    let end = bin === number ? n : Math.round((bin * n) / number);
    while (end > start && end < n && predictor[order[end]!] === predictor[order[end - 1]!]) end++;
    if (end <= start) continue;
    const members = order.subarray(start, end);
    found.push({
      n: members.length,
      meanPredictor: mean(Array.from(members, (i) => predictor[i]!)),
      meanError: mean(Array.from(members, (i) => absoluteErrors[i]!)),
    });
    start = end;
  }
  return found;
}
