import { describe, expect, test } from "bun:test";
import type { Device } from "../../../../engine/device/device.ts";
import { Alignment } from "../../../../models/methods/parts/alignment.ts";
import { taken } from "../../../../models/methods/parts/consistency.ts";
import {
  guess,
  type SoftMatchState,
  softMatchState,
  unlabelledLoss,
} from "../../../../models/methods/softmatch/loss.ts";
import { relativeError } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { lossOf, softmaxRows, strong, weak } from "../parts/logits.ts";

const fixed = { momentum: 0.999, deviations: 2, unlabelledWeight: 1 };
const align = (device: Device, prior: "uniform" | "off") =>
  new Alignment(device, { momentum: 0.999, prior, priorShares: [], alignWindow: 0, levels: 3 }, []);

/** Weights, μ and σ² after a first step, in float64. */
function firstStep(q: number[][], momentum: number, deviations: number) {
  const x = q.map((row) => Math.max(...row));
  const mean = x.reduce((a, b) => a + b) / x.length;
  const variance = x.reduce((total, value) => total + (value - mean) ** 2, 0) / (x.length - 1);
  const mu = momentum / 3 + (1 - momentum) * mean;
  const spread = momentum + (1 - momentum) * variance;
  const weights = x.map((value) => Math.exp((-(deviations ** 2) * Math.min(0, value - mu) ** 2) / (2 * spread)));
  return { weights, mu, spread };
}

/** Guesses of a first batch led to equal shares, in float64. */
function uniform(q: number[][]): number[][] {
  const mean = [0, 1, 2].map((c) => q.reduce((total, row) => total + row[c]! / q.length, 0));
  return q.map((row) => {
    const led = row.map((p, c) => (p * (1 / 3 + 1e-6)) / (mean[c]! + 1e-6));
    return led.map((p) => p / led.reduce((a, b) => a + b));
  });
}

const read = async (state: SoftMatchState) =>
  Promise.all(state.tensors().map(async ({ tensor }) => (await tensor.read())[0]!));

describe("the loss of unlabelled pictures", () => {
  test.each([
    ["uniform", 0.999, 2],
    ["off", 0.999, 2],
    ["off", 0.3, 3],
  ] as const)("with the prior %s and ρ %f", async (prior, momentum, deviations) => {
    const device = await sharedDevice();
    const options = { ...fixed, momentum, deviations };
    const state = softMatchState(device, 3);
    const found = await lossOf(device, {}, ({ labelled, weak, strong }) => ({
      ...unlabelledLoss(labelled, weak, strong, align(device, prior), state, options),
      more: { ...guess(labelled, weak, align(device, prior), softMatchState(device, 3), options) },
    }));
    const q = softmaxRows(weak);
    const { weights, mu, spread } = firstStep(prior === "uniform" ? uniform(q) : q, momentum, deviations);
    expect(relativeError(await read(state), [mu, spread])).toBeLessThan(1e-6);
    expect(relativeError(found.more["mask"]!, weights)).toBeLessThan(1e-5);
    // Not of the aligned guesses, by which the third picture is of the third class.
    expect(found.more["target"]).toEqual([1, 0, 0, 0, 1, 0, 1, 0, 0]);
    const targets = [0, 1, 0];
    const p = softmaxRows(strong);
    const loss = weights.reduce((total, weight, b) => total - (weight * Math.log(p[b]![targets[b]!]!)) / 3, 0);
    expect(found.loss).toBeCloseTo(loss, 5);
    expect(found.figures[taken]).toBeCloseTo(weights.reduce((a, b) => a + b) / 3, 5);
    expect(found.weak).toEqual(Array(9).fill(0));
    const slopes = p.flatMap((row, b) =>
      row.map((share, c) => (weights[b]! * (share - (c === targets[b] ? 1 : 0))) / 3),
    );
    expect(relativeError(found.strong, slopes)).toBeLessThan(1e-5);
  });

  test("a single picture moves the mean alone, one with NaN neither: its loss tells of it", async () => {
    const device = await sharedDevice();
    const state = softMatchState(device, 3);
    const run = (logits: number[]) =>
      lossOf(device, { weak: logits, strong: logits.map(() => 0) }, ({ labelled, weak, strong }) =>
        unlabelledLoss(labelled, weak, strong, align(device, "off"), state, fixed),
      );
    await run([4, 0, 0]);
    const [mean, variance] = await read(state);
    expect(mean).toBeCloseTo(0.999 / 3 + 0.001 * 0.964663, 6);
    expect(variance).toBe(1);
    expect((await run([4, 0, 0, Number.NaN, 0, 0])).loss).toBeNaN();
    expect(await read(state)).toEqual([mean!, variance!]);
  });
});
