import type { MosRange } from "../data/range.ts";
import { confidence, denormaliseScore, expectation, HIGHEST, LOWEST, standardDeviation } from "./labels.ts";

/** A quality score with its uncertainty. */
export interface Score {
  /** On the scale of the model's range; higher is better. */
  readonly score: number;
  /** Standard deviation of the predicted distribution, same units. */
  readonly standardDeviation: number;
  /** 1 − H / ln m of the predicted distribution (Eq. 8), 0 … 1. */
  readonly confidence: number;
}

/** Score of a predicted distribution over the score set: expectation mapped back through Eq. 1. */
export function scoreOf(distribution: ArrayLike<number>, range: MosRange): Score {
  return {
    score: denormaliseScore(expectation(distribution), range),
    standardDeviation: (standardDeviation(distribution) * (range[1] - range[0])) / (HIGHEST - LOWEST),
    confidence: confidence(distribution),
  };
}
