import { describe, expect, test } from "bun:test";
import { Random } from "../../../engine/random.ts";
import {
  cumulativeShare,
  emd,
  gradesOnScores,
  jensenShannon,
  MetricError,
  normalOnScores,
  wasserstein,
} from "../../../models/metrics/index.ts";
import golden from "../../golden/distributions.json" with { type: "json" };

const expectClose = (found: ArrayLike<number>, expected: readonly number[]) => {
  expect(found.length).toBe(expected.length);
  for (let j = 0; j < expected.length; j++) expect(found[j]!).toBeCloseTo(expected[j]!, 12);
};

describe(`golden values from SciPy ${golden.scipy}`, () => {
  for (const [name, { p, q, expected }] of Object.entries(golden.pairs)) {
    test(`distances: ${name}`, () => {
      // The root of a difference of nearly equal sums keeps half of the digits.
      expect(jensenShannon(p, q)).toBeCloseTo(expected.jensenShannonDistance ** 2, 12);
      expect(wasserstein(p, q)).toBeCloseTo(expected.wasserstein, 12);
      expect(emd(p, q)).toBeCloseTo(expected.emd, 12);
    });
  }
  for (const { grades, levels, window, expected } of golden.grades) {
    test(`${grades.length} grades on ${levels} scores from ${window[0]} to ${window[1]}`, () => {
      expectClose(gradesOnScores(grades, levels, window as [number, number]), expected);
    });
  }
  for (const { mean, sd, levels, expected } of golden.normals) {
    test(`normal of ${mean} and ${sd} on ${levels} scores`, () => {
      expectClose(normalOnScores(mean, sd, levels), expected);
    });
  }
  for (const { p, at, expected } of golden.shares) {
    test(`cumulative share of ${p.length} scores`, () => {
      expectClose(
        at.map((position) => cumulativeShare(p, position)),
        expected,
      );
    });
  }
});

test("the ends of the distances: nothing in common, opposite ends", () => {
  const [low, high] = [
    [1, 0, 0, 0],
    [0, 0, 0, 3],
  ] as const;
  expect(jensenShannon(low, high)).toBeCloseTo(Math.LN2, 15);
  expect(wasserstein(low, high)).toBe(1);
  expect(emd(low, high)).toBeCloseTo(Math.sqrt(3 / 4), 15);
});

test("distances are symmetric and 0 only between equals", () => {
  const random = new Random(7, "distances");
  const draw = () => Array.from({ length: 12 }, () => random.uniform());
  for (let round = 0; round < 20; round++) {
    const [p, q] = [draw(), draw()];
    for (const distance of [jensenShannon, wasserstein, emd]) {
      expect(distance(p, q)).toBeCloseTo(distance(q, p), 14);
      expect(distance(p, p)).toBe(0);
      expect(distance(p, q)).toBeGreaterThan(0);
    }
  }
});

test("a narrow normal is the nearest score, wherever it lies", () => {
  expect([...normalOnScores(0.49, 0, 5)]).toEqual([0, 0, 1, 0, 0]);
  expect([...normalOnScores(0.1, 1e-300, 5)]).toEqual([1, 0, 0, 0, 0]);
  expect([...normalOnScores(3, 1e-3, 3)]).toEqual([0, 0, 1]);
});

test("grades beyond the window count as its ends", () => {
  const all = gradesOnScores([1, 0, 0, 0, 1], 10, [0.4, 0.6]);
  expect(all[0]).toBeCloseTo(0.5, 12);
  expect(all[9]).toBeCloseTo(0.5, 12);
});

test("what is no distribution is refused with its place and value", () => {
  const message = (call: () => unknown) => {
    try {
      call();
    } catch (error) {
      expect(error).toBeInstanceOf(MetricError);
      return (error as Error).message;
    }
    return "";
  };
  expect(message(() => emd([1, 2], [1, 2, 3]))).toContain("2 and 3 scores");
  expect(message(() => jensenShannon([1, -0.5], [1, 2]))).toContain("-0.5 at index 1");
  expect(message(() => jensenShannon([1, 1], [1, Number.NaN]))).toContain("NaN at index 1");
  expect(message(() => wasserstein([0, 0], [1, 2]))).toContain("0 everywhere");
  expect(message(() => gradesOnScores([3], 5))).toContain("at least 2 scores, got 1");
  expect(message(() => normalOnScores(0.5, -1, 5))).toContain("sd -1");
  expect(message(() => normalOnScores(Number.NaN, 1, 5))).toContain("mean NaN");
});
