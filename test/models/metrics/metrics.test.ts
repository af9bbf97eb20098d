import { describe, expect, test } from "bun:test";
import { Random } from "../../../engine/random.ts";
import {
  averageRanks,
  evaluate,
  fitCurve,
  krcc,
  MetricError,
  mae,
  median,
  plcc,
  plccFitted,
  rmse,
  slope,
  srcc,
} from "../../../models/metrics/index.ts";
import golden from "../../golden/metrics.json" with { type: "json" };

const MEASURES = ["srcc", "krcc", "plcc", "rmse", "mae", "slope"] as const;

interface Case {
  predicted: number[];
  mos: number[];
  expected: Record<(typeof MEASURES)[number], number> & {
    plccFitted?: number;
    rmseFitted?: number;
    parameters?: number[];
  };
}

describe(`golden values from SciPy ${golden.scipy}`, () => {
  for (const [name, { predicted, mos, expected }] of Object.entries(golden.cases) as [string, Case][]) {
    test(name, () => {
      const found = evaluate(predicted, mos);
      for (const key of MEASURES) {
        expect(found[key]).toBeCloseTo(expected[key], 10);
      }
      if (expected.plccFitted === undefined) return;
      expect(found.curve).toBe("logistic4");
      expect(found.plccFitted).toBeCloseTo(expected.plccFitted, 6);
      expect(found.rmseFitted / expected.rmseFitted!).toBeCloseTo(1, 6);
    });
  }

  test("the fitted parameters are the published form of the curve", () => {
    const { predicted, mos, expected } = golden.cases.logistic;
    const { parameters, map } = fitCurve(predicted, mos);
    parameters.forEach((value, i) => {
      expect(value / expected.parameters[i]!).toBeCloseTo(1, 3);
    });
    const [b1, b2, b3, b4] = parameters as [number, number, number, number];
    expect(map(0.7)).toBeCloseTo((b1 - b2) / (1 + Math.exp(-(0.7 - b3) / b4)) + b2, 9);
  });
});

describe("ranks", () => {
  test("ties share the mean rank", () => {
    expect([...averageRanks([10, 20, 10, 30, 20, 20])]).toEqual([1.5, 4, 1.5, 6, 4, 4]);
  });

  test("krcc equals the definition over all pairs", () => {
    const random = new Random(1, "krcc");
    for (const n of [2, 3, 7, 33, 64]) {
      const x = Array.from({ length: n }, () => random.integer(12));
      const y = Array.from({ length: n }, () => random.integer(9));
      let concordant = 0;
      let untiedX = 0;
      let untiedY = 0;
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < i; j++) {
          const dx = Math.sign(x[i]! - x[j]!);
          const dy = Math.sign(y[i]! - y[j]!);
          concordant += dx * dy;
          untiedX += Math.abs(dx);
          untiedY += Math.abs(dy);
        }
      }
      const expected = concordant / Math.sqrt(untiedX * untiedY);
      if (Number.isNaN(expected)) expect(krcc(x, y)).toBeNaN();
      else expect(krcc(x, y)).toBeCloseTo(expected, 12);
    }
  });

  test("perfect and reversed order", () => {
    const mos = [1, 2, 3, 4, 5, 6];
    for (const metric of [srcc, krcc, plcc, slope]) expect(metric(mos, mos)).toBeCloseTo(1, 12);
    for (const metric of [srcc, krcc, plcc]) expect(metric([...mos].reverse(), mos)).toBeCloseTo(-1, 12);
  });
});

describe("fitted curve", () => {
  const line = Array.from({ length: 40 }, (_, i) => i / 4);

  test("straight-line data are fitted as well as by a line", () => {
    const found = plccFitted(
      line,
      line.map((x) => 3 * x + 2),
    );
    expect(found.plcc).toBeGreaterThan(0.99999);
  });

  test("a step is fitted, and so is pure noise, without a throw", () => {
    const step = plccFitted(
      line,
      line.map((x) => (x > 5 ? 80 : 20)),
    );
    expect(step.plcc).toBeGreaterThan(0.99);
    const random = new Random(2, "noise");
    const noise = plccFitted(
      line,
      line.map(() => random.normal()),
    );
    expect(noise.plcc).toBeGreaterThanOrEqual(0);
    expect(Number.isFinite(noise.rmse)).toBe(true);
  });

  test("falls back to a line with the reason", () => {
    expect(plccFitted([1, 2, 3, 4], [1, 2, 2, 4])).toMatchObject({
      curve: "linear",
      reason: "4 parameters need at least 5 pictures, got 4",
    });
    const constant = plccFitted([0.1, 0.1, 0.1, 0.1, 0.1, 0.1], [1, 2, 3, 4, 5, 6]);
    expect(constant.reason).toBe("the predicted scores are constant");
    expect(constant.plcc).toBeNaN();
    expect(constant.map(0.1)).toBeCloseTo(3.5, 12);
    expect(evaluate([1, 2, 3, 4, 5, 6], [7, 7, 7, 7, 7, 7])).toMatchObject({
      curve: "linear",
      curveReason: "the true scores are constant",
      srcc: Number.NaN,
      slope: Number.NaN,
    });
  });
});

describe("inputs that cannot be compared", () => {
  test("constant lists give NaN correlations and finite errors", () => {
    const constant = [0.1, 0.1, 0.1];
    for (const metric of [srcc, krcc, plcc]) {
      expect(metric(constant, [1, 2, 3])).toBeNaN();
      expect(metric([1, 2, 3], constant)).toBeNaN();
    }
    expect(slope(constant, [1, 2, 3])).toBeCloseTo(0, 12);
    expect(rmse(constant, [1.1, 1.1, 1.1])).toBeCloseTo(1, 12);
  });

  test("lengths, counts and values are named", () => {
    expect(() => srcc([1, 2], [1])).toThrow("2 predicted scores but 1 true");
    expect(() => krcc([1], [1])).toThrow("at least 2 pictures, got 1");
    expect(() => mae([], [])).toThrow("at least 1 pictures, got 0");
    expect(() => plcc([1, Number.NaN, 3], [1, 2, 3])).toThrow("predicted score at index 1 is NaN");
    expect(() => evaluate([1, 2, 3], [1, 2, Number.POSITIVE_INFINITY])).toThrow("true score at index 2 is Infinity");
    expect(() => slope([1], [2])).toThrow(MetricError);
  });
});

test("the median of an even number of scores is the mean of the middle two", () => {
  expect(median([9, 1, 10])).toBe(9);
  expect(median(Float32Array.of(4, 1, 3, 2))).toBe(2.5);
  expect(median([7])).toBe(7);
  expect(median([])).toBeNaN();
});
