import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type NimaOptionsInput, nima } from "../../../../models/methods/nima/index.ts";
import { openModel } from "../../../../models/networks/model.ts";
import { openScorer } from "../../../../models/scoring/scorer.ts";
import { resumeTraining, startTraining } from "../../../../models/training/train.ts";
import { type TrainingData, TrainingInterrupted } from "../../../../models/training/training.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { blurredPictures, divided } from "../../training/pictures.ts";
import { stoppedAfter } from "../../training/stopped-after.ts";

const device = await sharedDevice();
const options = {
  backbone: "resnet18" as const,
  ...{ stages: 1, resize: 36, crop: 32, batch: 8, dropout: 0.25 },
  ...{ headEpochs: 2, epochs: 14, rate: 2e-3, freshRate: 1e-2, testResize: 32 },
} satisfies NimaOptionsInput;

let folder = "";
let data: TrainingData;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-nima-"));
  data = divided(await blurredPictures(at("pictures"), 40));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function weightsOf(path: string): Promise<Map<string, Float32Array>> {
  const { model } = await openModel(device, path);
  const read = await Promise.all(model.tensors().map(async ({ name, tensor }) => [name, await tensor.read()] as const));
  model.dispose();
  return new Map(read);
}

const train = async (name: string, more: object = {}, hooks: object = {}) => {
  const result = await startTraining(nima, device, data, { ...options, ...more }, { folder: at(name), ...hooks });
  result.model.dispose();
  return result;
};

describe("NIMA", () => {
  test("has the published trainings as presets, which what is given goes before", () => {
    const { headEpochs, epochs, batch, rate, freshRate, schedule, timeDecay, decay, ...rest } = nima.options({});
    expect([headEpochs, epochs, batch, rate, freshRate, timeDecay, decay]).toEqual([5, 9, 96, 3e-5, 1e-3, 2.3e-5, 0]);
    expect(schedule).toBe("time");
    const network = { levels: 10, dropout: 0.75, embedding: 0, labelMode: "maxent", loss: "emd", head: "distribution" };
    expect(rest).toMatchObject({ ...network, resize: 256, crop: 224 });
    expect(nima.options({ preset: "tid2013", epochs: 3 })).toMatchObject({
      ...{ headEpochs: 25, epochs: 3, batch: 64, rate: 3e-7, schedule: "constant" },
    });
    const own = nima.options({ preset: "tid2013", rate: 0.5 });
    expect(nima.options(own)).toEqual(own);
    const [first, second] = nima.phases(own);
    expect([first!.headAlone, first!.settings]).toEqual([true, { rate: 1e-3, schedule: "constant" }]);
    expect([second!.headAlone, second!.settings]).toEqual([undefined, { freshRate: 0.5 }]);
  });

  test("refuses what it cannot learn", () => {
    expect(() => nima.options({ head: "score" })).toThrow("`head` score: NIMA learns distributions");
    expect(() => nima.options({ headEpochs: 0, epochs: 0 })).toThrow("leave nothing to train");
    expect(() => nima.options({ testResize: 200 })).toThrow("`testResize` 200 is smaller than `crop` 224");
    expect(() => nima.options({ testResize: 224, testTiles: 4 })).toThrow("`testResize` 224: with");
    expect(() => nima.options({ testResize: 224, frozen: 2 })).toThrow("with `frozen` 2 all views are kept");
  });

  test("trains the head alone and then all layers, learns, and is scored as it was tested", async () => {
    const { progress, files } = await train("whole");
    expect(files).toEqual(["head.safetensors", "model.safetensors"]);
    const [head, all] = await Promise.all(files.map((file) => weightsOf(join(at("whole"), file))));
    const drawn = await train("drawn", { epochs: 0, headEpochs: 1, freshRate: 1e-30 });
    const start = await weightsOf(join(at("drawn"), drawn.files[0]!));
    for (const [name, values] of head!) {
      expect([name, values.every((value, i) => value === start.get(name)![i]!)]).toEqual([
        name,
        !name.startsWith("head."),
      ]);
      expect(all!.get(name)).not.toEqual(values);
    }
    expect([...all!.keys()].filter((name) => name.startsWith("head."))).toEqual([
      "head.logits.weight",
      "head.logits.bias",
    ]);
    const { losses, results, predictions } = progress;
    const mean = (part: typeof losses) => part.reduce((sum, { loss }) => sum + loss, 0) / part.length;
    expect(mean(losses.slice(-4))).toBeLessThan(mean(losses.slice(0, 4)));
    expect(results.at(-1)!.evaluation.srcc).toBeGreaterThan(0.8);
    await using scorer = await openScorer({ model: join(at("whole"), "model.safetensors"), device });
    expect(scorer.showing.resize).toBe(32);
    for (const { path, score } of predictions) {
      const found = await scorer.score(path);
      expect(found.score).toBeCloseTo(score, 3);
      expect(found.histogram).toHaveLength(10);
    }
    // The centre of 36 pixels is another picture than all of it on 32.
    const centre = await train("centre", { testResize: 0 });
    expect(centre.progress.predictions.map(({ score }) => score)).not.toEqual(predictions.map(({ score }) => score));
    expect(await readFile(join(at("centre"), "head.safetensors"))).not.toBeEmpty();
    const same = await weightsOf(join(at("centre"), "model.safetensors"));
    expect([...same]).toEqual([...all!]);
  });

  test.each([1, 3, 5])("goes on after a stop at step %d of 2 + 4, to the same bits", async (stopAfter) => {
    const short = { headEpochs: 1, epochs: 2 };
    if (stopAfter === 1) await train("short", short);
    const name = `stopped-${stopAfter}`;
    await expect(train(name, short, stoppedAfter(stopAfter))).rejects.toThrow(TrainingInterrupted);
    (await resumeTraining(nima, device, { folder: at(name) })).model.dispose();
    const [one, two] = await Promise.all(["short", name].map((run) => readFile(join(at(run), "model.safetensors"))));
    expect(two).toEqual(one!);
  });

  test("learns grades as they were given, over frozen sections and in parts of a batch too", async () => {
    const graded = (rows: TrainingData["labelled"]) =>
      rows.map((row) => ({
        ...row,
        histogram: Array.from({ length: 5 }, (_, j) => 100 * Math.exp(-((row.mos / 25 - j) ** 2))),
      }));
    const given = { ...data, labelled: graded(data.labelled) };
    const more = { labelMode: "histogram", testResize: 0, headEpochs: 1, epochs: 1, dropout: 0 } as const;
    const start = { from: join(at("whole"), "head.safetensors") };
    const lossesOf = async (name: string, changed: object) => {
      const all = { ...options, ...more, ...changed };
      const hooks = { folder: at(name), featureFolder: at("features") };
      const { model, progress } = await startTraining(nima, device, given, all, hooks, start);
      model.dispose();
      return progress.losses.map(({ loss }) => loss);
    };
    const whole = await lossesOf("frozen", { frozen: 3, views: 1 });
    const parts = await lossesOf("parts", { frozen: 3, views: 1, microBatch: 3 });
    whole.forEach((loss, i) => {
      expect(parts[i]!).toBeCloseTo(loss, 5);
    });
    const without = startTraining(nima, device, data, { ...options, ...more }, { folder: at("none") });
    await expect(without).rejects.toThrow("16 of the labelled pictures, such as 0.png, come without the counts");
  });
});
