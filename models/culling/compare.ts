import type { SeenPicture } from "./picture.ts";
import type { Sharpness } from "./sharpness.ts";

/** How far a picture is behind the best of its group, in each respect; 0 where none is better, and below where it is worse. */
export interface Standing {
  /** ln of the sharpness of its sharpest tiles over that of the group's sharpest picture, at the largest scale that all have. */
  readonly sharpest: number;
  /** The same of all tiles with detail. */
  readonly sharpness: number;
  /** Share of white pixels that the group's darkest picture lacks, negative. */
  readonly overexposed: number;
  /** Share of black pixels that the group's brightest picture lacks, negative. */
  readonly underexposed: number;
  /** ln of the mean brightness over that of the group's median picture where it is darker; down to ln 1/20. */
  readonly dark: number;
  /** −ln of (noise + 1) over that of the group's least noisy picture. */
  readonly noise: number;
  /** −ln of how much 8 x 8 blocks show, over the least of the group. */
  readonly blocking: number;
  /** log2 of its pixels over those of the largest, halved: 0 for a quarter of the pixels is −1. */
  readonly size: number;
  /** Score less the group's highest, over the half width of its interval, or a tenth of the range; 0 where there is no score. */
  readonly score: number;
}

/** Standings of the pictures of a group. */
export function standingsOf(pictures: readonly SeenPicture[]): Standing[] {
  const scales = commonScale(pictures);
  const brightness = medianOf(pictures.map(({ look }) => look.brightness));
  const scored = pictures.every((one) => one.scored);
  const most = (of: (index: number) => number) => Math.max(...pictures.map((_, i) => of(i)));
  const least = (of: (index: number) => number) => Math.min(...pictures.map((_, i) => of(i)));
  const steep = (i: number) => scales[i]!.best;
  const mean = (i: number) => scales[i]!.mean;
  const noise = (i: number) => scales[i]!.noise;
  const look = (i: number) => pictures[i]!.look;
  const pixels = (i: number) => look(i).width * look(i).height;
  const score = (i: number) => pictures[i]!.scored?.score ?? 0;
  const best = {
    steep: most(steep),
    mean: most(mean),
    noise: least(noise),
    over: least((i) => look(i).overexposed),
    under: least((i) => look(i).underexposed),
    blocking: Math.max(
      1,
      least((i) => look(i).blocking),
    ),
    pixels: most(pixels),
    score: most(score),
  };
  return pictures.map((_, i) => ({
    sharpest: ratio(steep(i), best.steep),
    sharpness: ratio(mean(i), best.mean),
    overexposed: best.over - look(i).overexposed,
    underexposed: best.under - look(i).underexposed,
    dark: Math.min(0, ratio(look(i).brightness, brightness)),
    noise: -Math.log((1 + noise(i)) / (1 + best.noise)),
    blocking: -Math.log(Math.max(1, look(i).blocking) / best.blocking),
    size: Math.log2(pixels(i) / best.pixels) / 2,
    score: scored ? (score(i) - best.score) / spreadOf(pictures[i]!) : 0,
  }));
}

/** ln of a ratio, from ln 1/20 on. */
const ratio = (value: number, best: number) => (best > 0 ? Math.log(Math.max(value / best, 0.05)) : 0);

/** What a score may be off, in its own units. */
function spreadOf({ scored }: SeenPicture): number {
  const { interval, range } = scored!;
  return interval ? Math.max(1e-9, (interval.high - interval.low) / 2) : (range[1] - range[0]) / 10;
}

/** Sharpness of each picture at the largest scale at which all can be compared: scales are alike within a factor of 1.5. */
export function commonScale(pictures: readonly Pick<SeenPicture, "look">[]): Sharpness[] {
  const reached = Math.min(...pictures.map(({ look }) => look.sharpness[0]!.side));
  return pictures.map(({ look: { sharpness } }) => {
    const nearness = ({ side }: Sharpness) => Math.abs(Math.log(side / reached));
    return sharpness.reduce((best, one) => (nearness(one) < nearness(best) ? one : best));
  });
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
