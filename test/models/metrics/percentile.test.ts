import { expect, test } from "bun:test";
import { percentile, percentiles } from "../../../models/metrics/index.ts";
import { percentileOfQuantiles } from "../../../models/metrics/percentile.ts";
import { referenceOf, referencePercentile } from "../../../models/trust/reference.ts";

test("places are mid-ranks: equal scores have the same, the mean is 50", () => {
  expect([...percentiles([10])]).toEqual([50]);
  expect([...percentiles([30, 10, 20, 20])]).toEqual([87.5, 12.5, 50, 50]);
  expect([...percentiles([7, 7, 7])]).toEqual([50, 50, 50]);
  expect(percentiles([]).length).toBe(0);
  const many = Float64Array.from({ length: 997 }, (_, i) => (i * 7919) % 101);
  const places = percentiles(many);
  expect(places.reduce((sum, place) => sum + place, 0) / 997).toBeCloseTo(50, 9);
  for (const i of [0, 5, 996]) expect(places[i]).toBeCloseTo(percentile(many[i]!, many), 9);
  expect(() => percentiles([1, Number.NaN])).toThrow("score 1 is NaN");
});

test("the place of a score among others", () => {
  expect([5, 10, 15, 40].map((score) => percentile(score, [10, 20, 20, 30]))).toEqual([0, 12.5, 25, 100]);
  expect(percentile(20, [10, 20, 20, 30])).toBe(50);
  expect(() => percentile(3, [])).toThrow("there are none");
});

test("the place in a distribution of which quantiles are known", () => {
  const quantiles = [10, 20, 20, 20, 40];
  expect([9, 10, 15, 20, 30, 40, 41].map((score) => percentileOfQuantiles(score, quantiles))).toEqual([
    0, 0, 12.5, 50, 87.5, 100, 100,
  ]);
  expect([2, 3, 4].map((score) => percentileOfQuantiles(score, [3, 3]))).toEqual([0, 50, 100]);
});

test("a reference keeps the quantiles of scores, by which places agree with those among the scores", () => {
  const scores = Array.from({ length: 2000 }, (_, i) => 100 * (((i * 7919) % 2000) / 2000) ** 2);
  const facts = referenceOf(scores, "made pictures");
  expect([facts.of, facts.pictures, facts.quantiles.length]).toEqual(["made pictures", 2000, 101]);
  for (const score of [0.5, 12, 50, 77, 99]) {
    expect(referencePercentile(score, facts)).toBeCloseTo(percentile(score, scores), 0);
  }
  expect(() => referenceOf(scores.slice(0, 49), "few")).toThrow("at least 50 pictures, found 49");
});
