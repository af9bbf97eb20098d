import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withoutGradients } from "../../../../engine/autograd.ts";
import { adaMatch } from "../../../../models/methods/adamatch/index.ts";
import { QualityNetwork } from "../../../../models/networks/model.ts";
import { loadBatches, planEpoch } from "../../../../models/training/batches.ts";
import type { PhaseContext } from "../../../../models/training/method.ts";
import { rowsOf } from "../../../../models/training/rows.ts";
import { Stepper } from "../../../../models/training/stepper.ts";
import type { TrainingData } from "../../../../models/training/training.ts";
import { PictureInputs } from "../../../../models/views/inputs.ts";
import { relativeError } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { blurredPictures, divided, small } from "../../training/pictures.ts";

const { stageOneBatch: _s, neighbours: _n, levels: _v, ...network } = small;
const [known, other] = [4, 3];
const common = {
  ...network,
  labelledViews: "both",
  ...{ labelledBatch: known, unlabelledBatch: other, unlabelledWeight: 0 },
  optimiser: "sgd",
  ...{ rate: 1e-30, freshRate: 1e-30, decay: 0, warmupShare: 0 },
} as const;
let folder = "";
let data: TrainingData;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-interpolation-"));
  data = divided(await blurredPictures(join(folder, "pictures"), 30));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Steps on one batch; running statistics after the first; logits of all views, of the labelled ones alone, labels and r. */
async function steps(logitInterpolation: boolean, isReplayed = true) {
  const device = await sharedDevice();
  const options = adaMatch.options({ ...common, logitInterpolation });
  const [phase] = adaMatch.phases(options);
  const labels = Float32Array.from({ length: 5 * data.labelled.length }, (_, i) => (i % 6 === 0 ? 1 : 0));
  const [batch] = planEpoch({ ...phase!, stage: 1 }, 0, data, options);
  const model = new QualityNetwork(device, options);
  const inputs = new PictureInputs(model, 16, undefined, { strong: { set: "quality", kept: 0 } });
  const task = phase!.begin({ model, inputs, labels, data } as unknown as PhaseContext);
  const stepper = new Stepper(model, inputs, { options, fresh: [] }, { task, views: phase!.views });
  const losses: number[] = [];
  const statistics: number[][] = [];
  let logits: { all: Float32Array; alone: Float32Array } | undefined;
  for await (const { pictures } of loadBatches(
    [0, 1, 2, 3].map(() => batch!),
    inputs,
    phase!.views,
  )) {
    if (!isReplayed) stepper.plan?.dispose();
    const place = { step: losses.length, steps: 4, epoch: 0 };
    losses.push((await stepper.step(pictures, 1, place)).loss);
    const read = model.tensors().filter(({ role }) => role === "statistic");
    const values = await Promise.all(read.map(async ({ tensor }) => [...(await tensor.read())]));
    statistics.push(values.flat());
    if (losses.length < 4) continue;
    const reads = device.scope(() =>
      withoutGradients(() => {
        const items = pictures.map(({ planned: { window, strong }, tensor }) => ({ tensor, window, strong }));
        const rows = inputs.assemble(items);
        const of = (count: number) => inputs.forward(rowsOf(rows, 0, count), true).logits.read();
        return { all: of(items.length), alone: of(2 * known) };
      }),
    );
    logits = { all: await reads.all, alone: await reads.alone };
  }
  const targets = task.targets(batch!, { step: 2, steps: 4, epoch: 0 });
  const index = batch!.filter(({ part }) => part === "labelled").map((view) => view.index);
  stepper.dispose();
  task.dispose?.();
  inputs.dispose();
  model.dispose();
  return { losses, statistics, ...logits!, targets, wanted: index.map((at) => labels.subarray(5 * at, 5 * at + 5)) };
}

test("labelled pictures are learnt by logits between those of the batch and those alone, drawn anew in each step", async () => {
  const found = await steps(true);
  const r = found.targets["interpolation"]!;
  expect(r.shape).toEqual([2 * known, 5]);
  expect(Math.min(...r.data)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...r.data)).toBeLessThan(1);
  const rowLoss = (row: number) => {
    const z = Array.from({ length: 5 }, (_, c) => {
      const [together, alone] = [found.all[5 * row + c]!, found.alone[5 * row + c]!];
      return together + r.data[5 * row + c]! * (alone - together);
    });
    const total = Math.log(z.reduce((sum, value) => sum + Math.exp(value), 0));
    return z.reduce((sum, value, c) => sum - found.wanted[row]![c]! * (value - total), 0);
  };
  const mean = Array.from({ length: 2 * known }, (_, row) => rowLoss(row)).reduce((a, b) => a + b) / (2 * known);
  expect(found.losses[2]!).toBeCloseTo(mean, 5);
  expect(new Set(found.losses).size).toBe(4);
  const plain = await steps(false);
  expect(Math.abs(plain.losses[2]! - mean)).toBeGreaterThan(1e-4);
  expect(new Set(plain.losses).size).toBe(1);
  // Running statistics move once a step, by the whole batch.
  expect(relativeError(found.statistics.flat(), plain.statistics.flat())).toBeLessThan(1e-6);
  // A replayed step does what a recorded one does.
  expect((await steps(true, false)).losses).toEqual(found.losses);
}, 120_000);

test("networks without batch norm are refused", () => {
  const given = { backbone: "vit_tiny_patch16_224", logitInterpolation: true } as const;
  expect(() => adaMatch.options(given)).toThrow("`logitInterpolation`: vit_tiny_patch16_224 has no batch norm");
});
