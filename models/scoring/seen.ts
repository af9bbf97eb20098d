import type { Picture } from "../data/index.ts";
import type { Score } from "../labels/score.ts";
import { meanOf } from "../networks/heads.ts";
import { shownForStatistics } from "../reasons/statistics/index.ts";
import { evaluationViews, type Showing, type View } from "../views/crops.ts";
import type { Answered } from "./network.ts";
import { type Look, lookOf } from "./same-scores.ts";
import { sharpnessOf } from "./sharpness.ts";

/** Takes from a picture what goes through the network, and says what is kept of it meanwhile. */
export type Cut<Kept> = (
  options: Showing,
  picture: Picture,
) => Promise<{ readonly views: readonly View[]; readonly kept: Kept }>;

/** What is kept of a picture, and what the network answers to its views. */
export interface Seen<Kept> {
  readonly kept: Kept;
  readonly answered: readonly Answered[];
}

export interface KeptOfPicture {
  readonly width: number;
  readonly height: number;
  readonly look: Look;
  readonly sharpness?: number;
  /** What reasons are told by, where they are asked for. */
  readonly shown?: Picture | undefined;
}

/** What makes the score of a picture; its pixels are let go, but for a small copy where reasons are asked for. */
export const scored =
  ({ reasons, sharpness }: { readonly reasons: boolean; readonly sharpness: boolean }): Cut<KeptOfPicture> =>
  async (options, picture) => ({
    views: await evaluationViews(options, picture),
    kept: {
      ...{ width: picture.width, height: picture.height, look: lookOf(picture) },
      ...(sharpness && { sharpness: sharpnessOf(picture) }),
      ...(reasons && { shown: await shownForStatistics(picture) }),
    },
  });

/** Mean of the features of views, where they come with the answers. */
export function featureOf(answered: readonly Answered[]): Float32Array | undefined {
  const features = answered.flatMap(({ feature }) => (feature ? [feature] : []));
  return features.length > 0 ? meanOf(features) : undefined;
}

/** Unlike pictures of one class have the same score to a network that is sure of it. */
export function isSureOfClass({ classProbability = 0 }: Score): boolean {
  return classProbability > 0.999;
}
