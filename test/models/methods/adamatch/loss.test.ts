import { describe, expect, test } from "bun:test";
import type { Device } from "../../../../engine/device/device.ts";
import { softmax } from "../../../../engine/ops/softmax.ts";
import { type AdaMatchLoss, guess, threshold, unlabelledLoss } from "../../../../models/methods/adamatch/loss.ts";
import { Alignment, type AlignmentOptions } from "../../../../models/methods/parts/alignment.ts";
import { agreed, taken } from "../../../../models/methods/parts/consistency.ts";
import { relativeError } from "../../../engine/check.ts";
import { plainDevice, sharedDevice } from "../../../engine/device.ts";
import { lossOf, softmaxRows, strong, weak } from "../parts/logits.ts";

const fixed: AdaMatchLoss = { threshold: 0.95, unlabelledWeight: 1 };
const running: AlignmentOptions = { momentum: 0.999, prior: "predictions", priorShares: [], alignWindow: 0 };

const alignmentOf = (device: Device, options: Partial<AlignmentOptions> = {}) =>
  new Alignment(device, { ...running, ...options, levels: 3 }, [1, 0, 0, 0, 1, 0]);

async function step(alignment: Alignment, device: Device, given = {}, options: Partial<AdaMatchLoss> = {}) {
  return lossOf(device, given, ({ labelled, weak, strong }) =>
    unlabelledLoss(labelled, weak, strong, alignment, { ...fixed, ...options }),
  );
}

const stateOf = async (alignment: Alignment) =>
  Object.fromEntries(
    await Promise.all(alignment.tensors().map(async ({ name, tensor }) => [name, [...(await tensor.read())]])),
  );

describe("the loss of unlabelled pictures", () => {
  test("in the first step", async () => {
    for (const open of [sharedDevice, plainDevice]) {
      const device = await open();
      const alignment = alignmentOf(device);
      const { loss, figures, more } = await lossOf(device, {}, ({ labelled, weak, strong }) => {
        const guessed = guess(labelled, weak, alignment, fixed);
        const other = alignmentOf(device);
        const result = unlabelledLoss(labelled, weak, strong, other, fixed);
        return {
          ...result,
          more: { ...guessed, aligned: alignmentOf(device).aligned(softmax(weak), softmax(labelled)) },
        };
      });
      expect(loss).toBeCloseTo(0.135869, 5);
      expect(figures[threshold]).toBeCloseTo(0.699355, 5);
      expect(figures[taken]).toBeCloseTo(1 / 3, 6);
      expect(figures[agreed]).toBeCloseTo(1 / 3, 6);
      expect(more["mask"]).toEqual([1, 0, 0]);
      expect(more["target"]).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
      const aligned = [0.92467, 0.020222, 0.055108, 0.047822, 0.695623, 0.256555, 0.210771, 0.227716, 0.561513];
      expect(relativeError(more["aligned"]!, aligned)).toBeLessThan(1e-6);
      const state = await stateOf(alignment);
      expect(relativeError(state["alignment.labelled"], [0.333538, 0.333371, 0.333091])).toBeLessThan(2e-6);
      expect(relativeError(state["alignment.unlabelled"], [0.466418, 0.390434, 0.143148])).toBeLessThan(2e-6);
    }
  });

  test("later moves the means by 1 − ρ", async () => {
    const device = await sharedDevice();
    const alignment = alignmentOf(device, { momentum: 0.9 });
    await step(alignment, device);
    const other = [0, 3, 0, 1, 0, 0, 0, 0, 2];
    await step(alignment, device, { weak: other });
    const meanOf = (logits: number[]) => {
      const rows = softmaxRows(logits);
      return [0, 1, 2].map((c) => rows.reduce((sum, row) => sum + row[c]! / rows.length, 0));
    };
    const [first, second] = [meanOf(weak), meanOf(other)];
    const state = await stateOf(alignment);
    expect(
      relativeError(
        state["alignment.unlabelled"],
        first.map((p, c) => 0.9 * p + 0.1 * second[c]!),
      ),
    ).toBeLessThan(1e-6);
  });

  test("moves the strong view of the pictures that count, and nothing else", async () => {
    const device = await sharedDevice();
    const found = await step(alignmentOf(device), device, {}, { unlabelledWeight: 3 });
    expect(found.weak).toEqual(Array(9).fill(0));
    expect(found.labelled).toEqual(Array(6).fill(0));
    // dL/dz = λ k_b (p − onehot) / U
    const slopes = softmaxRows(strong).flatMap((p, b) =>
      p.map((share, c) => (b === 0 ? share - (c === 0 ? 1 : 0) : 0)),
    );
    expect(relativeError(found.strong, slopes)).toBeLessThan(1e-6);
  });

  test("halves when as many pictures are added of which nothing is sure", async () => {
    const device = await sharedDevice();
    const one = await step(alignmentOf(device, { prior: "off" }), device);
    const unsure = [0.2, 0.1, 0, 0, 0, 0, 0.1, 0.2, 0.3];
    const two = await step(alignmentOf(device, { prior: "off" }), device, {
      weak: [...weak, ...unsure],
      strong: [...strong, ...strong],
    });
    expect(two.loss).toBeCloseTo(one.loss / 2, 6);
    expect(one.loss).toBeGreaterThan(0.1);
  });

  test("goes by the confidence on labelled pictures; without them by that of one that is certain", async () => {
    const device = await sharedDevice();
    const unsure = await step(alignmentOf(device), device, { labelled: [0, 0, 0, 0, 0, 0] });
    expect(unsure.figures[threshold]).toBeCloseTo(0.95 / 3, 6);
    expect(unsure.figures[taken]).toBe(1);
    const without = await lossOf(device, {}, ({ weak, strong }) =>
      unlabelledLoss(undefined, weak, strong, alignmentOf(device, { prior: "uniform" }), fixed),
    );
    expect(without.figures[threshold]).toBeCloseTo(0.95, 6);
  });

  test("a batch with NaN leaves the means as they were, and none of it counts", async () => {
    const device = await sharedDevice();
    const alignment = alignmentOf(device);
    await step(alignment, device);
    const before = await stateOf(alignment);
    const broken = await step(alignment, device, { weak: weak.with(4, Number.NaN) });
    const after = await stateOf(alignment);
    expect(after["alignment.unlabelled"]).toEqual(before["alignment.unlabelled"]);
    expect(after["alignment.kept"]).toEqual(before["alignment.kept"]);
    expect(broken.figures[taken]).toBeCloseTo(1 / 3, 6);
    const unknown = await step(alignment, device, { labelled: Array(6).fill(Number.NaN) });
    expect(unknown.figures[taken]).toBe(0);
    expect((await stateOf(alignment))["alignment.labelled"]).toEqual(after["alignment.labelled"]);
  });
});
