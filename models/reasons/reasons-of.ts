import type { MosRange, Picture } from "../data/index.ts";
import { probabilitiesOf, type ReasonHead, type ReasonTold, toldReasons } from "./head.ts";
import { pictureStatistics } from "./statistics/index.ts";

/** Whether a score is so high that it needs no reasons. */
export function isGood({ good }: ReasonHead, score: number, [low, high]: MosRange): boolean {
  return score >= low + good * (high - low);
}

/** Reasons for the score of a picture, the most probable first. @param shown the picture as `shownForStatistics` gives it */
export function reasonsOf(head: ReasonHead, shown: Picture): ReasonTold[] {
  return toldReasons(probabilitiesOf(head, pictureStatistics(shown)), head.least);
}
