import type { Score } from "../models/labels/score.ts";
import type { PictureScore } from "../models/scoring/picture-score.ts";
import type { Trusted } from "../models/trust/companion.ts";

/** What is known of a picture beside its score. */
export interface RowFacts extends Partial<Pick<PictureScore, "width" | "height" | "sharpness">> {
  /** Bytes of the file. */
  readonly size?: number;
  /** Place among the pictures of the run, 0 to 100, by mid-rank; the best near 100. */
  readonly percentile?: number;
  /** Place among the pictures that the model carries, 0 to 100. */
  readonly referencePercentile?: number;
}

/** A score with how far it can be trusted and what most likely lowers it, where the model or a head says so. */
export type TrustedScore = Score & Trusted & Pick<PictureScore, "reasons"> & RowFacts;

/** A picture with its score, or why it has none. */
export type ScoreRow = {
  readonly path: string;
  /** What became of its sidecar. */
  readonly sidecar?: string;
} & (TrustedScore | { readonly error: string });
