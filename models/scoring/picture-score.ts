import type { MosRange } from "../data/index.ts";
import type { Score } from "../labels/score.ts";
import type { ReasonTold } from "../reasons/head.ts";
import type { Trusted } from "../trust/companion.ts";
import type { PictureSource } from "./picture-source.ts";

/** The score of one picture, higher is better, with what it was made from. */
export interface PictureScore extends Score, Trusted {
  /** Ends of the scale of `score`, the lowest quality first. */
  readonly range: MosRange;
  /**
   * Predicted probability of each member of the score set, which is spread evenly over the range from its low end on, or of
   * each class, which cut the range into equal widths. Absent where the network gives a score alone.
   */
  readonly histogram?: readonly number[];
  /**
   * Pooled feature of the network, which its head, its typicality and likenesses of pictures read: as many numbers as the model's
   * `Scorer.featureLength`, as they come from the network, not of unit length; the mean over what it was shown, such as tiles. With the option
   * `features`; it comes in the same read-back as the score and does not change it.
   */
  readonly feature?: Float32Array;
  /**
   * How sharp the sharpest tenth of the picture is at its own size, 0 to 1: 1 − the perceptual blur of Crete et al. 2007 (see `sharpnessOf`). With the
   * option `sharpness`.
   */
  readonly sharpness?: number;
  /**
   * What most likely lowers the score, the most probable first; of a good picture, and of one that shows nothing of the kind, none. With the
   * option `reasons`; absent for pictures of less than 48 pixels.
   */
  readonly reasons?: readonly ReasonTold[];
  /** Pixels, upright. */
  readonly width: number;
  readonly height: number;
  /** Name of the model. */
  readonly model: string;
  /** From the call to the result, waiting included. */
  readonly milliseconds: number;
}

/** One picture of {@link Scorer.scoreMany} with its score, or why it has none. */
export type ScoredPicture<Source = PictureSource> = { readonly picture: Source; readonly index: number } & (
  | PictureScore
  /** A PictureError for what the picture is; others, such as an OutOfMemoryError, for what kept it from being scored. */
  | { readonly error: Error }
);
