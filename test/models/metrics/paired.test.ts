import { expect, test } from "bun:test";
import { Random } from "../../../engine/random.ts";
import { mae, pairedDifference, srcc } from "../../../models/metrics/index.ts";

const mean = (predicted: Float64Array) => predicted.reduce((sum, value) => sum + value, 0) / predicted.length;

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
}

test("the interval of a difference of means is the one of the normal distribution", () => {
  const random = new Random(3, "test");
  const n = 400;
  const before = Float64Array.from({ length: n }, () => normal(random));
  const steps = Float64Array.from({ length: n }, () => 0.1 + 0.5 * normal(random));
  const after = before.map((value, i) => value + steps[i]!);
  const found = pairedDifference(mean, { before, after, truth: before }, { repeats: 4000 });
  const centre = mean(steps);
  const error = Math.sqrt(steps.reduce((sum, value) => sum + (value - centre) ** 2, 0)) / n;
  expect(found.difference).toBeCloseTo(centre, 12);
  expect(found.interval![0]).toBeCloseTo(centre - 1.96 * error, 2);
  expect(found.interval![1]).toBeCloseTo(centre + 1.96 * error, 2);
  // As pairs: unpaired it would be four times as wide.
  expect(found.interval![1] - found.interval![0]).toBeLessThan(0.12);
});

test("groups are drawn whole: copies of pictures say no more than the pictures", () => {
  const random = new Random(5, "test");
  const scores = (n: number) => Float64Array.from({ length: n }, () => random.uniform());
  const single = { before: scores(30), after: scores(30), truth: scores(30) };
  const ten = (values: Float64Array) => Float64Array.from({ length: 300 }, (_, i) => values[i % 30]!);
  const copies = { before: ten(single.before), after: ten(single.after), truth: ten(single.truth) };
  const groups = Array.from({ length: 300 }, (_, i) => i % 30);
  expect(pairedDifference(mae, copies, { groups }).interval![0]).toBeCloseTo(
    pairedDifference(mae, single).interval![0],
    10,
  );
  const width = ([low, high]: readonly [number, number]) => high - low;
  expect(width(pairedDifference(mae, copies).interval!)).toBeLessThan(
    0.5 * width(pairedDifference(mae, single).interval!),
  );
});

test("no interval where there is one group or the measure is undefined; the same seed gives the same one", () => {
  const truth = Float64Array.of(1, 2, 3, 4);
  const scores = { before: Float64Array.of(2, 1, 3, 4), after: truth, truth };
  const one = pairedDifference(srcc, scores, { groups: [1, 1, 1, 1] });
  expect(one.interval).toBeUndefined();
  expect(one.before).toBeCloseTo(0.8, 12);
  expect(one.difference).toBeCloseTo(0.2, 12);
  expect(pairedDifference(srcc, { ...scores, before: Float64Array.of(1, 1, 1, 1) }).interval).toBeUndefined();
  expect(pairedDifference(srcc, scores)).toEqual(pairedDifference(srcc, scores));
  expect(() => pairedDifference(srcc, scores, { groups: [1] })).toThrow("4 pictures have 4 and 4 scores and 1 groups");
});
