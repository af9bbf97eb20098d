import { describe, expect, test } from "bun:test";
import { timesOf } from "../../../engine/tune/measured.ts";
import { errorOfMedian, isEnough, pairedRatio, relativeNoise } from "../../../engine/tune/noise.ts";

describe("noise of a median", () => {
  test("falls with the root of the count, and is unknown of one value", () => {
    expect(errorOfMedian(1, 1)).toBe(Number.POSITIVE_INFINITY);
    expect(errorOfMedian(0.5, 4) / errorOfMedian(0.5, 16)).toBeCloseTo(2, 12);
    expect(errorOfMedian(1, 100)).toBeCloseTo(0.12533, 5);
    expect(relativeNoise([2, 2, 2, 2])).toBe(0);
    expect(relativeNoise([])).toBe(Number.POSITIVE_INFINITY);
  });

  test("sampling goes on until it is small enough, or there are too many", () => {
    const steady = [1, 1.001, 0.999, 1, 1.0005];
    const wild = [1, 2, 1, 2, 1.5];
    expect(isEnough(steady.slice(0, 4), { runs: 5, noise: 0.02 })).toBe(false);
    expect(isEnough(steady, { runs: 5, noise: 0.02 })).toBe(true);
    expect(isEnough(wild, { runs: 5 })).toBe(true);
    expect(isEnough(wild, { runs: 5, noise: 0.02 })).toBe(false);
    expect(isEnough(wild, { runs: 5, noise: 0.02, most: 5 })).toBe(true);
    // Three equal times say nothing of their noise yet.
    expect(isEnough([1, 1, 1], { runs: 1, noise: 0.02 })).toBe(false);
  });

  test("timesOf takes further times while they scatter", async () => {
    let calls = 0;
    // Scatters by a half at first, later by nothing.
    const run = async () => (calls++ < 12 ? 1 + (calls % 3) / 2 : 1);
    const few = await timesOf({ run, most: 1 }, { leastMs: 0, runs: 5 });
    expect(few).toHaveLength(5);
    calls = 0;
    const many = await timesOf({ run, most: 1 }, { leastMs: 0, runs: 5, noise: 0.05 });
    expect(many.length).toBeGreaterThan(11);
    expect(relativeNoise(many)).toBeLessThanOrEqual(0.05);
  });
});

describe("the ratio of pairs", () => {
  test("has the interval of Student's distribution", () => {
    // scipy.stats.t.interval(0.95, 4, mean, sem) of the logarithms.
    const found = pairedRatio([
      [1, 1.1],
      [2, 2.1],
      [3, 3.6],
      [4, 4.2],
      [5, 5.4],
    ]);
    expect(found.ratio).toBeCloseTo(1.0946499384187651, 9);
    expect(found.low).toBeCloseTo(1.0223409379060555, 4);
    expect(found.high).toBeCloseTo(1.1720732715002713, 4);
  });

  test("does not see what disturbs both of a pair alike", () => {
    const quiet = pairedRatio([
      [1, 1.2],
      [1, 1.2],
      [1, 1.2],
    ]);
    const disturbed = pairedRatio([
      [1, 1.2],
      [5, 6],
      [100, 120],
    ]);
    expect(disturbed.ratio).toBeCloseTo(quiet.ratio, 12);
    expect(disturbed.high - disturbed.low).toBeLessThan(1e-9);
    const [one] = [pairedRatio([[1, 2]])];
    expect([one!.low, one!.high]).toEqual([0, Number.POSITIVE_INFINITY]);
  });
});
