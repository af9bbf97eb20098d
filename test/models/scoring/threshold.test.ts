import { describe, expect, test } from "bun:test";
import { Random } from "../../../engine/random.ts";
import { areaUnderCurve, findThreshold } from "../../../models/scoring/threshold.ts";

const random = new Random(3, "thresholds");
/** Numbers about a centre, rounded so that some are equal. */
const about = (centre: number, count: number) =>
  Array.from(
    { length: count },
    () => Math.round(2 * (centre + 10 * (random.uniform() + random.uniform() + random.uniform() - 1.5))) / 2,
  );

describe("the area under the curve", () => {
  test.each([
    [30, 20, 8],
    [7, 60, 3],
    [50, 50, 0],
  ])("of %i and %i pictures, with its interval, as the definition by pairs has it", (m, n, apart) => {
    const [good, bad] = [about(50 + apart, m), about(50, n)];
    const wins = good.map((a) => bad.map((b) => (a > b ? 1 : a === b ? 0.5 : 0)));
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = (values: readonly number[]) =>
      values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1);
    const byGood = wins.map(mean);
    const byBad = bad.map((_, j) => mean(wins.map((row) => row[j]!)));
    const deviation = Math.sqrt(variance(byGood) / m + variance(byBad) / n);
    const { value, low, high } = areaUnderCurve(good, bad);
    expect(value).toBeCloseTo(mean(byGood), 12);
    const logit = (p: number) => Math.log(p / (1 - p));
    expect((logit(high) - logit(low)) / 2).toBeCloseTo((1.959964 * deviation) / (value * (1 - value)), 5);
    expect((logit(high) + logit(low)) / 2).toBeCloseTo(logit(value), 9);
  });

  test("without an overlap the interval does not end at the value", () => {
    expect(areaUnderCurve([5, 6, 7, 8, 9, 10], [1, 2, 3, 4, 4.5, 4.6])).toEqual({ value: 1, low: 0.5, high: 1 });
    expect(areaUnderCurve(Array(30).fill(2), Array(40).fill(1)).low).toBeCloseTo(0.9, 12);
  });
});

describe("the threshold", () => {
  test.each([undefined, 0, 0.05, 0.3])("is the best of all (most false alarms: %p)", (maxFalseAlarms) => {
    for (let i = 0; i < 20; i++) {
      const [good, bad] = [about(55, 25), about(50, 31)];
      const found = findThreshold(good, bad, maxFalseAlarms === undefined ? {} : { maxFalseAlarms });
      const errorsOf = (threshold: number) => {
        const falseAlarms = good.filter((score) => score < threshold).length / good.length;
        const misses = bad.filter((score) => score >= threshold).length / bad.length;
        return { falseAlarms, misses, balancedError: (falseAlarms + misses) / 2 };
      };
      expect(found.own.balancedError).toBeCloseTo(errorsOf(found.threshold).balancedError, 12);
      const all = [...good, ...bad].flatMap((score) => [score, score + 0.01]).map(errorsOf);
      if (maxFalseAlarms === undefined) {
        expect(found.own.balancedError).toBeCloseTo(Math.min(...all.map(({ balancedError }) => balancedError)), 12);
      } else {
        const allowed = all.filter(({ falseAlarms }) => falseAlarms <= maxFalseAlarms);
        expect(found.own.falseAlarms).toBeLessThanOrEqual(maxFalseAlarms);
        expect(found.own.misses).toBeCloseTo(Math.min(...allowed.map(({ misses }) => misses)), 12);
      }
    }
  });

  test("lies in the middle of a gap, with few digits", () => {
    const found = findThreshold([61.234, 70, 72, 80, 90], [10, 20, 30.1, 40.777, 22]);
    expect(found).toMatchObject({ threshold: 50, good: 5, bad: 5, separates: false });
    expect(found.own).toEqual({ falseAlarms: 0, misses: 0, balancedError: 0 });
  });

  test("cross-validation is not as kind as the pictures themselves, and of pure chance gives a half", () => {
    const errors = Array.from({ length: 20 }, () => findThreshold(about(50, 40), about(50, 40)));
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(errors.map(({ own }) => own.balancedError))).toBeLessThan(0.45);
    const crossed = mean(errors.map(({ crossValidated }) => crossValidated.balancedError));
    expect(crossed).toBeGreaterThan(0.46);
    expect(crossed).toBeLessThan(0.56);
    expect(errors.filter(({ separates }) => separates).length).toBeLessThan(5);
    const apart = findThreshold(about(65, 40), about(50, 40));
    expect([apart.separates, apart.crossValidated.folds]).toEqual([true, 10]);
    expect(apart.crossValidated.balancedError).toBeLessThan(0.3);
  });

  test("is refused of too few pictures, and of what is no score or share", () => {
    expect(() => findThreshold([1, 2, 3, 4], [1, 2, 3, 4, 5])).toThrow("at least 5 good pictures, found 4");
    expect(() => findThreshold([1, 2, 3, 4, 5], [1, 2, 3, 4, Number.NaN])).toThrow("bad pictures is not finite");
    expect(() => findThreshold([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], { maxFalseAlarms: 1 })).toThrow(
      "a share from 0 to below 1",
    );
  });
});
