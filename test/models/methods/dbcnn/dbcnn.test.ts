import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileShape } from "../../../../engine/nn/named.ts";
import { type TensorToStore, writeSafetensors } from "../../../../engine/weights/safetensors.ts";
import { dbCnn } from "../../../../models/methods/dbcnn/index.ts";
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
  stages: 1,
  resize: 36,
  crop: 32,
  batch: 4,
  headEpochs: 2,
  epochs: 3,
  rate: 1e-3,
  freshRate: 1e-3,
  headRate: 0.02,
} as const;

let folder = "";
let data: TrainingData;
/** A file with weights of every branch. */
let init = "";
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-dbcnn-"));
  data = divided(await blurredPictures(at("pictures"), 20));
  const model = new QualityNetwork(device, dbCnn.options(options), "zero");
  const tensors = model.tensors().map((named): TensorToStore => {
    const shape = fileShape(named);
    const name = named.name
      .replace(/^scnn\.features\./, "features2.")
      .replace("head.logits.", "fc.")
      .replace(/^(?!features2|fc)/, "features1.");
    return { name, dtype: "F32", shape, data: noiseWeights(name, shape) };
  });
  model.dispose();
  init = at("start.safetensors");
  await writeSafetensors(init, tensors);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const train = (name: string, more: object = {}, hooks: object = {}) =>
  startTraining(dbCnn, device, data, { ...options, ...more }, { folder: at(name), ...hooks }, { init });

async function tensorsOf(file: string): Promise<Map<string, Float32Array>> {
  const { model } = await openModel(device, file);
  const named = model.tensors();
  const values = await Promise.all(named.map(({ tensor }) => tensor.read()));
  model.dispose();
  return new Map(named.map(({ name }, i) => [name, values[i]!]));
}

/** Kinds of tensors, by what goes before their names and whether they are running statistics, that differ. */
async function changed(before: string, after: string): Promise<string[]> {
  const [one, other] = [await tensorsOf(before), await tensorsOf(after)];
  const names = [...one.keys()].filter((name) => one.get(name)!.some((value, i) => value !== other.get(name)![i]));
  const kind = (name: string) =>
    `${name.replace(/^(head|scnn).*|.*/, "$1")}${name.includes("running") ? " running" : ""}`;
  return [...new Set(names.map(kind))].sort();
}

describe("DB-CNN", () => {
  test("learns its last layer alone and then all layers; the model opens and gives the scores of the test", async () => {
    const result = await train("whole");
    result.model.dispose();
    const { losses, results, predictions } = result.progress;
    expect(result.files).toEqual(["last-layer.safetensors", "model.safetensors"]);
    expect(results.map(({ name }) => name)).toEqual(["last layer", "all layers"]);
    const mean = (stage: number, epoch: number) => {
      const own = losses.filter((row) => row.stage === stage && row.epoch === epoch);
      return own.reduce((sum, { loss }) => sum + loss, 0) / own.length;
    };
    expect(mean(1, 1)).toBeLessThan(mean(1, 0));
    expect(mean(2, 2)).toBeLessThan(mean(1, 0));
    await using scorer = await openScorer({ model: at("whole/model.safetensors"), device });
    const last = new Map(predictions.map(({ path, score }) => [path, score]));
    for await (const scored of scorer.scoreMany(data.test.map(({ path }) => path))) {
      if (!("score" in scored)) throw new Error("a picture has no score");
      expect(scored.score).toBeCloseTo(last.get(scored.picture)!, 3);
    }
    const after = at("whole/last-layer.safetensors");
    expect(await changed(after, at("whole/model.safetensors"))).toEqual([
      "",
      " running",
      "head",
      "scnn",
      "scnn running",
    ]);
  });

  test("a stopped training goes on to the same bits, in either phase", async () => {
    for (const stopAfter of [3, 7]) {
      const stop = new AbortController();
      let steps = 0;
      const progress = () => ({
        advance: (amount = 0) => {
          if (amount > 0 && ++steps === stopAfter) stop.abort();
        },
        stop: () => {},
      });
      const stopped = train("stopped", {}, { signal: stop.signal, progress });
      await expect(stopped).rejects.toBeInstanceOf(TrainingInterrupted);
      (await resumeTraining(dbCnn, device, { folder: at("stopped") })).model.dispose();
      for (const file of ["last-layer.safetensors", "model.safetensors"])
        expect(await readFile(at(`stopped/${file}`))).toEqual(await readFile(at(`whole/${file}`)));
    }
  });

  test("while the last layer learns alone, running statistics stay, and move on by `drifting` alone", async () => {
    const begun = await train("begun", { epochs: 0, headEpochs: 1, headRate: 1e-30 });
    begun.model.dispose();
    const drifted = await train("drifted", { epochs: 0, headEpochs: 1, drifting: true });
    drifted.model.dispose();
    const start = at("begun/last-layer.safetensors");
    expect(await changed(start, at("whole/last-layer.safetensors"))).toEqual(["head"]);
    expect(await changed(start, at("drifted/last-layer.safetensors"))).toEqual([" running", "head", "scnn running"]);
  });

  test.each([1, 3])(
    "%d frozen sections with the branch are kept as rows, and give the scores of the pictures",
    async (frozen) => {
      const result = await train(`frozen-${frozen}`, { frozen }, { featureFolder: at("features") });
      result.model.dispose();
      const name = frozen === 3 ? "head" : "";
      expect(
        await changed(at(`frozen-${frozen}/last-layer.safetensors`), at(`frozen-${frozen}/model.safetensors`)),
      ).toEqual(frozen === 3 ? [name] : ["", " running", "head"]);
      await using scorer = await openScorer({ model: at(`frozen-${frozen}/model.safetensors`), device });
      const last = new Map(result.progress.predictions.map(({ path, score }) => [path, score]));
      for await (const scored of scorer.scoreMany(data.test.map(({ path }) => path))) {
        if (!("score" in scored)) throw new Error("a picture has no score");
        expect(scored.score).toBeCloseTo(last.get(scored.picture)!, 3);
      }
    },
  );

  test("frozen sections that no file has are refused", async () => {
    const model = new QualityNetwork(device, dbCnn.options(options), "zero");
    const tensors = model.backbone.tensors("").map((named): TensorToStore => {
      const shape = fileShape(named);
      return { name: named.name, dtype: "F32", shape, data: noiseWeights(named.name, shape) };
    });
    model.dispose();
    await writeSafetensors(at("backbone.safetensors"), tensors);
    const starting = startTraining(
      ...([dbCnn, device, data, { ...options, frozen: 3 }] as const),
      ...([{ folder: at("refused") }, { init: at("backbone.safetensors") }] as const),
    );
    await expect(starting).rejects.toThrow('`frozen` 3: no start weights have "scnn.features.0.weight"');
  });

  test("micro-batches, f16 maps and a check of numbers go with it", async () => {
    const more = {
      headEpochs: 1,
      epochs: 1,
      microBatch: 2,
      ...(device.features.has("shader-f16") && { precision: "f16" }),
    };
    const result = await train("parts", more);
    result.model.dispose();
    expect(result.progress.losses.every(({ loss }) => Number.isFinite(loss))).toBe(true);
  });
});
