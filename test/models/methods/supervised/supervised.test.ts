import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cpl, trainCpl } from "../../../../models/methods/cpl/index.ts";
import { methods } from "../../../../models/methods/index.ts";
import { supervised } from "../../../../models/methods/supervised/index.ts";
import { openModel } from "../../../../models/networks/model.ts";
import { resumeTraining, startTraining } from "../../../../models/training/train.ts";
import { type TrainingData, TrainingInterrupted } from "../../../../models/training/training.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { blurredPictures, divided, small } from "../../training/pictures.ts";
import { stoppedAfter } from "../../training/stopped-after.ts";

const { stageOneBatch: batch, labelledBatch: _l, unlabelledBatch: _u, neighbours: _k, ...network } = small;
const options = { ...network, batch, epochs: 4, loss: "emd" as const };

let folder = "";
let data: TrainingData;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-supervised-"));
  data = divided(await blurredPictures(at("pictures"), 30));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const weights = async (path: string) => {
  const { model, card } = await openModel(await sharedDevice(), path);
  const values = await Promise.all(model.tensors().map(({ tensor }) => tensor.read()));
  model.dispose();
  return { values, card };
};

test("supervised learns what stage 1 of CPL-IQA learns, to the same bits, and its model says what made it", async () => {
  const device = await sharedDevice();
  const whole = await startTraining(supervised, device, data, options, { folder: at("whole") });
  whole.model.dispose();
  expect(whole.files).toEqual(["model.safetensors"]);
  expect(whole.progress.results.map(({ name }) => name)).toEqual(["supervised"]);
  expect(whole.progress.phases.map(({ name }) => name)).toEqual(["supervised training", "test"]);
  const stages = { ...network, stageOneBatch: batch, stageOneEpochs: 4, stageTwoEpochs: 0, loss: "emd" as const };
  const stage = await trainCpl(device, data, stages, { folder: at("stage") });
  stage.model.dispose();
  const [one, two] = [await weights(at("whole/model.safetensors")), await weights(at("stage/stage1.safetensors"))];
  expect(one.values).toEqual(two.values);
  expect([one.card.method, two.card.method]).toEqual(["supervised", "CPL-IQA"]);
  expect(one.card.history.at(-1)).toStartWith("supervised: 12 labelled pictures");
  expect(two.card.history.at(-1)).toStartWith("CPL-IQA stage 1: 12 labelled pictures");
  expect(one.card.options).toMatchObject({ epochs: 4, loss: "emd", levels: small.levels });
});

test("an interrupted training goes on by its own method, to the same bits, and not by another", async () => {
  const device = await sharedDevice();
  const hooks = { folder: at("stopped"), ...stoppedAfter(3) };
  const stopped = await startTraining(supervised, device, data, options, hooks).then(String, (reason) => reason);
  expect(stopped).toBeInstanceOf(TrainingInterrupted);
  expect(stopped.advice).toBe(`continue with: acutance train supervised --resume ${at("stopped")}`);
  const other = await resumeTraining(cpl, device, { folder: at("stopped") }).then(String, (reason) => reason);
  expect(other.message).toBe(`${at("stopped")} holds a training by supervised, not by cpl`);
  (await resumeTraining(supervised, device, { folder: at("stopped") })).model.dispose();
  const [found, whole] = await Promise.all(
    ["stopped", "whole"].map((name) => readFile(join(at(name), "model.safetensors"))),
  );
  expect(found).toEqual(whole!);
});

test("every method has a name and options of its own", () => {
  expect(methods.map(({ name }) => name)).toEqual([
    "cpl",
    "supervised",
    "fixmatch",
    "adamatch",
    "comatch",
    "freematch",
    "simmatch",
    "softmatch",
    "flexmatch",
    "defixmatch",
    "crmatch",
    "rankup",
    "kernelridge",
    "reiqa",
    "reiqa-quality",
    "nima",
    "dbcnn",
    "dbcnn-scnn",
    "semi-iqa",
    "ssliqa-like",
    "hyperiqa",
  ]);
  for (const { phases, options: read } of methods) {
    const files = phases(read({} as never)).map(({ file }) => file);
    expect(new Set(files).size).toBe(files.length);
  }
});

test.each([
  ["resnet18", { stages: 1 }],
  ["vit_tiny_patch16_224", { stages: 4, featureDepths: [2] }],
] as ["resnet18" | "vit_tiny_patch16_224", object][])(
  "a plain %s regressor is its pooled feature and one layer",
  async (backbone, cut) => {
    const device = await sharedDevice();
    const { levels: _, ...others } = options;
    const given = { ...others, ...cut, backbone, head: "score", loss: "l1", embedding: 0, epochs: 1 } as const;
    const { model, progress } = await startTraining(supervised, device, data, given, { folder: at(backbone) });
    const ofHead = model.tensors().filter(({ name }) => name.startsWith("head."));
    expect(ofHead.map(({ name, tensor }) => [name, tensor.shape])).toEqual([
      ["head.logits.weight", [model.featureLength, 1]],
      ["head.logits.bias", [1]],
    ]);
    model.dispose();
    expect(progress.losses.every(({ loss }) => Number.isFinite(loss))).toBe(true);
    expect(progress.predictions.every(({ score }) => Number.isFinite(score))).toBe(true);
    expect((await weights(join(at(backbone), "model.safetensors"))).card.options).toMatchObject({ head: "score" });
  },
);
