import { describe, expect, test } from "bun:test";
import { Random } from "../../../engine/random.ts";
import { observedRange } from "../../../models/data/range.ts";
import {
  confidence,
  confidences,
  convert,
  convertScore,
  denormaliseScore,
  entropy,
  expectation,
  type LabelMode,
  normaliseMos,
  scoreSet,
  standardDeviation,
} from "../../../models/labels/labels.ts";
import { type CplOptionsInput, cplOptions } from "../../../models/methods/cpl/options.ts";
import { trainedOn } from "../../../models/methods/cpl/pseudo-labels.ts";
import golden from "../../golden/labels.json" with { type: "json" };

const sizes = [5, 10, 20, 100];
/** Modes whose labels have the score as their expectation, but for `nearest` within half a bin. */
const twoPoint = ["adjacent", "minent", "nearest"] as const;

/** Scores to try: members of the set, half way, next to members and ends, and seeded random ones. */
function scores(levels: number): number[] {
  const random = new Random(levels, "labels");
  const members = [...scoreSet(levels)];
  const step = 99 / (levels - 1);
  const near = members.slice(0, -1).flatMap((y) => [y + step / 2, y + 0.001 * step, y + 0.999 * step]);
  return [...members, ...near, ...Array.from({ length: 60 }, () => 1 + 99 * random.uniform())];
}

const binaryEntropy = (p: number) => entropy([p, 1 - p]);

/** Smallest entropy over every support of two scores around y. */
function bruteForce(score: number, levels: number): number {
  const set = scoreSet(levels);
  let least = Number.POSITIVE_INFINITY;
  for (const a of set) {
    for (const b of set) {
      if (a <= score && score <= b && a < b) least = Math.min(least, binaryEntropy((score - a) / (b - a)));
    }
  }
  return least;
}

describe("Eq. 1", () => {
  test("the ends of the nominal scale map to 1 and 100, and back", () => {
    expect(normaliseMos(1, [1, 5])).toBe(1);
    expect(normaliseMos(5, [1, 5])).toBe(100);
    expect(normaliseMos(3, [1, 5])).toBeCloseTo(50.5, 12);
    expect(normaliseMos(40, [0, 100])).toBeCloseTo(40.6, 12);
    for (const mos of [1.3, 2.72, 4.9]) {
      expect(denormaliseScore(normaliseMos(mos, [1, 5]), [1, 5])).toBeCloseTo(mos, 12);
    }
  });

  test("the observed range, and ranges that are none", () => {
    expect(observedRange([3, 1, 2.5])).toEqual([1, 3]);
    expect(() => observedRange([2, 2])).toThrow("[2, 2]");
    expect(() => observedRange([])).toThrow(RangeError);
    expect(() => observedRange([1, Number.NaN])).toThrow("NaN");
    expect(() => normaliseMos(1, [5, 1])).toThrow("[5, 1]");
  });
});

describe("Eq. 2", () => {
  test("the score set runs from 1 to 100", () => {
    expect([...scoreSet(100)]).toEqual(Array.from({ length: 100 }, (_, j) => j + 1));
    expect([...scoreSet(5)]).toEqual([1, 25.75, 50.5, 75.25, 100]);
    expect(() => scoreSet(1)).toThrow("got 1");
  });

  for (const levels of sizes) {
    test(`minent is the minimum over all two-point supports, m = ${levels}`, () => {
      const bound = binaryEntropy(1 / levels);
      for (const y of scores(levels)) {
        const found = entropy(convertScore(y, "minent", levels));
        expect(Math.abs(found - bruteForce(y, levels))).toBeLessThan(1e-7);
        expect(found).toBeLessThanOrEqual(bound + 1e-12);
      }
    });

    test(`labels are distributions that keep the expectation, m = ${levels}`, () => {
      const step = 99 / (levels - 1);
      for (const y of scores(levels)) {
        for (const mode of [...twoPoint, "maxent"] as const) {
          const label = convertScore(y, mode, levels);
          expect(label.every((p) => p >= 0)).toBe(true);
          expect(label.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
          expect(Math.abs(expectation(label) - y)).toBeLessThanOrEqual(mode === "nearest" ? step / 2 + 1e-7 : 1e-7);
        }
      }
    });

    test(`members of the set are one-hot in modes of two scores, m = ${levels}`, () => {
      scoreSet(levels).forEach((y, j) => {
        for (const mode of twoPoint) expect(convertScore(y, mode, levels)[j]).toBe(1);
      });
    });
  }

  test("the worked example y = 50.5, m = 100", () => {
    const adjacent = convertScore(50.5, "adjacent", 100);
    expect(entropy(adjacent)).toBeCloseTo(Math.LN2, 12);
    expect(standardDeviation(adjacent) ** 2).toBeCloseTo(0.25, 10);
    const minent = convertScore(50.5, "minent", 100);
    expect([minent[49], minent[99]]).toEqual([0.99, 0.01]);
    expect(entropy(minent)).toBeCloseTo(0.056, 3);
    expect(standardDeviation(minent) ** 2).toBeCloseTo(24.75, 10);
    expect(convertScore(50.5, "nearest", 100)[50]).toBe(1);
  });

  test("the other candidate wins where the lower end is cheaper", () => {
    const label = convertScore(90.9, "minent", 100);
    expect(label[0]).toBeCloseTo(0.1 / 90, 12);
    expect(label[90]).toBeCloseTo(1 - 0.1 / 90, 12);
  });

  test("a matrix holds one label per row", () => {
    const matrix = convert([1, 50.5, 100], { levels: 5, mode: "nearest" });
    expect([...matrix]).toEqual([1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
    expect(convert([40.25]).length).toBe(100);
    expect(convert([]).length).toBe(0);
  });

  test("scores off the scale and unknown modes are refused", () => {
    expect(() => convertScore(0.9, "adjacent", 100)).toThrow("got 0.9");
    expect(() => convertScore(Number.NaN, "adjacent", 100)).toThrow("got NaN");
    expect(() => convertScore(50.3, "softest" as LabelMode, 100)).toThrow('"softest"');
  });
});

describe(`other labels, golden values from SciPy ${golden.scipy}`, () => {
  const worst = (found: ArrayLike<number>, expected: readonly number[]) =>
    expected.reduce((most, value, j) => Math.max(most, Math.abs(value - found[j]!)), 0);

  test("gauss is the renormalised normal density", () => {
    for (const { score, levels, deviation, label } of golden.cases.gauss)
      expect(worst(convertScore(score, "gauss", levels, deviation), label)).toBeLessThan(1e-13);
  });

  test("gauss keeps the expectation inside the set and moves it inwards at the ends; ten is the default", () => {
    expect(expectation(convertScore(50, "gauss", 100))).toBeCloseTo(50, 4);
    expect(standardDeviation(convertScore(50.3, "gauss", 100))).toBeCloseTo(10, 3);
    expect(expectation(convertScore(1, "gauss", 100))).toBeCloseTo(8.67, 2);
    expect(expectation(convertScore(100, "gauss", 100))).toBeCloseTo(92.33, 2);
    // So narrow that no density is left at the nearest member.
    expect(convertScore(50.4, "gauss", 100, 0.001)[49]).toBe(1);
    expect(() => convertScore(50, "gauss", 100, 0)).toThrow("got 0");
  });

  test("maxent is the root of its dual, and what a solver finds that knows only entropy and constraints", () => {
    for (const { score, levels, label } of golden.cases.maxent)
      expect(worst(convertScore(score, "maxent", levels), label)).toBeLessThan(1e-11);
    for (const { score, levels, label } of golden.cases.solver) {
      expect(worst(convertScore(score, "maxent", levels), label)).toBeLessThan(2e-5);
      expect(entropy(convertScore(score, "maxent", levels))).toBeGreaterThan(entropy(label) - 1e-9);
    }
  });

  test("maxent has closed forms: one-hot at the ends, uniform in the middle, two scores, geometric", () => {
    expect([...convertScore(1, "maxent", 20)].indexOf(1)).toBe(0);
    expect([...convertScore(100, "maxent", 20)].indexOf(1)).toBe(19);
    expect(worst(convertScore(50.5, "maxent", 20), Array(20).fill(1 / 20))).toBeLessThan(1e-15);
    expect(worst(convertScore(1 + 0.3 * 99, "maxent", 2), [0.7, 0.3])).toBeLessThan(1e-13);
    for (const score of [1 + 1e-6, 3, 47, 99 + 1e-3]) {
      const label = convertScore(score, "maxent", 100);
      const ratio = label[50]! / label[49]!;
      for (let j = 1; j < 100; j++)
        if (label[j - 1]! > 1e-200) expect(label[j]! / label[j - 1]! / ratio).toBeCloseTo(1, 8);
      expect(Math.abs(expectation(label) - score)).toBeLessThan(1e-10);
    }
  });

  test("pqr is the normal density at the middles of equal intervals; its expectation keeps the order of the scores", () => {
    for (const { score, levels, label } of golden.cases.pqr)
      expect(worst(convertScore(score, "pqr", levels), label)).toBeLessThan(1e-13);
    const read = Array.from({ length: 100 }, (_, i) => expectation(convertScore(i + 1, "pqr", 5)));
    for (let i = 1; i < 100; i++) expect(read[i]! - read[i - 1]!).toBeGreaterThan(0);
    expect(Math.max(...read.map((found, i) => Math.abs(found - i - 1)))).toBeLessThan(9.5);
  });

  test("deqa is the opinions' normal with sum and mean kept, interpolated where it cannot be", () => {
    const ways = new Set<boolean>();
    for (const { score, levels, deviation, label } of golden.cases.deqa) {
      const found = convertScore(score, "deqa", levels, deviation);
      expect(worst(found, label)).toBeLessThan(1e-12);
      expect(Math.abs(expectation(found) - score)).toBeLessThanOrEqual((0.1 * 99) / (levels - 1) + 1e-9);
      ways.add(worst(found, [...convertScore(score, "adjacent", levels)]) < 1e-12);
    }
    expect(ways.size).toBe(2);
    // Well inside the scale nothing is clipped: the deviation is that of the opinions.
    expect(standardDeviation(convertScore(47, "deqa", 10, 13))).toBeCloseTo(13, 0);
    expect([...convertScore(40, "deqa", 5)]).toEqual([...convertScore(40, "adjacent", 5)]);
    const matrix = convert([40, 40], { mode: "deqa", levels: 5, deviations: [20, undefined] });
    expect([...matrix]).toEqual([
      ...new Float32Array(convertScore(40, "deqa", 5, 20)),
      ...new Float32Array(convertScore(40, "adjacent", 5)),
    ]);
    expect(() => convertScore(40, "deqa", 5, -1)).toThrow("got -0.04");
  });

  test("gauss-own is gauss of the opinions' deviation, of the fixed one where there is none, adjacent where it is hardly any", () => {
    for (const [score, levels, deviation] of [
      [47, 100, 16],
      [47, 100, 3],
      [8, 20, 22],
    ] as const) {
      const own = convertScore(score, "gauss-own", levels, deviation);
      expect([...own]).toEqual([...convertScore(score, "gauss", levels, deviation)]);
    }
    expect(standardDeviation(convertScore(50, "gauss-own", 100, 14))).toBeCloseTo(14, 1);
    expect(expectation(convertScore(50, "gauss-own", 100, 14))).toBeCloseTo(50, 2);
    const matrix = convert([40.3, 40.3, 40.3], {
      ...{ mode: "gauss-own", levels: 100, deviation: 7 },
      deviations: [12, undefined, 0],
    });
    const expected = [convertScore(40.3, "gauss", 100, 12), convertScore(40.3, "gauss", 100, 7)];
    expected.push(convertScore(40.3, "adjacent", 100));
    expect(matrix).toEqual(Float32Array.from(expected.flatMap((row) => [...row])));
    expect(() => convertScore(40, "gauss-own", 100, -1)).toThrow("positive number, got -1");
  });

  test("onehot5 puts a boundary to the level below it, and the lowest score to the first", () => {
    for (const { mos, range, level } of golden.cases.onehot5) {
      const label = convertScore(normaliseMos(mos, range as [number, number]), "onehot5", 5);
      expect([...label].indexOf(1) + 1).toBe(level);
      expect(label.reduce((a, b) => a + b)).toBe(1);
    }
    expect(() => convertScore(50, "onehot5", 100)).toThrow("5 levels, got 100");
    expect(() => cplOptions({ labelMode: "onehot5" })).toThrow("give `levels` 5");
    expect(cplOptions({ labelMode: "onehot5", levels: 5 }).levels).toBe(5);
  });
});

describe("what the network is trained on", () => {
  const pseudo = () => Float32Array.of(0.2, 0.5, 0.3, 0, 0.4, 0.1, 0.1, 0.4);
  const target = (more: CplOptionsInput) => [...trainedOn(pseudo(), cplOptions({ levels: 4, ...more }))];

  test("the vector, its largest entry, or its expectation converted anew", () => {
    expect(target({})).toEqual([...pseudo()]);
    // Of two that are equally large, the first.
    expect(target({ target: "one-hot" })).toEqual([0, 1, 0, 0, 1, 0, 0, 0]);
    const again = target({ target: "reconverted", labelMode: "nearest" });
    // Positions 1.1 and 1.5 of 0..3.
    expect(again).toEqual([0, 1, 0, 0, 0, 0, 1, 0]);
    const wide = target({ target: "reconverted", labelMode: "gauss", labelDeviation: 1000 });
    for (const p of wide) expect(p).toBeCloseTo(0.25, 2);
  });
});

describe("Eq. 8", () => {
  test("from uniform to one-hot", () => {
    expect(confidence(new Float64Array(10).fill(0.1))).toBeCloseTo(0, 12);
    expect(confidence([0, 1, 0])).toBe(1);
    expect(confidence([0.5, 0.5, 0, 0])).toBeCloseTo(0.5, 12);
  });

  test("rows, with and without division by the largest", () => {
    const rows = [0.5, 0.5, 0, 0, 0.25, 0.25, 0.25, 0.25];
    expect([...confidences(rows, 4, { divideByMaximum: false })]).toEqual([0.5, 0]);
    expect([...confidences(rows, 4)]).toEqual([1, 0]);
    expect([...confidences(rows.slice(4), 4)]).toEqual([0]);
    expect(() => confidences(rows, 3)).toThrow("8 entries");
  });
});
