import { describe, expect, test } from "bun:test";
import { elasticNet } from "../../../../models/methods/reiqa/elastic-net.ts";
import { regressed } from "../../../../models/methods/reiqa/fit.ts";
import { linearData } from "../../../../models/methods/reiqa/linear-data.ts";
import { ridgeByFolds, solveShifted } from "../../../../models/methods/reiqa/ridge-by-folds.ts";
import { relativeError } from "../../../engine/check.ts";
import golden from "../../../golden/linear_fits.json" with { type: "json" };

interface Layer {
  readonly weights: readonly number[];
  readonly constant: number;
}

function expectLayer(found: { weights: Float64Array; constant: number }, wanted: Layer, error: number): void {
  expect(relativeError([...found.weights], [...wanted.weights])).toBeLessThan(error);
  expect(Math.abs(found.constant - wanted.constant)).toBeLessThan(error * Math.max(1, Math.abs(wanted.constant)));
}

describe.each(Object.entries(golden))("%s", (_, each) => {
  const data = linearData(Float32Array.from(each.features), each.d, each.y);

  test("an elastic net and what five folds choose are scikit-learn's", () => {
    const given = elasticNet(data, each.givenNet);
    expectLayer(given.layer, each.givenNet, 1e-5);
    expect(given.used).toBe(each.givenNet.weights.filter((weight) => weight !== 0).length);
    const found = elasticNet(data, { alpha: 0, l1Ratio: 0 });
    expect(found.alpha / each.net.alpha).toBeCloseTo(1, 5);
    expect(found.l1Ratio).toBe(each.net.l1Ratio);
    expectLayer(found.layer, each.net, 1e-4);
    // Folds are solved for as roughly as glmnet does.
    expect(relativeError([...found.leftOut], each.net.leftOut)).toBeLessThan(2e-3);
  });

  test("ridge regression by conjugate gradients, and what five folds choose, are scikit-learn's", () => {
    const given = ridgeByFolds(data, each.givenRidge.ridge);
    expectLayer(given.layer, each.givenRidge, 1e-6);
    const found = ridgeByFolds(data, 0);
    expect(found.ridge).toBe(each.ridge.ridge);
    expectLayer(found.layer, each.ridge, 1e-6);
    expect(relativeError([...found.leftOut], each.ridge.leftOut)).toBeLessThan(1e-6);
  });

  test("penalties solved for together are those solved for one by one", () => {
    const rows = each.y.map((_, i) => i).filter((i) => i % 3 > 0);
    const shifts = [0.5, 3, 40, 1000];
    const together = solveShifted(data, rows, shifts);
    shifts.forEach((shift, k) => {
      const [alone] = solveShifted(data, rows, [shift]);
      expect(relativeError([...together[k]!.weights], [...alone!.weights])).toBeLessThan(1e-7);
    });
  });
});

test("labels that are all alike give a layer that answers with them", () => {
  const data = linearData(
    Float32Array.from({ length: 40 }, (_, i) => (i * 37) % 11),
    4,
    Array(10).fill(0.4),
  );
  for (const { layer } of [ridgeByFolds(data, 0), elasticNet(data, { alpha: 0, l1Ratio: 0 })]) {
    expect([...layer.weights].every((weight) => Math.abs(weight) < 1e-12)).toBe(true);
    expect(layer.constant).toBeCloseTo(0.4, 12);
  }
});

test("more than 3000 pictures are left out in folds, fewer one by one, with nearly the same layer", () => {
  const d = 3;
  const all = Float32Array.from({ length: 3001 * d }, (_, i) => Math.sin(0.7 * i) + Math.sin(1e-3 * i * i));
  const y = Array.from({ length: 3001 }, (_, i) => 0.5 + 0.1 * all[i * d]! - 0.05 * all[i * d + 2]!);
  const options = { regression: "ridge", ridge: 0, alpha: 0, l1Ratio: 0 } as const;
  const many = regressed(all, d, y, options);
  expect(many.words).toBe("ridge 0.0001; 3001 labelled pictures left out in 5 folds");
  const few = regressed(all.subarray(0, 300 * d), d, y.slice(0, 300), options);
  expect(few.words).toBe("ridge 0.0001; 300 labelled pictures left out one by one");
  expect(relativeError([...many.layer.weights], [0.1, 0, -0.05])).toBeLessThan(1e-5);
  expect(relativeError([...few.layer.weights], [...many.layer.weights])).toBeLessThan(1e-4);
});
