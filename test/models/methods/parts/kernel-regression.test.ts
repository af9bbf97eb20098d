import { describe, expect, test } from "bun:test";
import { kernelRidge, type RegressionOptions } from "../../../../models/methods/parts/kernel-regression.ts";
import { relativeError } from "../../../engine/check.ts";
import golden from "../../../golden/ridge.json" with { type: "json" };

const sines = (rows: number, d: number) =>
  Float32Array.from({ length: rows * d }, (_, i) => Math.sin(0.7 * i * i + 0.3 * i));
const fixed: RegressionOptions = { kernel: "rbf", width: 1, ridge: 0.1 };

describe("kernel ridge regression", () => {
  test.each(Object.entries(golden))(
    "%s: predictions, left-out ones and variances as by NumPy, which refits",
    (_, each) => {
      const { d, y, options, expected } = each;
      const found = kernelRidge(Float32Array.from(each.features), d, y, options as RegressionOptions);
      expect([found.width ?? null, found.ridge]).toEqual([expected.width, expected.ridge]);
      expect(relativeError([...found.leftOut], expected.leftOut)).toBeLessThan(1e-6);
      expect(relativeError([...found.predictions], expected.predictions)).toBeLessThan(1e-6);
      expect(relativeError([...found.explained], expected.explained)).toBeLessThan(1e-6);
    },
  );

  test("gives a picture that is labelled its label with hardly a ridge, and one like no other the mean with no weight", () => {
    const d = 3;
    const features = sines(9, d);
    features.copyWithin(6 * d, 2 * d, 3 * d);
    features.fill(9, 7 * d, 8 * d);
    const y = [10, 20, 90, 40, 55, 60];
    const found = kernelRidge(features, d, y, { kernel: "rbf", width: 0.01, ridge: 1e-6 });
    expect(found.predictions[0]).toBeCloseTo(90, 2);
    expect(found.explained[0]).toBeCloseTo(1, 4);
    expect(found.explained[1]).toBeLessThan(1e-6);
    expect(found.predictions[1]).toBeGreaterThan(10);
    expect(found.predictions[1]).toBeLessThan(90);
  });

  test("is the same for features that are stretched or moved, and follows labels that are", () => {
    const d = 4;
    const features = sines(14, d);
    const y = Array.from({ length: 10 }, (_, i) => 50 + 40 * Math.sin(i));
    const one = kernelRidge(features, d, y, { kernel: "rbf", width: 0, ridge: 0 });
    const stretched = features.map((value, at) => value * [2, 0.5, 8, 1][at % d]! + [0, 4, -2, 1][at % d]!);
    const other = kernelRidge(stretched, d, y, { kernel: "rbf", width: 0, ridge: 0 });
    expect([other.width, other.ridge]).toEqual([one.width, one.ridge]);
    expect(relativeError([...other.predictions], [...one.predictions])).toBeLessThan(1e-4);
    const reversed = kernelRidge(
      features,
      d,
      y.map((value) => 101 - value),
      fixed,
    );
    const own = kernelRidge(features, d, y, fixed);
    expect(
      relativeError(
        [...reversed.predictions],
        [...own.predictions].map((value) => 101 - value),
      ),
    ).toBeLessThan(1e-9);
  });

  test("gives the mean where features tell nothing, and takes equal pictures", () => {
    const y = [10, 20, 60];
    for (const kernel of ["rbf", "linear"] as const) {
      const found = kernelRidge(new Float32Array(15).fill(0.3), 3, y, { kernel, width: 0, ridge: 0 });
      expect([...found.predictions].every((value) => Math.abs(value - 30) < 1e-9)).toBe(true);
    }
  });

  test("is in one block what it is in several", () => {
    const d = 2;
    const features = sines(1100, d);
    const y = [10, 80, 30, 55];
    const all = kernelRidge(features, d, y, fixed);
    expect(all.predictions.length).toBe(1096);
    // The last pictures alone, with the same mean and variance of the features.
    const again = features.slice();
    again.copyWithin(4 * d, 1000 * d, 1100 * d);
    again.set(features.subarray(4 * d, 104 * d), 1000 * d);
    const moved = kernelRidge(again, d, y, fixed);
    expect(relativeError([...moved.predictions.slice(0, 100)], [...all.predictions.slice(996)])).toBeLessThan(1e-9);
    expect(relativeError([...moved.explained.slice(0, 100)], [...all.explained.slice(996)])).toBeLessThan(1e-9);
  });
});
