import { describe, expect, test } from "bun:test";
import { unpackRgb } from "../../../engine/ops/pictures/image.ts";
import { brisqueFeatures, brisqueOf } from "../../../models/classic/brisque.ts";
import { gamma } from "../../../models/classic/generalised-gaussian.ts";
import { niqe, niqeBlocks, niqeOf } from "../../../models/classic/niqe.ts";
import type { BrisqueParameters, NiqeParameters } from "../../../models/classic/parameters.ts";
import { sharedDevice } from "../../engine/device.ts";
import { golden, madePicture } from "./pictures.ts";

interface Case {
  readonly kind: string;
  readonly height: number;
  readonly width: number;
  readonly brisque: readonly (number | null)[];
  readonly brisqueScore: number;
  readonly niqe?: readonly (number | null)[];
  readonly niqeScore?: number;
  readonly sharpness?: readonly number[];
}

const device = await sharedDevice();
const cases = golden<Case[]>("classic").map((each) => [`${each.kind} ${each.height} x ${each.width}`, each] as const);
const index = [...Array(36).keys()];

/** As parameters() and svr() of test/golden/classic.py. */
const niqeParameters: NiqeParameters = {
  method: "niqe",
  mean: index.map((i) => 0.4 + 0.3 * Math.cos(1.7 * i)),
  covariance: index.map((i) => index.map((j) => 0.2 * Math.exp(-Math.abs(i - j) / 5))),
};
const machine: BrisqueParameters = {
  method: "brisque",
  range: [0, 100],
  lowerIsBetter: true,
  minimum: index.map(() => -1),
  maximum: index.map(() => 3),
  gamma: 0.05,
  offset: -12,
  coefficients: [0, 1, 2, 3, 4].map((k) => 20 * Math.cos(k)),
  vectors: [0, 1, 2, 3, 4].map((k) => index.map((i) => 0.6 * Math.sin(k + 0.4 * i))),
};

/** The 18 statistics of a picture at one size: each begins with a shape, which the others of its run hang on. */
const runs = [
  [0, 2],
  [2, 6],
  [6, 10],
  [10, 14],
  [14, 18],
] as const;

/**
 * All is equal to rounding, but that shapes are taken from a table of steps of 0.001: one that lies in the middle of two, to rounding,
 * may be the other one. That is the case of one shape of twenty at most, or of one.
 */
function expectFeatures(found: readonly number[], expected: readonly (number | null)[]) {
  expect(found.map(Number.isNaN)).toEqual(expected.map((value) => value === null));
  const errors = found.map((value, k) => {
    const wanted = expected[k];
    return wanted == null ? 0 : Math.abs(value - wanted) / Math.max(1, Math.abs(wanted));
  });
  let steps = 0;
  for (let start = 0; start < found.length; start += 18) {
    for (const [first, end] of runs) {
      const [shape, ...others] = errors.slice(start + first, start + end) as [number, ...number[]];
      const step = shape > 1e-6;
      if (step) {
        steps++;
        expect(Math.abs(found[start + first]! - expected[start + first]!)).toBeCloseTo(0.001, 9);
      }
      expect(Math.max(...others)).toBeLessThan(step ? 1.1e-3 : 1e-6);
    }
  }
  expect(steps).toBeLessThanOrEqual(Math.max(1, found.length / 18 / 4));
}

describe("equal to float64", () => {
  test.each(cases.filter(([, { niqe }]) => niqe))("NIQE: %s", async (_, { kind, height, width, ...expected }) => {
    using picture = madePicture(device, kind, height, width);
    const { features, sharpness } = await niqeBlocks(picture, true);
    expectFeatures(features.flat(), expected.niqe!);
    expect(Math.abs((await niqe(picture, niqeParameters)) / expected.niqeScore! - 1)).toBeLessThan(2e-3);
    sharpness!.forEach((value, block) => {
      expect(Math.abs(value - expected.sharpness![block]!)).toBeLessThan(1e-4 * (1 + value));
    });
  });

  test.each(cases)("BRISQUE: %s", async (_, { kind, height, width, ...expected }) => {
    using picture = madePicture(device, kind, height, width);
    const features = await brisqueFeatures(picture);
    expectFeatures(features, expected.brisque);
    expect(Math.abs(brisqueOf(features, machine) - expected.brisqueScore)).toBeLessThan(0.01);
  });
});

test("scores are the same bits again, whatever was scored before", async () => {
  const scores: number[] = [];
  for (const seed of [1, 2, 1]) {
    using picture = madePicture(device, "waves", 193, 291, seed);
    scores.push(await niqe(picture, niqeParameters), brisqueOf(await brisqueFeatures(picture), machine));
  }
  expect(scores.slice(4)).toEqual(scores.slice(0, 2));
  expect(scores[2]).not.toBe(scores[0]);
});

test("a flat picture has no NIQE, and small ones are refused with what they need", async () => {
  using flat = madePicture(device, "constant", 100, 200);
  expect(await niqe(flat, niqeParameters)).toBeNaN();
  expect(niqeOf([], niqeParameters)).toBeNaN();
  using small = madePicture(device, "waves", 95, 300);
  await expect(niqe(small, niqeParameters)).rejects.toThrow("at least 96 x 96 pixels, this one has 300 x 95");
  using tiny = madePicture(device, "waves", 40, 15);
  await expect(brisqueFeatures(tiny)).rejects.toThrow("at least 16 x 16 pixels, this one has 15 x 40");
  using black = unpackRgb(device, new Uint8Array(3 * 20 * 20), 20, 20);
  expect((await brisqueFeatures(black)).some(Number.isNaN)).toBe(true);
});

test("Γ is right from the least argument to the greatest that a fit needs", () => {
  expect(gamma(1)).toBeCloseTo(1, 13);
  expect(gamma(0.5)).toBeCloseTo(Math.sqrt(Math.PI), 13);
  expect(gamma(15) / 87178291200 - 1).toBeCloseTo(0, 12);
  expect(gamma(0.1)).toBeCloseTo(9.513507698668732, 11);
});
