import type { MosRange } from "../data/range.ts";
import { mean } from "../metrics/pairs.ts";
import type { Trusted } from "./companion.ts";
import { folds, foldsOf } from "./folds.ts";
import { byFifth, calibrate, intervalOf, type Judged } from "./interval.ts";

/** Coverage in one fifth of the scale. */
export interface FifthCoverage {
  /** Ends of the fifth. */
  readonly from: number;
  readonly to: number;
  readonly pictures: number;
  /** Share of its pictures within their intervals; absent without pictures. */
  readonly coverage?: number;
}

/** How often intervals hold people's scores, and how wide they are. */
export interface IntervalFigures {
  /** Pictures judged, each once in every repeat. */
  readonly pictures: number;
  readonly coverage: number;
  /** Mean width, in units of the scale. */
  readonly width: number;
  /** By where people's score lies. */
  readonly byMos: readonly FifthCoverage[];
  /** By where the model's score lies. */
  readonly byScore: readonly FifthCoverage[];
}

/** A judged picture with its interval. */
export interface Interval extends Judged {
  readonly interval: readonly [low: number, high: number];
}

/** Figures of intervals; of several repeats where pictures come again. @param repeats how often each picture comes */
export function figuresOf(all: readonly Interval[], range: MosRange, repeats = 1): IntervalFigures {
  const isCovered = all.map(({ mos, interval: [low, high] }) => mos >= low && mos <= high);
  const shareOf = (places: readonly number[]) => places.filter((i) => isCovered[i]).length / places.length;
  const [low, high] = range;
  const fifths = (by: "mos" | "score") =>
    byFifth(all, range, by).map((places, fifth) => ({
      from: low + (fifth * (high - low)) / 5,
      to: low + ((fifth + 1) * (high - low)) / 5,
      pictures: places.length / repeats,
      ...(places.length > 0 && { coverage: shareOf(places) }),
    }));
  return {
    pictures: all.length / repeats,
    coverage: shareOf(all.map((_, i) => i)),
    width: mean(all.map(({ interval }) => interval[1] - interval[0])),
    byMos: fifths("mos"),
    byScore: fifths("score"),
  };
}

/** Figures of the intervals that pictures came with; undefined where their model gives none. */
export function coverageOf(scored: readonly (Judged & Trusted)[], range: MosRange): IntervalFigures | undefined {
  const all = scored.flatMap(({ score, mos, interval }) =>
    interval ? [{ score, mos, interval: [interval.low, interval.high] as const }] : [],
  );
  return all.length > 0 ? figuresOf(all, range) : undefined;
}

/**
 * What intervals that are calibrated on four fifths of the pictures hold of the fifth that is left, for each of five and repeated with
 * other fifths: what can be expected of pictures of the same origin.
 * @throws MetricError as {@link calibrate}
 */
export function crossCoverage(
  judged: readonly Judged[],
  range: MosRange,
  { level = 0.9, repeats = 5 }: { readonly level?: number; readonly repeats?: number } = {},
): IntervalFigures {
  const all: Interval[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    const foldOf = foldsOf(judged.length, `coverage ${repeat}`);
    for (let fold = 0; fold < folds; fold++) {
      const facts = calibrate(
        judged.filter((_, i) => foldOf[i] !== fold),
        range,
        level,
      );
      judged.forEach((one, i) => {
        if (foldOf[i] === fold) all.push({ ...one, interval: intervalOf(one.score, facts, range) });
      });
    }
  }
  return figuresOf(all, range, repeats);
}
