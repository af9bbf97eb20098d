import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tensor } from "../../../../engine/tensor.ts";
import { resumeCpl, trainCpl } from "../../../../models/methods/cpl/index.ts";
import type { CplOptionsInput } from "../../../../models/methods/cpl/options.ts";
import { rankContrast } from "../../../../models/methods/cpl/rank-contrast.ts";
import { type TrainingHooks, TrainingInterrupted } from "../../../../models/training/training.ts";
import { checkDifferences, goldenCases, relativeError, runWithGradients } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { blurredPictures, divided, small } from "../../training/pictures.ts";

const device = await sharedDevice();

describe("rankContrast", () => {
  for (const each of goldenCases("rank_contrast"))
    test(`[${each.inputs[0]!.shape}] is PyTorch's in float64, with its gradient`, async () => {
      const run = ([v, y]: Tensor[]) => rankContrast(v!, y!, each.options["temperature"]);
      const found = await runWithGradients(device, each.inputs, run);
      expect(relativeError(found.output, each.output)).toBeLessThan(1e-5);
      expect(relativeError(found.gradients[0]!, each.gradients[0]!)).toBeLessThan(1e-4);
      await checkDifferences(device, each.inputs, run, { step: 1e-2 });
    });

  const lossOf = async (embedding: number[][], scores: number[]) => {
    using v = Tensor.from(device, embedding.flat(), [embedding.length, embedding[0]!.length]);
    using y = Tensor.from(device, scores, [scores.length, 1]);
    using loss = device.scope(() => rankContrast(v, y));
    return (await loss.read())[0]!;
  };

  test("is small where embeddings lie as scores do, and large where they do not", async () => {
    const angles = [0, 0.3, 0.6, 0.9, 1.2];
    const arc = angles.map((angle) => [Math.cos(angle), Math.sin(angle)]);
    const [inOrder, turned] = [await lossOf(arc, [10, 30, 50, 70, 90]), await lossOf(arc, [90, 70, 50, 30, 10])];
    expect(turned).toBeCloseTo(inOrder, 5);
    expect(await lossOf(arc, [50, 10, 90, 30, 70])).toBeGreaterThan(inOrder + 0.5);
  });

  test("pictures that look the same, or have the same score, do no harm", async () => {
    const same = [0, 1, 2, 3].map(() => [1, 2, 3]);
    expect(Number.isFinite(await lossOf(same, [1, 30, 60, 100]))).toBe(true);
    // Each of the three others is a rival of each.
    expect(await lossOf(same, [50, 50, 50, 50])).toBeCloseTo(Math.log(3), 4);
    const zeros = { shape: [4, 3], seed: 1, scale: 0 };
    const { gradients } = await runWithGradients(
      device,
      [zeros, { shape: [4, 1], seed: 2, gradient: false }],
      ([v, y]) => rankContrast(v!, y!),
    );
    expect([...gradients[0]!].every(Number.isFinite)).toBe(true);
  });
});

describe("in training", () => {
  let folder = "";
  let data: ReturnType<typeof divided>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "acutance-rank-contrast-"));
    data = divided(await blurredPictures(join(folder, "pictures"), 40));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const at = (name: string) => join(folder, name);
  const options = { ...small, stageOneEpochs: 3, stageTwoEpochs: 1, embeddingLoss: "rank-contrast" } as const;
  const bytes = (name: string) => readFile(join(at(name), "model.safetensors"));

  async function train(name: string, more: CplOptionsInput = {}, hooks: Partial<TrainingHooks> = {}) {
    const { model, progress } = await trainCpl(device, data, { ...options, ...more }, { folder: at(name), ...hooks });
    model.dispose();
    return progress;
  }

  test("is learnt in both stages beside the labels, falls, and goes on with the same bits after a stop", async () => {
    const { losses } = await train("whole", { embeddingWeight: 1, stageOneEpochs: 8 });
    const contrast = losses.map(({ figures }) => figures!["rank contrast"]!);
    expect(contrast.every(Number.isFinite)).toBe(true);
    expect(contrast.slice(-2)[0]!).toBeLessThan(contrast[0]!);
    const stop = new AbortController();
    let seen = 0;
    const progress: TrainingHooks["progress"] = () => ({
      advance: (_amount, note) => {
        if (note?.startsWith("loss") && ++seen === 4) stop.abort();
      },
      stop: () => {},
    });
    const stopping = { signal: stop.signal, progress };
    const again = train("stopped", { embeddingWeight: 1, stageOneEpochs: 8 }, stopping);
    await expect(again).rejects.toThrow(TrainingInterrupted);
    (await resumeCpl(device, { folder: at("stopped") })).model.dispose();
    expect(await bytes("stopped")).toEqual(await bytes("whole"));
  });

  test("off is training without it; a batch cannot be cut", async () => {
    const { losses } = await train("off", { embeddingLoss: "off", stageOneEpochs: 1 });
    expect(losses.every(({ figures }) => figures === undefined)).toBe(true);
    await train("on", { stageOneEpochs: 1 });
    expect(await bytes("on")).not.toEqual(await bytes("off"));
    await expect(train("cut", { microBatch: 4 })).rejects.toThrow("draws conclusions from all 8 views of a batch");
  });
});
