import { describe, expect, test } from "bun:test";
import { backward } from "../../../../engine/autograd.ts";
import type { Device } from "../../../../engine/device/device.ts";
import { l2Normalise } from "../../../../engine/ops/normalise-l2.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { Alignment } from "../../../../models/methods/parts/alignment.ts";
import { Bank } from "../../../../models/methods/parts/bank.ts";
import { taken } from "../../../../models/methods/parts/consistency.ts";
import { unlabelledLoss as fixMatchLoss } from "../../../../models/methods/parts/fixed-threshold.ts";
import {
  guess,
  instanceLoss,
  instances,
  type SimMatchLoss,
  unlabelledLoss,
} from "../../../../models/methods/simmatch/loss.ts";
import { relativeError } from "../../../engine/check.ts";
import { plainDevice, sharedDevice } from "../../../engine/device.ts";
import { differences, lossOf, strong, weak } from "../parts/logits.ts";

const options: SimMatchLoss = {
  ...{ threshold: 0.8, similarityTemperature: 0.1, strongTemperature: 0.1, ownShare: 0.9 },
  ...{ instanceWeight: 1, unlabelledWeight: 1 },
};
const aligned = { momentum: 0.999, prior: "uniform" as const, priorShares: [], alignWindow: 32, levels: 3 };
const weakly = [1, 0.1, 0.2, 1, 0.5, 0.5];
const strongly = [0.9, 0.3, 0, 1, 1, -0.2];

const rows = (device: Device, numbers: readonly number[], columns = 2) =>
  Tensor.from(device, [...numbers], [numbers.length / columns, columns]);
const units = (device: Device, numbers: readonly number[]) => l2Normalise(rows(device, numbers));

function filledBank(device: Device): Bank {
  const bank = new Bank(device, "bank", { rows: 3, length: 2, levels: 3 }, "");
  device.scope(() => {
    const places = Tensor.from(device, Uint32Array.of(0, 1, 2), [3]);
    bank.write(units(device, [1, 0, 0, 1, -1, 1]), rows(device, [1, 0, 0, 0, 1, 0, 0, 1, 0], 3), places);
  });
  return bank;
}

const memoryOf = (device: Device, compares = 1, changed = {}) => ({
  alignment: new Alignment(device, { ...aligned, ...changed }, [], { window: "empty" }),
  bank: filledBank(device),
  compares: Tensor.from(device, [compares], [1]),
});

const step = (device: Device, changed: Partial<SimMatchLoss> = {}, compares = 1, prior = {}) =>
  lossOf(device, {}, ({ weak: w, strong: s }) => {
    const views = [
      { logits: w, embedding: units(device, weakly) },
      { logits: s, embedding: units(device, strongly) },
    ] as const;
    const memory = memoryOf(device, compares, prior);
    const { target, likeness } = guess(undefined, views[0], memoryOf(device, compares, prior), {
      ...options,
      ...changed,
    });
    const learnt = unlabelledLoss(undefined, ...views, memory, { ...options, ...changed });
    return { ...learnt, more: { target, likeness } };
  });

describe("the loss of unlabelled pictures", () => {
  test("with labelled pictures to compare with", async () => {
    for (const open of [sharedDevice, plainDevice]) {
      const { loss, figures, more } = await step(await open());
      const q = [0.932127, 0.01822, 0.049653, 0.043051, 0.725924, 0.231026, 0.239526, 0.254905, 0.505569];
      expect(relativeError(more["target"]!, q)).toBeLessThan(2e-6);
      expect(relativeError(more["likeness"]!.slice(6), [0.480346, 0.519214, 0.000441])).toBeLessThan(2e-6);
      expect(figures[instances]).toBeCloseTo(2.070865, 5);
      expect(loss).toBeCloseTo(0.175044 + 2.070865, 5);
      expect(figures[taken]).toBeCloseTo(1 / 3, 6);
      const weighed = await step(await open(), { unlabelledWeight: 2, instanceWeight: 3 });
      expect(weighed.loss).toBeCloseTo(2 * 0.175044 + 3 * 2.070865, 4);
    }
  });

  test("in the first epoch, without them", async () => {
    const { loss, figures, more } = await step(await sharedDevice(), {}, 0);
    expect(figures[instances]).toBe(0);
    const aligned = [0.924638, 0.020225, 0.055137, 0.047809, 0.695573, 0.256618, 0.210696, 0.227681, 0.561624];
    // Aligned by the batch itself, as in CoMatch, but for the 10⁻⁶ in the shares.
    expect(relativeError(more["target"]!, aligned)).toBeLessThan(2e-4);
    expect(loss).toBeGreaterThan(0.17);
  });

  test("is FixMatch with soft pseudo-labels when guesses keep all of themselves", async () => {
    const device = await sharedDevice();
    const found = await step(device, { ownShare: 1, instanceWeight: 0 }, 1, { prior: "off" });
    const soft = { threshold: 0.8, unlabelledWeight: 1, pseudoLabels: "soft" as const, temperature: 1 };
    const fixed = await lossOf(device, {}, ({ weak: w, strong: s }) => fixMatchLoss(w, s, 3, soft));
    expect(found.loss).toBe(fixed.loss);
    expect(found.strong).toEqual(fixed.strong);
    expect(found.figures[taken]).toBe(fixed.figures[taken]!);
  });

  test("has no gradient by the weak views", async () => {
    const { weak: slopes } = await step(await sharedDevice());
    expect(slopes).toEqual(Array(9).fill(0));
    expect(weak).toHaveLength(strong.length);
  });
});

test("the instance loss has a gradient by the strong embeddings", async () => {
  const device = await sharedDevice();
  const likeness = [0.5, 0.3, 0.2, 0, 1, 0, 0.1, 0.1, 0.8];
  const reads = device.scope(() => {
    const f = rows(device, strongly);
    f.requiresGradient = true;
    const loss = instanceLoss(rows(device, likeness, 3), f, filledBank(device), 0.1);
    backward(loss);
    return { loss: loss.item(), slopes: f.gradient!.read() };
  });
  const bank = [1, 0, 0, 1, -Math.SQRT1_2, Math.SQRT1_2];
  const formula = (f: number[]) => {
    let sum = 0;
    for (let b = 0; b < 3; b++) {
      const z = [0, 1, 2].map((k) => (f[2 * b]! * bank[2 * k]! + f[2 * b + 1]! * bank[2 * k + 1]!) / 0.1);
      const most = Math.max(...z);
      const total = most + Math.log(z.reduce((all, x) => all + Math.exp(x - most), 0));
      for (let k = 0; k < 3; k++) sum -= likeness[3 * b + k]! * (z[k]! - total);
    }
    return sum / 3;
  };
  expect(await reads.loss).toBeCloseTo(formula(strongly), 4);
  expect(relativeError([...(await reads.slopes)], differences(formula, strongly))).toBeLessThan(1e-4);
});

test("an embedding in the bank keeps a share of itself, in direction", async () => {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const bank = filledBank(device);
    const places = Tensor.from(device, Uint32Array.of(1), [1]);
    bank.write(units(device, [1, 0]), rows(device, [0, 1, 0], 3), places, 0.7);
    return { rows: bank.embeddings.read() };
  });
  const [x, y] = [0.3, 0.7].map((value) => value / Math.hypot(0.3, 0.7));
  const wanted = [1, 0, x!, y!, -Math.SQRT1_2, Math.SQRT1_2];
  expect(relativeError([...(await reads.rows)], wanted)).toBeLessThan(1e-6);
});
