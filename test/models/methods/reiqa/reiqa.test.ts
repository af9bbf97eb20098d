import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kernelRidge } from "../../../../models/methods/parts/kernel-regression.ts";
import { type ReIqaOptionsInput, reIqa } from "../../../../models/methods/reiqa/index.ts";
import { openModel, QualityNetwork, saveModel } from "../../../../models/networks/model.ts";
import { openScorer } from "../../../../models/scoring/scorer.ts";
import { resumeTraining, startTraining } from "../../../../models/training/train.ts";
import { type TrainingData, TrainingInterrupted } from "../../../../models/training/training.ts";
import { relativeError } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";
import golden from "../../../golden/ridge-layer.json" with { type: "json" };
import { blurredPictures, divided } from "../../training/pictures.ts";

const device = await sharedDevice();
const small: ReIqaOptionsInput = { backbone: "resnet18", stages: 1, resize: 40, crop: 40 };

let folder = "";
let data: TrainingData;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-reiqa-"));
  data = divided(await blurredPictures(at("pictures"), 40));
  const options = reIqa.options(small);
  const encoders = new QualityNetwork(device, options);
  await saveModel(at("encoders"), encoders, { options, range: [0, 100], history: [], fresh: [] });
  encoders.dispose();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function train(name: string, options: ReIqaOptionsInput = {}, given = data, signal?: AbortSignal) {
  const logged: string[] = [];
  const hooks = {
    ...{ folder: at(name), featureFolder: at("features"), log: (line: string) => logged.push(line) },
    ...(signal && { signal }),
  };
  const start = { init: at("encoders") };
  const result = await startTraining(reIqa, device, given, { ...small, ...options }, hooks, start);
  result.model.dispose();
  return { ...result, logged };
}

test.each(Object.entries(golden))("the layer for %s is that of NumPy, on features as they are", (_, each) => {
  const { d, y, ridge, expected } = each;
  const found = kernelRidge(Float32Array.from(each.features), d, y, { kernel: "linear", width: 0, ridge });
  expect(found.ridge).toBe(expected.ridge);
  expect(relativeError([...found.layer!.weights], expected.weights)).toBeLessThan(1e-7);
  expect(Math.abs(found.layer!.constant - expected.constant)).toBeLessThan(1e-7 * Math.abs(expected.constant));
});

test("blur is told by the features of both encoders, and the model scores as the training did", async () => {
  const { progress, logged, files } = await train("plain");
  expect(logged.join("\n")).toMatch(
    /ridge \S+; 16 labelled pictures left out one by one: SRCC 0\.9\d\d, MAE \d\.\d+ on \[0,100\]/,
  );
  expect(progress.notes.at(-1)).toMatch(/^ridge /);
  expect(progress.losses).toEqual([]);
  const { evaluation } = progress.results.find(({ name }) => name === "Re-IQA")!;
  expect(evaluation.srcc).toBeGreaterThan(0.9);
  expect(evaluation.rmse).toBeLessThan(15);
  await using scorer = await openScorer({ model: join(at("plain"), files[0]!), device });
  for (const { path, score } of progress.predictions.slice(0, 3)) {
    const scored = await scorer.score(path);
    expect(scored.score).toBeCloseTo(score, 3);
  }
});

test("an elastic net tells blur by some of the features", async () => {
  const { progress, logged } = await train("net", { regression: "elastic-net" });
  expect(logged.join("\n")).toMatch(
    /elastic net, alpha \S+, l1 ratio 0\.\d, \d+ of 256 features; 16 labelled pictures left out in 5 folds: SRCC 0\.\d+/,
  );
  expect(progress.results.find(({ name }) => name === "Re-IQA")!.evaluation.srcc).toBeGreaterThan(0.9);
}, 60_000);

test("each encoder may stand alone, and encoders are not changed by the fit", async () => {
  for (const encoders of ["content", "quality"] as const) {
    const { model: _m, progress } = await train(encoders, { encoders });
    expect(progress.results[0]!.evaluation.srcc).toBeGreaterThan(0.8);
    const { model } = await openModel(device, join(at(encoders), "model.safetensors"));
    const { model: start } = await openModel(device, at("encoders"));
    const stem = async (of: QualityNetwork) =>
      of
        .tensors()
        .find(({ name }) => name === `${encoders}.conv1.weight`)!
        .tensor.read();
    expect(await stem(model)).toEqual(await stem(start));
    model.dispose();
    start.dispose();
  }
}, 60_000);

test("stopped before the fit it goes on to the same bits, and the same with a given ridge in another run", async () => {
  await train("whole");
  const stop = new AbortController();
  stop.abort();
  await expect(train("stopped", {}, data, stop.signal)).rejects.toThrow(TrainingInterrupted);
  const resumed = await resumeTraining(reIqa as never, device, {
    folder: at("stopped"),
    featureFolder: at("features"),
  });
  resumed.model.dispose();
  const model = (run: string) => readFile(join(at(run), "model.safetensors"));
  expect(await model("stopped")).toEqual(await model("whole"));
  await train("stiff", { ridge: 100 });
  expect(await model("stiff")).not.toEqual(await model("whole"));
}, 60_000);

test("a picture that cannot be read is left out, and two that can are needed", async () => {
  await writeFile(at("broken.png"), "no picture");
  const broken = { name: "broken.png", path: at("broken.png"), mos: 50 };
  const { logged } = await train("broken", {}, { ...data, labelled: [broken, ...data.labelled] });
  expect(logged.join("\n")).toContain("; 16 labelled pictures left out one by one");
  const one = { ...data, labelled: [broken, data.labelled[0]!] };
  await expect(train("one", {}, one)).rejects.toThrow("1 of 2 labelled pictures can be read; at least 2 are needed");
  await expect(train("single", {}, { ...data, labelled: data.labelled.slice(0, 1) })).rejects.toThrow(
    "training needs at least 2 labelled pictures, found 1",
  );
});

test("options and data that do not do are refused by name", async () => {
  const refused: [object, string][] = [
    [{ embedding: 16 }, "`embedding` 16: Re-IQA solves for a linear layer"],
    [{ head: "classes" }, "`head` classes: Re-IQA solves for a linear layer"],
    [{ featureNorm: "batch" }, "`featureNorm` batch: Re-IQA solves"],
    [{ rate: 0.1 }, "`rate` 0.1: Re-IQA is solved for and takes no steps"],
    [{ rankWeight: 0 }, "`rankWeight` 0: Re-IQA is solved for and takes no steps"],
  ];
  for (const [options, message] of refused) expect(() => reIqa.options({ ...small, ...options })).toThrow(message);
  const guessed = { ...data, labelled: data.labelled.map((row) => ({ ...row, weight: 0.5 })) };
  await expect(train("guessed", {}, guessed)).rejects.toThrow("16 pictures that a model labelled");
  const unread: [ReIqaOptionsInput, string][] = [
    [{ alpha: 1 }, "`alpha` 1: the `regression` ridge has none"],
    [{ l1Ratio: 0.5 }, "`l1Ratio` 0.5: the `regression` ridge has none"],
    [{ regression: "elastic-net", ridge: 2 }, "`ridge` 2: the `regression` elastic-net has none"],
  ];
  for (const [options, message] of unread) expect(() => reIqa.options({ ...small, ...options })).toThrow(message);
  await expect(startTraining(reIqa, device, data, small, { folder: at("without") })).rejects.toThrow(
    "`frozen` 1: without start weights",
  );
});
