import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backward } from "../../../engine/autograd.ts";
import { OutOfMemoryError } from "../../../engine/device/errors.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { Optimiser } from "../../../engine/optim/optimiser.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { trainCpl } from "../../../models/methods/cpl/index.ts";
import { type CplOptionsInput, cplOptions } from "../../../models/methods/cpl/options.ts";
import { labelTask } from "../../../models/methods/parts/label-loss.ts";
import { answersOf, centrePass, evaluationBatch, fittingBatch } from "../../../models/networks/forward.ts";
import { QualityNetwork } from "../../../models/networks/model.ts";
import { openScorer, type ScoredPicture } from "../../../models/scoring/scorer.ts";
import type { RatedRow, TrainingData } from "../../../models/training/training.ts";
import { blurredPictures, small } from "./pictures.ts";

const options: CplOptionsInput = {
  ...small,
  stageOneEpochs: 1,
  stageTwoEpochs: 1,
  stageOneBatch: 64,
  labelledBatch: 16,
  unlabelledBatch: 48,
};

let folder = "";
let rows: RatedRow[] = [];
let data: TrainingData;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-memory-"));
  rows = await blurredPictures(join(folder, "pictures"), 134);
  data = { labelled: rows.slice(0, 66), unlabelled: rows.slice(66, 128), test: rows.slice(128), range: [0, 100] };
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function train(memoryLimitBytes: number, more: CplOptionsInput) {
  using device = await openDevice({ memoryLimitBytes });
  const lines: string[] = [];
  const hooks = { folder: join(folder, "run"), log: (line: string) => lines.push(line) };
  const result = await trainCpl(device, data, { ...options, ...more }, hooks);
  result.model.dispose();
  const left = device.memoryReport().owners.filter(({ owner, bytes }) => bytes > 0 && !/free|read-back/.test(owner));
  // The device keeps the resize tables of the last sizes.
  expect(left.map(({ owner }) => owner)).toEqual(["resampling"]);
  return { result, lines, peakBytes: device.memoryUse.peakBytes };
}

async function refusal(memoryLimitBytes: number, more: CplOptionsInput): Promise<OutOfMemoryError> {
  const outcome = await train(memoryLimitBytes, more).then(
    () => "no error",
    (error) => error,
  );
  expect(outcome).toBeInstanceOf(OutOfMemoryError);
  return outcome as OutOfMemoryError;
}

describe("training on a device with little memory", () => {
  const limit = 24 * 2 ** 20;

  test("stage 1 refuses batch 64 naming the largest that fits; that one runs, and one more is refused", async () => {
    const { message, advice } = await refusal(limit, {});
    expect(message).toMatch(/^stage 1 does not fit with batches of 64 pictures: .* of 24 MiB are in use/);
    const largest = Number(
      /the largest batch that fits is (\d+): `stageOneBatch` \1; .*`microBatch` \1/.exec(advice)![1],
    );
    expect(largest).toBeGreaterThan(8);
    expect(largest).toBeLessThan(64);
    const { result, peakBytes, lines } = await train(limit, { stageOneBatch: largest, stageTwoEpochs: 0 });
    expect(peakBytes).toBeLessThanOrEqual(limit);
    expect(result.progress.losses).toHaveLength(Math.ceil(66 / largest));
    expect(lines.find((line) => line.includes("device memory by stage 1"))).toMatch(
      /peak so far .*activations .*conv2d/,
    );
    expect((await refusal(limit, { stageOneBatch: largest + 1 })).message).toContain(`batches of ${largest + 1}`);
  });

  test("stage 2 names the two parts of its batch", async () => {
    const { message, advice } = await refusal(limit, { stageOneEpochs: 0 });
    expect(message).toContain("stage 2 does not fit with batches of 64 pictures");
    const [, largest, labelled, unlabelled] = /(\d+): `labelledBatch` (\d+) `unlabelledBatch` (\d+)/.exec(advice)!;
    expect(Number(labelled) + Number(unlabelled)).toBe(Number(largest));
    const fitting = { labelledBatch: Number(labelled), unlabelledBatch: Number(unlabelled) };
    const { peakBytes, lines } = await train(limit, { stageOneEpochs: 0, ...fitting });
    expect(peakBytes).toBeLessThanOrEqual(limit);
    expect(lines.join("\n")).toContain("device memory by stage 2");
  });

  test("kept pictures make room before a batch is refused", async () => {
    // So much that the batch fits, but not with all pictures of the run kept beside it.
    const fitting = { stageOneBatch: 16, stageTwoEpochs: 0 };
    const roomy = await train(2 ** 30, fitting);
    const { peakBytes } = await train(roomy.peakBytes - 2 ** 20, fitting);
    expect(peakBytes).toBeLessThanOrEqual(roomy.peakBytes - 2 ** 20);
  });

  test("a limit below everything says what else to change", async () => {
    const { advice } = await refusal(3 * 2 ** 20, {});
    expect(advice).toMatch(/not even a batch of 2 fits.*`crop`.*`memoryLimitBytes`/);
  });
});

test("scoring takes fewer pictures at once when memory is short, with the same scores", async () => {
  const { result } = await train(2 ** 30, { stageOneBatch: 16, stageTwoEpochs: 0 });
  expect(result.progress.results).toHaveLength(1);
  const score = async (memoryLimitBytes: number) => {
    using device = await openDevice({ memoryLimitBytes });
    await using scorer = await openScorer({ device, model: join(folder, "run", "stage1.safetensors") });
    const scores: ScoredPicture[] = [];
    for await (const scored of scorer.scoreMany(rows.slice(0, 40).map(({ path }) => path)))
      scores.push({ ...scored, milliseconds: 0 });
    return { scores, peakBytes: device.memoryUse.peakBytes };
  };
  const roomy = await score(2 ** 30);
  const limit = Math.floor(roomy.peakBytes / 2);
  const short = await score(limit);
  expect(short.peakBytes).toBeLessThanOrEqual(limit);
  expect(short.scores).toEqual(roomy.scores);
  expect(short.scores.every((scored) => "score" in scored)).toBe(true);
  const least = await score(2 ** 18).catch((thrown) => thrown);
  expect(least).toBeInstanceOf(OutOfMemoryError);

  using device = await openDevice({ memoryLimitBytes: limit });
  const model = new QualityNetwork(device, cplOptions(options));
  const picture = () => Tensor.empty(device, [1, model.options.resize, model.options.resize, 3]);
  expect(fittingBatch(device, picture, centrePass(model, answersOf(model)))).toBeLessThan(evaluationBatch);
});

test("the rehearsed peak of ResNet-18 at 64 pixels is the real one", async () => {
  using device = await openDevice();
  const full = cplOptions({ crop: 64, resize: 64 });
  const model = new QualityNetwork(device, full);
  const parameters = model.tensors().filter(({ role }) => role === "parameter");
  const optimiser = new Optimiser([{ parameters, rate: 1e-4, decay: 0 }], { kind: "adam" });
  const step = () =>
    device.scope(() => {
      const pictures = Tensor.zeros(device, [3, 64, 64, 3]);
      const labels = { targets: new Float32Array(300).fill(0.01), weights: new Float32Array(3).fill(1) };
      const task = labelTask(full, () => ({ ...labels, margins: new Float32Array(0), labelled: 3 }));
      const targets = Object.fromEntries(
        Object.entries(task.targets([])).map(([name, { data, shape }]) => [name, Tensor.from(device, data, shape)]),
      );
      const none = { row: 0, first: 0, count: 0, size: 0, views: 1 };
      const rows = { ranked: none, labelled: { ...none, count: 3, size: 3 }, unlabelled: none, further: none };
      const { loss } = task.loss(model.forward(pictures, true), targets, rows);
      backward(loss);
      optimiser.step();
      optimiser.clearGradients();
      return { loss: loss.item() };
    });
  const estimate = device.rehearse(() => {
    step();
    step();
  });
  optimiser.steps = 0;
  device.memory.resetPeak();
  for (let i = 0; i < 2; i++) expect(await step().loss).toBeGreaterThan(0);
  expect(device.memoryUse.peakBytes).toBe(estimate.peakBytes);
  const activations = estimate.owners.filter(({ owner }) => owner.startsWith("activations")).map(({ owner }) => owner);
  expect(activations.slice(0, 2).sort()).toEqual(["activations: batchNorm", "activations: conv2d"]);
});
