import type { Picture } from "../../data/pictures/decode.ts";
import { reduced } from "../../data/pictures/resample.ts";
import { blockNames, blockStatistics } from "./blocks.ts";
import { detailNames, detailStatistics } from "./detail.ts";
import { gridNames, gridStatistics } from "./grid.ts";
import { planesOf } from "./planes.ts";
import { toneNames, toneStatistics } from "./tone.ts";

/** The statistics of {@link pictureStatistics}, in their order. */
export const statisticNames: readonly string[] = [...toneNames, ...detailNames, ...blockNames, ...gridNames];

/** Larger pictures are reduced until their longer side has so many pixels: about what scores are made of. */
export const longerSide = 512;
/** Of the shorter side, pixels after that; pictures with less have no statistics. */
export const leastSide = 48;

/** The picture as statistics are computed from it, or nothing where it is too small. */
export async function shownForStatistics(picture: Picture): Promise<Picture | undefined> {
  const shown = await reduced(picture, longerSide);
  return Math.min(shown.width, shown.height) < leastSide ? undefined : shown;
}

/** Numbers that tell how a picture is degraded: tones, fine detail by scale and direction, noise, and traces of lattices. */
export function pictureStatistics(picture: Picture): Float64Array {
  const planes = planesOf(picture);
  return Float64Array.from([
    ...toneStatistics(picture, planes),
    ...detailStatistics(planes.luma),
    ...blockStatistics(planes),
    ...gridStatistics(planes.luma),
  ]);
}
