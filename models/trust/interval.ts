import { z } from "zod";
import type { MosRange } from "../data/range.ts";
import { MetricError } from "../metrics/pairs.ts";
import { folds, foldsOf } from "./folds.ts";

/** A picture that the model has not learned from: its score, and what people say; same units. */
export interface Judged {
  readonly score: number;
  readonly mos: number;
}

/** How far below and above a score people's mean opinion may lie. */
export const intervalForm = z
  .strictObject({
    /** Share of pictures whose mean opinion lies within. */
    level: z.number().gt(0).lt(1),
    /** Pictures that it was calibrated on. */
    pictures: z.int().min(1),
    /** Scores, rising, from the low end of the scale to its high end. */
    at: z.array(z.number()).min(2).max(1001),
    /** Distances of the ends from such scores, same units; straight between them. */
    below: z.array(z.number()),
    above: z.array(z.number()),
  })
  .refine(({ at }) => at.every((score, i) => i === 0 || score > at[i - 1]!), "`at` rises")
  .refine(
    ({ at, below, above }) => below.length === at.length && above.length === at.length,
    "`below` and `above` have a number for each of `at`",
  );

export type IntervalFacts = z.output<typeof intervalForm>;

/** Scores at which the ends are kept, in equal steps over the scale. */
const knots = 11;
/** Pictures count for a knot by a normal curve of this deviation, as a share of the scale, … */
const leastWidth = 0.12;
/** … or of the distance to so many pictures, where there are fewer about. */
const leastPictures = 60;
/** What every fifth of the scale is to have of coverage at least, as a share of the level; by people's scores and by the model's. */
const floorShare = 0.945;
/** Fifths with fewer pictures say too little of their own coverage. */
const leastOfFifth = 20;
const rounds = 60;
const step = 1.1;

/** The ends of the interval of a score: they hold the score, and lie within the scale. */
export function intervalOf(
  score: number,
  { at, below, above }: IntervalFacts,
  [low, high]: MosRange,
): [number, number] {
  const within = (value: number) => Math.min(high, Math.max(low, value));
  const centre = within(score);
  return [
    Math.min(centre, within(score - straight(score, at, below))),
    Math.max(centre, within(score + straight(score, at, above))),
  ];
}

/** Pictures that an interval of a level can be calibrated and checked on at least. */
export function leastJudged(level: number): number {
  // ⌈(n + 1) · level⌉ ≤ n for the n that are left when a fold is away
  return Math.ceil((level / (1 - level)) * (folds / (folds - 1)) - 1e-9);
}

/**
 * A conformal interval whose ends lie unequally far from the score, by the score: quantiles of people's scores about it [CQR, Romano et al.
 * 2019], moved by what the pictures of one fold say of quantiles made from the others [CV+, Barber et al. 2021].
 *
 * A model's scores shrink towards the middle, so that the same interval would miss most of the pictures that people find worst. So in the
 * quantiles, pictures of a fifth of the scale that is covered too seldom weigh more.
 * @throws MetricError for too few pictures, and numbers that are not finite or beyond the scale
 */
export function calibrate(judged: readonly Judged[], range: MosRange, level = 0.9): IntervalFacts {
  expectJudged(judged, range, level);
  const foldOf = foldsOf(judged.length, "calibration");
  const margins = new Float64Array(judged.length);
  for (let fold = 0; fold < folds; fold++) {
    const ends = endsOf(
      judged.filter((_, i) => foldOf[i] !== fold),
      range,
      level,
    );
    judged.forEach((one, i) => {
      if (foldOf[i] === fold) margins[i] = marginOf(one, ends);
    });
  }
  const ends = endsOf(judged, range, level);
  const move = conformalQuantile(margins, level);
  return {
    level,
    pictures: judged.length,
    at: ends.at,
    below: ends.below.map((value) => value + move),
    above: ends.above.map((value) => value + move),
  };
}

/** The ⌈(n + 1) · level⌉-th smallest of n values: a further one from where they come from is at most that with probability `level`. */
export function conformalQuantile(values: ArrayLike<number>, level: number): number {
  const sorted = Float64Array.from(values).sort();
  const rank = Math.ceil((sorted.length + 1) * level - 1e-9);
  return sorted[Math.max(rank, 1) - 1] ?? Number.POSITIVE_INFINITY;
}

interface Ends {
  readonly at: number[];
  readonly below: number[];
  readonly above: number[];
}

/** How far a true score lies outside; negative inside. */
function marginOf({ score, mos }: Judged, { at, below, above }: Ends): number {
  return Math.max(score - straight(score, at, below) - mos, mos - score - straight(score, at, above));
}

/** Ends by quantiles of people's scores about each knot, before they are moved. */
function endsOf(judged: readonly Judged[], range: MosRange, level: number): Ends {
  const local = new LocalQuantiles(judged, range);
  const quantiles = (weights: Float64Array): Ends => ({
    at: local.at,
    below: local.of(weights, (1 - level) / 2).map((value) => -value),
    above: local.of(weights, (1 + level) / 2),
  });
  const weights = new Float64Array(judged.length).fill(1);
  let ends = quantiles(weights);
  for (let round = 0; round < rounds; round++) {
    const margins = judged.map((one) => marginOf(one, ends));
    const move = conformalQuantile(margins, level);
    const short = shortFifths(judged, range, (i) => margins[i]! <= move, floorShare * level);
    if (short.length === 0) break;
    for (const fifth of short) for (const i of fifth) weights[i]! *= step;
    ends = quantiles(weights);
  }
  return ends;
}

/** Pictures of each fifth of the scale, by people's scores and by the model's, that is covered below the floor. */
function shortFifths(
  judged: readonly Judged[],
  range: MosRange,
  isCovered: (i: number) => boolean,
  floor: number,
): number[][] {
  return (["mos", "score"] as const).flatMap((by) =>
    byFifth(judged, range, by).filter((fifth) => {
      return fifth.length >= leastOfFifth && fifth.filter(isCovered).length < floor * fifth.length;
    }),
  );
}

/** Places of the pictures in each fifth of the scale. */
export function byFifth(judged: readonly Judged[], [low, high]: MosRange, by: "mos" | "score"): number[][] {
  const fifths: number[][] = [[], [], [], [], []];
  judged.forEach((one, i) => {
    fifths[Math.min(4, Math.max(0, Math.floor((5 * (one[by] - low)) / (high - low))))]!.push(i);
  });
  return fifths;
}

/** Quantiles of mos − score near each knot. */
class LocalQuantiles {
  readonly at: number[];
  /** mos − score, rising, and whose it is. */
  readonly #errors: readonly (readonly [error: number, picture: number])[];
  /** Weight of each picture for a knot. */
  readonly #near: readonly Float64Array[];

  constructor(judged: readonly Judged[], [low, high]: MosRange) {
    this.at = Array.from({ length: knots }, (_, k) => low + ((high - low) * k) / (knots - 1));
    this.#errors = judged.map(({ score, mos }, i) => [mos - score, i] as const).sort(([a], [b]) => a - b);
    this.#near = this.at.map((knot) => {
      const away = Float64Array.from(judged, ({ score }) => Math.abs(score - knot));
      const reach = away.toSorted()[Math.min(leastPictures, away.length) - 1]!;
      const width = Math.max(leastWidth * (high - low), reach);
      return away.map((distance) => Math.exp(-0.5 * (distance / width) ** 2));
    });
  }

  /** The smallest error that has a share `p` of the weights at or below it, for each knot. */
  of(weights: Float64Array, p: number): number[] {
    return this.#near.map((near) => {
      let total = 0;
      for (let i = 0; i < near.length; i++) total += near[i]! * weights[i]!;
      let sum = 0;
      for (const [error, picture] of this.#errors) {
        sum += near[picture]! * weights[picture]!;
        if (sum >= p * total) return error;
      }
      return this.#errors.at(-1)![0];
    });
  }
}

/** The value at x of straight lines between points; beyond the first and last that of those. */
function straight(x: number, at: readonly number[], values: readonly number[]): number {
  let k = 0;
  while (k < at.length - 2 && x > at[k + 1]!) k++;
  const [from, to] = [at[k]!, at[k + 1]!];
  const share = Math.min(1, Math.max(0, (x - from) / (to - from)));
  return values[k]! + share * (values[k + 1]! - values[k]!);
}

function expectJudged(judged: readonly Judged[], [low, high]: MosRange, level: number): void {
  if (!(level > 0 && level < 1)) throw new MetricError(`the level ${level} is none: it lies between 0 and 1`);
  judged.forEach(({ score, mos }, i) => {
    for (const [name, value] of [
      ["score", score],
      ["MOS", mos],
    ] as const)
      if (!Number.isFinite(value))
        throw new MetricError(`the ${name} of picture ${i + 1} is ${value}, no finite number`);
    if (mos < low || mos > high)
      throw new MetricError(`the MOS ${mos} of picture ${i + 1} lies beyond the model's scale, ${low} to ${high}`);
  });
  const least = leastJudged(level);
  if (judged.length >= least) return;
  throw new MetricError(
    `an interval of ${percent(level)} needs at least ${least} rated pictures that the model has not learned from, found ${judged.length}`,
  );
}

export function percent(share: number): string {
  return `${Number((100 * share).toFixed(1))} %`;
}
