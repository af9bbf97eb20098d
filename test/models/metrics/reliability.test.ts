import { expect, test } from "bun:test";
import { Random } from "../../../engine/random.ts";
import {
  binnedErrors,
  coverage,
  cumulativeShare,
  MetricError,
  normalOnScores,
  reliability,
  type SpreadOfPrediction,
} from "../../../models/metrics/index.ts";

const levels = 100;

/** Predictions whose true scores are drawn around them with `truth` times the spread that they state. */
function predictions(truth: number, bias = 0): SpreadOfPrediction[] {
  const random = new Random(3, "reliability");
  return Array.from({ length: 4000 }, () => {
    const mean = 0.4 + 0.2 * random.uniform();
    const sd = 0.03 + 0.07 * random.uniform();
    const mos = mean + bias + truth * sd * random.normal();
    const shareBelow = cumulativeShare(normalOnScores(mean, sd, levels), mos);
    return { score: mean, standardDeviation: sd, confidence: 1 - sd, mos, shareBelow };
  });
}

test("spreads that are right cover what they should", () => {
  const found = reliability(predictions(1));
  // The standard error of a share of 4000 is below 0.008.
  for (const { nominal, observed } of found.coverage) expect(Math.abs(observed - nominal)).toBeLessThan(0.025);
  expect(found.calibrationError).toBeLessThan(0.012);
  expect(Math.abs(found.meanZ)).toBeLessThan(0.05);
  expect(Math.abs(found.sdZ - 1)).toBeLessThan(0.03);
  expect(found.deviationSrcc).toBeGreaterThan(0.2);
  expect(found.confidenceSrcc).toBeCloseTo(-found.deviationSrcc, 12);
});

test("spreads that are too narrow or too wide show on either side of the diagonal", () => {
  const narrow = reliability(predictions(3));
  expect(narrow.sdZ).toBeGreaterThan(2.8);
  for (const { nominal, observed } of narrow.coverage) expect(observed).toBeLessThan(nominal);
  const wide = reliability(predictions(0.3));
  expect(wide.sdZ).toBeLessThan(0.35);
  for (const { nominal, observed } of wide.coverage) expect(observed).toBeGreaterThan(nominal);
  expect(reliability(predictions(1, 0.2)).meanZ).toBeGreaterThan(2);
});

test("coverage counts shares by their distance from the middle", () => {
  const observed = coverage([0.5, 0.45, 0.7, 0.95, 1]).map((entry) => entry.observed);
  expect(observed).toEqual([0.4, 0.4, 0.4, 0.6, 0.6, 0.6, 0.6, 0.6, 0.8]);
});

test("bins by confidence hold equally many, in order, and keep equal confidences together", () => {
  const confidences = Array.from({ length: 40 }, (_, i) => (i * 7) % 40);
  const bins = binnedErrors(
    confidences,
    confidences.map((value) => 100 - value),
    4,
  );
  expect(bins.map(({ n }) => n)).toEqual([10, 10, 10, 10]);
  expect(bins.map(({ meanPredictor }) => meanPredictor)).toEqual([4.5, 14.5, 24.5, 34.5]);
  expect(bins.map(({ meanError }) => meanError)).toEqual([95.5, 85.5, 75.5, 65.5]);

  const tied = binnedErrors([1, 1, 1, 1, 1, 1, 1, 2, 2, 2], [1, 1, 1, 1, 1, 1, 1, 4, 4, 4], 2);
  expect(tied).toEqual([
    { n: 7, meanPredictor: 1, meanError: 1 },
    { n: 3, meanPredictor: 2, meanError: 4 },
  ]);
  expect(binnedErrors(Array(50).fill(0.3), Array(50).fill(2))).toEqual([
    { n: 50, meanPredictor: expect.closeTo(0.3, 12), meanError: 2 },
  ]);
  expect(binnedErrors([0.1, 0.2], [3, 5], 8)).toEqual([
    { n: 2, meanPredictor: expect.closeTo(0.15, 12), meanError: 4 },
  ]);
});

test("lists that do not pair up are refused", () => {
  expect(() => binnedErrors([], [])).toThrow(MetricError);
  expect(() => binnedErrors([1, 2], [1])).toThrow(MetricError);
  expect(() => reliability(predictions(1).slice(0, 1))).toThrow(MetricError);
});
