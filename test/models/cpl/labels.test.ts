import { describe, expect, test } from "bun:test";
import { Random } from "../../../engine/random.ts";
import {
  confidence,
  confidences,
  convert,
  convertScore,
  denormaliseScore,
  entropy,
  expectation,
  LABEL_MODES,
  type LabelMode,
  normaliseMos,
  scoreSet,
  standardDeviation,
} from "../../../models/cpl/labels.ts";
import { observedRange } from "../../../models/data/range.ts";

const sizes = [5, 10, 20, 100];

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
        for (const mode of LABEL_MODES) {
          const label = convertScore(y, mode, levels);
          expect(label.every((p) => p >= 0)).toBe(true);
          expect(label.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
          expect(Math.abs(expectation(label) - y)).toBeLessThanOrEqual(mode === "nearest" ? step / 2 + 1e-7 : 1e-7);
        }
      }
    });

    test(`members of the set are one-hot in every mode, m = ${levels}`, () => {
      scoreSet(levels).forEach((y, j) => {
        for (const mode of LABEL_MODES) expect(convertScore(y, mode, levels)[j]).toBe(1);
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
