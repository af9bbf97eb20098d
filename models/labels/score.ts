import type { MosRange } from "../data/range.ts";
import {
  classCentres,
  confidence,
  denormaliseScore,
  expectation,
  HIGHEST,
  LOWEST,
  scoreSet,
  standardDeviation,
} from "./labels.ts";

/** A quality score, with its uncertainty where the network gives probabilities. */
export interface Score {
  /** On the scale of the model's range; higher is better. */
  readonly score: number;
  /** Standard deviation of the predicted distribution, or of that over the classes, same units. */
  readonly standardDeviation?: number;
  /** 1 − H / ln m of the same (Eq. 8), 0 … 1. */
  readonly confidence?: number;
  /**
   * Standard deviation of the scores that the heads of an ensemble give, each with 1/M, same units: how far they disagree. It is no
   * spread of opinions.
   */
  readonly ensembleDeviation?: number;
  /** The most probable class of a network that tells classes, 0 for the lowest quality. */
  readonly class?: number;
  /** Its probability. */
  readonly classProbability?: number;
}

/** A score made from probabilities. */
export type SpreadScore = Score & Required<Pick<Score, "standardDeviation" | "confidence">>;

export function hasSpread(score: Score): score is SpreadScore {
  return score.standardDeviation !== undefined && score.confidence !== undefined;
}

/** Score of a predicted distribution over the score set: expectation mapped back through Eq. 1. */
export function scoreOf(distribution: ArrayLike<number>, range: MosRange): SpreadScore {
  return expected(distribution, scoreSet(distribution.length), range);
}

/**
 * Score of the probabilities of ordered classes: the expectation over their middles, mapped back through Eq. 1.
 * @param edges where they meet, on [1, 100]; of equal width without
 */
export function classScoreOf(
  probabilities: ArrayLike<number>,
  range: MosRange,
  edges: readonly number[] = [],
): SpreadScore {
  const all = Array.from(probabilities);
  const classProbability = all.reduce((a, b) => Math.max(a, b));
  const spread = expected(probabilities, classCentres(all.length, edges), range);
  return { ...spread, class: all.indexOf(classProbability), classProbability };
}

/** Score of a share of the scale, 0 being its low end and 1 its high end. */
export function shareScoreOf(share: number, [low, high]: MosRange): Score {
  return { score: low + share * (high - low) };
}

/** Score of an ensemble: the mean of the shares that its heads give. */
export function ensembleScoreOf(shares: ArrayLike<number>, range: MosRange): Score {
  const all = Array.from(shares);
  const mean = all.reduce((sum, share) => sum + share, 0) / all.length;
  const variance = all.reduce((sum, share) => sum + (share - mean) ** 2, 0) / all.length;
  return { ...shareScoreOf(mean, range), ensembleDeviation: Math.sqrt(variance) * (range[1] - range[0]) };
}

function expected(distribution: ArrayLike<number>, scores: Float64Array, range: MosRange): SpreadScore {
  return {
    score: denormaliseScore(expectation(distribution, scores), range),
    standardDeviation: (standardDeviation(distribution, scores) * (range[1] - range[0])) / (HIGHEST - LOWEST),
    confidence: confidence(distribution),
  };
}
