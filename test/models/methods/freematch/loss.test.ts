import { describe, expect, test } from "bun:test";
import type { Device } from "../../../../engine/device/device.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import {
  type FreeMatchLoss,
  type FreeMatchState,
  fairnessLoss,
  freeMatchState,
  guess,
  unlabelledLoss,
} from "../../../../models/methods/freematch/loss.ts";
import { agreed, taken } from "../../../../models/methods/parts/consistency.ts";
import { DeviceState } from "../../../../models/methods/parts/state.ts";
import { relativeError } from "../../../engine/check.ts";
import { plainDevice, sharedDevice } from "../../../engine/device.ts";
import { differences, lossOf, softmaxRows, strong, weak } from "../parts/logits.ts";

const fixed: FreeMatchLoss = {
  ...{ momentum: 0.999, confidence: "mean", fairnessWeight: 0, unlabelledWeight: 1 },
  ...{ leastThreshold: 0, mostThreshold: 1, leastClassThreshold: 0, mostClassThreshold: 1 },
};

const stateFrom = (device: Device, threshold: number, guesses: number[], classes: number[]): FreeMatchState =>
  new DeviceState(device, "freematch", {
    threshold: { data: Float32Array.of(threshold), shape: [1] },
    guesses: { data: Float32Array.from(guesses), shape: [3] },
    classes: { data: Float32Array.from(classes), shape: [3] },
  });
const later = (device: Device) => stateFrom(device, 0.8, [0.5, 0.3, 0.2], [0.6, 0.3, 0.1]);

const stateOf = async (state: FreeMatchState) =>
  Object.fromEntries(
    await Promise.all(state.tensors().map(async ({ name, tensor }) => [name, [...(await tensor.read())]])),
  );

const step = (device: Device, state: FreeMatchState, given = {}, options: Partial<FreeMatchLoss> = {}) =>
  lossOf(device, given, ({ weak, strong }) => unlabelledLoss(weak, strong, state, { ...fixed, ...options }));

describe("the loss of unlabelled pictures", () => {
  test("in the first step", async () => {
    for (const open of [sharedDevice, plainDevice]) {
      const device = await open();
      const state = freeMatchState(device, 3);
      const { loss, figures } = await step(device, state);
      expect(loss).toBeCloseTo(0.775902, 5);
      expect(figures[taken]).toBe(1);
      expect(figures["fairness loss"]).toBeCloseTo(-9.727478, 4);
      const thresholds = [1, 2, 3].map((c) => figures[`threshold, class ${c}`]!);
      expect(relativeError(thresholds, [0.333718, 0.333642, 0.333394])).toBeLessThan(2e-6);
      expect(figures["threshold"]).toBeCloseTo((0.333718 + 0.333642 + 0.333394) / 3, 5);
      const moved = await stateOf(state);
      expect(moved["freematch.threshold"]![0]).toBeCloseTo(0.333718, 6);
      expect(relativeError(moved["freematch.guesses"]!, [0.333466, 0.33339, 0.333143])).toBeLessThan(2e-6);
      expect(relativeError(moved["freematch.classes"]!, [0.333667, 0.333333, 0.333])).toBeLessThan(2e-6);
    }
  });

  test("in a later step", async () => {
    for (const open of [sharedDevice, plainDevice]) {
      const device = await open();
      const { loss, figures, more } = await lossOf(device, {}, ({ weak, strong }) => ({
        ...unlabelledLoss(weak, strong, later(device), fixed),
        more: { mask: guess(weak, later(device), fixed).mask },
      }));
      expect(more["mask"]).toEqual([1, 1, 0]);
      const thresholds = [1, 2, 3].map((c) => figures[`threshold, class ${c}`]!);
      expect(relativeError(thresholds, [0.799918, 0.480128, 0.319898])).toBeLessThan(2e-6);
      expect(loss).toBeCloseTo(0.362625, 5);
      expect(figures["fairness loss"]).toBeCloseTo(-14.761942, 4);
      // Of the third class, which no strong view is, A_c ln 1e-12.
      expect(figures["fairness loss of the classes present"]).toBeCloseTo(-14.761942 - 0.521912 * Math.log(1e-12), 4);
      expect(figures[agreed]).toBeCloseTo(2 / 3, 6);
      const both = await step(device, later(device), {}, { fairnessWeight: 0.01, unlabelledWeight: 2 });
      expect(both.loss).toBeCloseTo(2 * 0.362625 - 0.14761942, 5);
    }
  });

  test("halves when as many pictures are added of which nothing is sure", async () => {
    const device = await sharedDevice();
    const unsure = [0.2, 0.1, 0, 0, 0, 0, 0.1, 0.2, 0.3];
    const high = () => stateFrom(device, 0.8, [0.3, 0.3, 0.3], [0.3, 0.3, 0.3]);
    const one = await step(device, high());
    const two = await step(device, high(), { weak: [...weak, ...unsure], strong: [...strong, ...strong] });
    expect(one.loss).toBeGreaterThan(0.1);
    expect(two.loss).toBeCloseTo(one.loss / 2, 6);
  });

  test("thresholds are held between their ends, and go by the quantile where that is asked for", async () => {
    const device = await sharedDevice();
    const thresholds = async (options: Partial<FreeMatchLoss>, state = later(device)) => {
      const { figures } = await step(device, state, {}, options);
      return [1, 2, 3].map((c) => figures[`threshold, class ${c}`]!);
    };
    const held = await thresholds({ mostThreshold: 0.5 });
    expect(held[0]).toBeCloseTo(0.5, 6);
    expect(
      relativeError(await thresholds({ leastClassThreshold: 0.4, mostClassThreshold: 0.6 }), [0.6, 0.480128, 0.4]),
    ).toBeLessThan(2e-6);
    const state = stateFrom(device, 0, [1, 1, 1], [1, 1, 1]);
    await step(device, state, {}, { momentum: 0, confidence: "quantile" });
    // Between the second and the largest of three, at place 1.6.
    expect((await stateOf(state))["freematch.threshold"]![0]).toBeCloseTo(0.821409 + 0.6 * (0.964663 - 0.821409), 5);
  });

  test("takes every guess at first, a tie too", async () => {
    const device = await sharedDevice();
    expect((await step(device, freeMatchState(device, 3), { weak: Array(9).fill(0.25) })).figures[taken]).toBe(1);
  });

  test("NaN leaves the state as it was, and does not count", async () => {
    const device = await sharedDevice();
    const state = later(device);
    const before = await stateOf(state);
    const { figures } = await step(device, state, { weak: weak.with(1, Number.NaN) });
    expect(await stateOf(state)).toEqual(before);
    expect(figures[taken]).toBeCloseTo(1 / 3, 6);
  });
});

/** L_f in float64. */
function fairness(
  logits: number[],
  mask: readonly number[],
  guesses: readonly number[],
  classes: readonly number[],
): number {
  const normalised = (x: number[]) => x.map((value) => value / x.reduce((a, b) => a + b));
  const divided = (a: readonly number[], b: readonly number[]) => a.map((value, c) => (b[c]! > 0 ? value / b[c]! : 0));
  const rows = softmaxRows(logits);
  const p = [0, 1, 2].map((c) => rows.reduce((total, row, b) => total + mask[b]! * row[c]!, 0));
  const times = [0, 1, 2].map((c) => rows.filter((row, b) => mask[b]! && row.indexOf(Math.max(...row)) === c).length);
  const found = normalised(divided(p, times));
  return normalised(divided(guesses, classes)).reduce((total, a, c) => total + a * Math.log(found[c]! + 1e-12), 0);
}

describe("the fairness loss", () => {
  const of = async (logits: number[], mask: number[], guesses = [0.5, 0.3, 0.2], classes = [0.6, 0.3, 0.1]) => {
    const device = await sharedDevice();
    return lossOf(device, { strong: logits }, ({ strong }) => {
      const guess = { target: strong, mask: Tensor.from(device, mask, [mask.length]) };
      const { loss, present } = fairnessLoss(strong, guess, stateFrom(device, 0.8, guesses, classes));
      return { loss, figures: { present } };
    });
  };

  test("has the slopes of finite differences", async () => {
    const cases: [mask: number[], guesses: number[], classes: number[]][] = [
      [
        [1, 1, 1],
        [0.5, 0.3, 0.2],
        [0.6, 0.3, 0.1],
      ],
      [
        [1, 1, 0],
        [0.5, 0.3, 0.2],
        [0.6, 0.3, 0.1],
      ],
      // No guess was ever of the last class.
      [
        [1, 1, 1],
        [0.5, 0.3, 0.2],
        [0.6, 0.4, 0],
      ],
    ];
    for (const given of cases) {
      const { loss, strong: slopes } = await of(strong, ...given);
      expect(loss).toBeCloseTo(fairness(strong, ...given), 4);
      const expected = differences((x) => fairness(x, ...given), strong);
      expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(0.01);
      expect(relativeError(slopes, expected)).toBeLessThan(1e-5);
    }
  });

  test("has none where the strong views are all of one class", async () => {
    const one = [2, 1, 0, 1.5, 1, 0, 3, 0.3, 0.1];
    const { loss, figures, strong: slopes } = await of(one, [1, 1, 1]);
    expect(loss).toBeCloseTo(fairness(one, [1, 1, 1], [0.5, 0.3, 0.2], [0.6, 0.3, 0.1]), 4);
    expect(figures["present"]).toBeCloseTo(0, 5);
    expect(Math.max(...slopes.map(Math.abs))).toBeLessThan(1e-6);
  });

  test("is 0 when no picture counts", async () => {
    const { loss, figures, strong: slopes } = await of(strong, [0, 0, 0]);
    expect([loss, figures["present"]].map(Math.abs as (x?: number) => number)).toEqual([0, 0]);
    expect(slopes.map(Math.abs)).toEqual(Array(9).fill(0));
  });
});
