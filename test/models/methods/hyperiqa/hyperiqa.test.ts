import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileShape } from "../../../../engine/nn/named.ts";
import { type TensorToStore, writeSafetensors } from "../../../../engine/weights/safetensors.ts";
import { hyperIqa } from "../../../../models/methods/index.ts";
import { openModel, QualityNetwork } from "../../../../models/networks/model.ts";
import { openScorer } from "../../../../models/scoring/scorer.ts";
import { resumeTraining, startTraining } from "../../../../models/training/train.ts";
import { type TrainingData, TrainingInterrupted } from "../../../../models/training/training.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { noiseWeights } from "../../noise.ts";
import { blurredPictures, divided } from "../../training/pictures.ts";

const device = await sharedDevice();
const options = {
  backbone: "resnet18",
  stages: 2,
  resize: 36,
  crop: 32,
  cropFrom: "resized",
  trainCrops: 1,
  testTiles: 0,
  batch: 4,
  epochs: 3,
  rate: 1e-4,
  freshRate: 1e-3,
} as const;

let folder = "";
let data: TrainingData;
let init = "";
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-hyperiqa-"));
  data = divided(await blurredPictures(at("pictures"), 20));
  const model = new QualityNetwork(device, hyperIqa.options(options), "zero");
  const tensors = model.backbone.tensors("").map((named): TensorToStore => {
    const shape = fileShape(named);
    return { name: named.name, dtype: "F32", shape, data: noiseWeights(named.name, shape) };
  });
  model.dispose();
  init = at("start.safetensors");
  await writeSafetensors(init, tensors);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const train = (name: string, more: object = {}, hooks: object = {}) =>
  startTraining(hyperIqa, device, data, { ...options, ...more }, { folder: at(name), ...hooks }, { init });

async function tensorsOf(file: string): Promise<Map<string, Float32Array>> {
  const { model } = await openModel(device, file);
  const named = model.tensors();
  const values = await Promise.all(named.map(({ tensor }) => tensor.read()));
  model.dispose();
  return new Map(named.map(({ name }, i) => [name, values[i]!]));
}

/** Stops a training after some steps and goes on with it. */
async function interrupted(name: string, stopAfter: number, more: object): Promise<void> {
  const stop = new AbortController();
  let steps = 0;
  const progress = () => ({
    advance: (amount = 0) => {
      if (amount > 0 && ++steps === stopAfter) stop.abort();
    },
    stop: () => {},
  });
  await expect(train(name, more, { signal: stop.signal, progress })).rejects.toBeInstanceOf(TrainingInterrupted);
  (await resumeTraining(hyperIqa, device, { folder: at(name) })).model.dispose();
}

test.each([0, 3, 5])(
  "learns with %d frozen sections; the model opens and gives the scores of the test",
  async (frozen) => {
    const result = await train(`frozen-${frozen}`, { frozen, epochs: 5 }, { featureFolder: at("features") });
    result.model.dispose();
    const { losses, predictions } = result.progress;
    const mean = (epoch: number) => {
      const own = losses.filter((row) => row.epoch === epoch);
      return own.reduce((sum, { loss }) => sum + loss, 0) / own.length;
    };
    expect(mean(4)).toBeLessThan(mean(0));
    await using scorer = await openScorer({ model: at(`frozen-${frozen}/model.safetensors`), device });
    const last = new Map(predictions.map(({ path, score }) => [path, score]));
    for await (const scored of scorer.scoreMany(data.test.map(({ path }) => path))) {
      if (!("score" in scored)) throw new Error("a picture has no score");
      expect(scored.score).toBeCloseTo(last.get(scored.picture)!, 3);
    }
  },
);

test.each([
  ["as meant", {}],
  ["as published", { publishedBehaviour: true }],
])("a stopped training goes on to the same bits within an epoch and between two: %s", async (name, more) => {
  (await train(name, more)).model.dispose();
  for (const stopAfter of [1, 2, 3]) {
    await interrupted(`${name} stopped`, stopAfter, more);
    const [whole, stopped] = await Promise.all(
      [name, `${name} stopped`].map((each) => readFile(at(`${each}/model.safetensors`))),
    );
    expect(stopped).toEqual(whole!);
  }
});

test("as published, the hyper network learns in the first epoch alone, the local layers in all", async () => {
  const published = { publishedBehaviour: true };
  for (const epochs of [1, 2]) (await train(`epochs-${epochs}`, { ...published, epochs })).model.dispose();
  const [one, two] = [
    await tensorsOf(at("epochs-1/model.safetensors")),
    await tensorsOf(at("epochs-2/model.safetensors")),
  ];
  const changed = [...one.keys()].filter((name) => one.get(name)!.some((value, i) => value !== two.get(name)![i]));
  const ofHead = changed.filter((name) => name.startsWith("head."));
  expect(ofHead.length).toBeGreaterThan(0);
  expect(ofHead.every((name) => name.startsWith("head.lda"))).toBe(true);
  expect(changed.some((name) => name.startsWith("layer1."))).toBe(true);
});

test("micro-batches and f16 maps go with it", async () => {
  const f16 = device.features.has("shader-f16") && { precision: "f16" };
  const result = await train("parts", { epochs: 1, microBatch: 2, ...f16 });
  result.model.dispose();
  expect(result.progress.losses.every(({ loss }) => Number.isFinite(loss))).toBe(true);
});
