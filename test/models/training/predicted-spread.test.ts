import { expect, test } from "bun:test";
import { scoreOf } from "../../../models/labels/score.ts";
import { gradesOnScores, normalOnScores } from "../../../models/metrics/index.ts";
import {
  compareDistributions,
  type PredictedDistribution,
  shareBelow,
  spreadReliability,
} from "../../../models/training/predicted-spread.ts";
import type { RatedRow } from "../../../models/training/training.ts";

const levels = 40;
const range = [1, 5] as const;

const picture = (row: Partial<RatedRow> & { mos: number }, distribution: ArrayLike<number>): PredictedDistribution => ({
  row: { name: "a.png", path: "a.png", ...row },
  distribution,
  score: scoreOf(distribution, range),
});

/** Counts of the grades 1 to 5 with their mean. */
const rated = (histogram: readonly number[]) => ({
  histogram,
  mos: histogram.reduce((sum, count, i) => sum + count * (i + 1), 0) / histogram.reduce((a, b) => a + b),
});

test("a model that predicts the opinions themselves is at distance 0 of them", () => {
  const rows = [rated([0, 3, 20, 60, 17]), rated([40, 30, 20, 10, 0]), rated([0, 0, 0, 1, 99])];
  const predicted = rows.map((row) => picture(row, gradesOnScores(row.histogram, levels)));
  const found = compareDistributions("stage 2", predicted, { scores: range, grades: range });
  expect(found).toHaveLength(1);
  const { name, reference, n, jensenShannon, jensenShannonDistance, wasserstein, emd, deviation } = found[0]!;
  expect({ name, reference, n, deviation }).toEqual({
    name: "stage 2",
    reference: "histogram",
    n: 3,
    deviation: undefined,
  });
  for (const { mean, median } of [jensenShannon, wasserstein, emd]) {
    expect(mean).toBeCloseTo(0, 12);
    expect(median).toBeCloseTo(0, 12);
  }
  expect(jensenShannonDistance.mean).toBeCloseTo(0, 7);
});

test("grades keep their places when the score set is narrower than the scale", () => {
  const row = rated([0, 0, 10, 0, 0]);
  const on = (scores: readonly [number, number]) => {
    const centre = normalOnScores((3 - scores[0]) / (scores[1] - scores[0]), 0, levels);
    return compareDistributions("a", [picture(row, centre)], { scores, grades: range })[0]!.wasserstein.mean;
  };
  // Opinions of 3 lie evenly between 2.5 and 3.5: a mean distance of a quarter from 3.
  expect(on([1, 5])).toBeCloseTo(0.25 / 4, 2);
  expect(on([2, 4])).toBeCloseTo(0.25 / 2, 2);
  expect(on([2.5, 4.5])).toBeCloseTo(0.25 / 2, 2);
});

test("grades that do not give the MOS are not compared with", () => {
  const wrong = { mos: 4.5, histogram: [10, 0, 0, 0, 0] };
  const right = rated([0, 0, 10, 10, 0]);
  const flat = new Array<number>(levels).fill(1 / levels);
  const compared = compareDistributions("a", [picture(wrong, flat), picture(right, flat)], {
    scores: range,
    grades: range,
  });
  expect(compared.map(({ reference, n }) => [reference, n])).toEqual([["histogram", 1]]);
});

test("pictures without a standard deviation take the mean of the others'", () => {
  const normal = (mos: number, sd: number) => normalOnScores((mos - 1) / 4, sd / 4, levels);
  const predicted = [
    picture({ mos: 2, sd: 0.4 }, normal(2, 0.4)),
    picture({ mos: 3, sd: 0.8 }, normal(3, 0.8)),
    picture({ mos: 4 }, normal(4, 0.6)),
  ];
  const [found, ...others] = compareDistributions("a", predicted, { scores: range, grades: range });
  expect(others).toEqual([]);
  expect(found!.deviation!.given).toBe(2);
  expect(found!.deviation!.mean).toBeCloseTo(0.6, 12);
  for (const { mean } of [found!.jensenShannon, found!.wasserstein, found!.emd]) expect(mean).toBeCloseTo(0, 12);

  // One picture of three moved by a tenth of the scale moves its whole distribution by that.
  const moved = [...predicted.slice(0, 2), picture({ mos: 4 }, normal(3.6, 0.4))];
  const { wasserstein } = compareDistributions("a", moved, { scores: range, grades: range })[0]!;
  expect(wasserstein.median).toBeCloseTo(0, 12);
  expect(wasserstein.mean).toBeGreaterThan(0.08 / 3);
  const bare = predicted.map(({ distribution }) => picture({ mos: 3 }, distribution));
  expect(compareDistributions("a", bare, { scores: range, grades: range })).toEqual([]);
  expect(compareDistributions("a", [], { scores: range, grades: range })).toEqual([]);
});

test("the share below the MOS runs from 0 to 1 over the range", () => {
  const symmetric = normalOnScores(0.5, 0.1, 41);
  expect(shareBelow(symmetric, 3, range)).toBeCloseTo(0.5, 12);
  expect(shareBelow(symmetric, 1, range)).toBe(0);
  expect(shareBelow(symmetric, 5.5, range)).toBe(1);
  // A normal distribution has 84 % below one standard deviation above its mean.
  expect(shareBelow(symmetric, 3.4, range)).toBeCloseTo(0.841, 2);
});

test("reliability takes deviation and error in units of the MOS", () => {
  const at = (mos: number) => picture({ mos }, normalOnScores(0.5, 0.1, 41));
  const found = spreadReliability("stage 1", [2.6, 3.4, 3].map(at), range)!;
  expect(found.name).toBe("stage 1");
  expect(found.n).toBe(3);
  expect(found.meanZ).toBeCloseTo(0, 6);
  expect(found.sdZ).toBeCloseTo(Math.sqrt(2 / 3), 2);
  expect(found.coverage.map(({ observed }) => Math.round(3 * observed))).toEqual([1, 1, 1, 1, 1, 1, 3, 3, 3]);
  expect(spreadReliability("stage 1", [at(3), at(2)], range)).toBeUndefined();
});
