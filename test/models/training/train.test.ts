import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSafetensors } from "../../../engine/weights/safetensors.ts";
import { resumeCpl, trainCpl } from "../../../models/methods/cpl/index.ts";
import { type CplOptionsInput, cplOptions } from "../../../models/methods/cpl/options.ts";
import { openModel } from "../../../models/networks/model.ts";
import { OptionError } from "../../../models/options.ts";
import { openScorer } from "../../../models/scoring/scorer.ts";
import { type RatedRow, type TrainingData, TrainingInterrupted } from "../../../models/training/training.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures, divided, small } from "./pictures.ts";

/** A small network and few pictures: seconds on a software adapter. */
const options: CplOptionsInput = {
  ...small,
  schedule: "cosine",
  stageOneEpochs: 16,
  stageTwoEpochs: 2,
};

let folder = "";
let rows: RatedRow[] = [];
let data: TrainingData;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-train-"));
  rows = await blurredPictures(join(folder, "pictures"), 40);
  data = divided(rows);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (name: string) => join(folder, name);

describe("training", () => {
  test("both stages learn, score the test part and leave models that score alike", async () => {
    const device = await sharedDevice();
    const lines: string[] = [];
    const result = await trainCpl(device, data, options, { folder: run("whole"), log: (line) => lines.push(line) });
    const { results, refreshes, losses, predictions, pseudoLabels } = result.progress;
    expect(results.map(({ name }) => name)).toEqual(["stage 1", "stage 2"]);
    // Blur is easy to see: a network that learns at all ranks the test pictures nearly right.
    for (const { evaluation } of results) expect(evaluation.srcc).toBeGreaterThan(0.7);
    const { reliability, distributions } = result.progress;
    expect(reliability!.map(({ name, n }) => [name, n])).toEqual(
      results.map(({ name, evaluation: { n } }) => [name, n]),
    );
    expect(distributions).toEqual([]);
    for (const { shareBelow } of predictions) expect(shareBelow! >= 0 && shareBelow! <= 1).toBe(true);
    expect(refreshes).toHaveLength(2);
    expect(refreshes[0]!.quality!.n).toBe(data.unlabelled.length);
    expect(pseudoLabels).toHaveLength(data.unlabelled.length);
    expect(losses.filter(({ stage }) => stage === 2)).toHaveLength(4);
    expect(lines.join("\n")).toContain("stage 2: test SRCC");

    await using scorer = await openScorer({ device, model: join(run("whole"), "model.safetensors") });
    const paths = [...data.test.map(({ path }) => path), join(folder, "absent.jpg")];
    const scored: unknown[] = [];
    for await (const picture of scorer.scoreMany(paths)) scored.push(picture);
    predictions.forEach((row, i) => {
      expect(scored[i]).toMatchObject({ picture: row.path, score: row.score });
    });
    expect(scored.at(-1)).toHaveProperty("error.name", "PictureError");
    result.model.dispose();
  });

  test("an interrupted run continues bit for bit, in either stage", async () => {
    const steps = (await readCounts(run("whole"))).losses;
    // After a step in the middle of stage 1, and after one in the middle of stage 2.
    for (const stopAfter of [5, steps - 1]) {
      const target = run(`stopped-${stopAfter}`);
      const resumed = await stoppedAndResumed(target, options, stopAfter);
      expect(resumed.losses).toHaveLength(steps);
      const [found, expected] = await Promise.all([tensorsOf(target), tensorsOf(run("whole"))]);
      expect(found).toEqual(expected);
    }
  });

  test("pseudo-labels made once serve every epoch, also after an interruption between and within epochs", async () => {
    const device = await sharedDevice();
    const once = { ...options, refresh: "once", stageOneEpochs: 1, stageTwoEpochs: 3, ema: 0.5 } as const;
    const result = await trainCpl(device, data, once, { folder: run("once") });
    result.model.dispose();
    const { refreshes, losses } = result.progress;
    expect(refreshes.map(({ epoch }) => epoch)).toEqual([0]);
    const everyEpoch = await trainCpl(device, data, { ...once, refresh: "epoch" }, { folder: run("every") });
    everyEpoch.model.dispose();
    expect(everyEpoch.progress.refreshes).toHaveLength(3);
    expect(await tensorsOf(run("every"))).not.toEqual(await tensorsOf(run("once")));
    const stageOneSteps = losses.filter(({ stage }) => stage === 1).length;
    // The last step of the first epoch of stage 2, and the first of its third.
    for (const step of [2, 5]) {
      const target = run(`once-${step}`);
      const resumed = await stoppedAndResumed(target, once, stageOneSteps + step);
      expect(resumed.refreshes).toHaveLength(1);
      expect(resumed.losses).toEqual(losses);
      expect(await tensorsOf(target)).toEqual(await tensorsOf(run("once")));
    }
  });

  test("stage 1 alone, then stage 2 from its model", async () => {
    const device = await sharedDevice();
    const one = await trainCpl(device, data, { ...options, stageTwoEpochs: 0 }, { folder: run("one") });
    one.model.dispose();
    const start = { from: join(run("one"), "stage1.safetensors") };
    const two = await trainCpl(device, data, { ...options, stageOneEpochs: 0 }, { folder: run("two") }, start);
    two.model.dispose();
    expect(two.progress.results.map(({ name }) => name)).toEqual(["stage 2"]);
    expect(await tensorsOf(run("two"))).toEqual(await tensorsOf(run("whole")));
  });

  test.each([
    ["kl", {}],
    ["emd", { optimiser: "sgd", freshRate: 0.01 }],
    ["l1", { optimiser: "adamw", lossDivision: "parts", target: "reconverted" }],
    [
      "cross-entropy",
      { affinity: "cos", confidence: "constant", stageTwoEpoch: "all", range: "observed", testCrops: 3 },
    ],
    ["kl", { labelMode: "gauss", target: "one-hot", stageTwoEpoch: "labelled" }],
    ["cross-entropy", { labelMode: "onehot5", levels: 5 }],
    ["emd", { labelMode: "maxent", target: "reconverted" }],
  ] as const)("runs with loss %s and %j", async (loss, more) => {
    const device = await sharedDevice();
    const few = { ...options, ...more, loss, stageOneEpochs: 1, stageTwoEpochs: 1 };
    const result = await trainCpl(device, data, few, { folder: run(`option-${loss}-${Object.keys(more)}`) });
    expect(result.progress.losses.every((entry) => Number.isFinite(entry.loss))).toBe(true);
    expect(result.progress.results).toHaveLength(2);
    result.model.dispose();
  });

  test("a picture that breaks during training is left out and named", async () => {
    const device = await sharedDevice();
    const broken = join(folder, "broken.png");
    await writeFile(broken, "not a picture");
    const lines: string[] = [];
    const labelled = [{ name: "broken.png", path: broken, mos: 50 }, ...data.labelled];
    const unlabelled = [{ name: "absent.png", path: join(folder, "absent.png") }, ...data.unlabelled];
    const few = { ...options, stageOneEpochs: 2, stageTwoEpochs: 1 };
    const hooks = { folder: run("broken"), log: (line: string) => lines.push(line) };
    const result = await trainCpl(device, { ...data, labelled, unlabelled }, few, hooks);
    expect(lines.filter((line) => line.startsWith("left out: absent.png"))).toHaveLength(1);
    expect(result.progress.results).toHaveLength(2);
    expect(lines.filter((line) => line.startsWith("left out: broken.png"))).toHaveLength(1);
    result.model.dispose();
  });
});

describe("wrong input", () => {
  test("options are refused by name", () => {
    expect(() => cplOptions({ gamma: 1 })).toThrow(/gamma/);
    expect(() => cplOptions({ loss: "mse" } as never)).toThrow(OptionError);
    expect(() => cplOptions({ crop: 300 })).toThrow("`crop` 300 is larger than `resize` 256");
    expect(() => cplOptions({ colour: 1 } as never)).toThrow(/colour/);
  });

  test("a model does not open from another file, a damaged one, or for other options", async () => {
    const device = await sharedDevice();
    const good = join(run("whole"), "model.safetensors");
    const bytes = await readFile(good);
    const bad = join(folder, "bad.safetensors");
    await writeFile(bad, bytes.subarray(0, bytes.length - 100));
    await expect(openModel(device, bad)).rejects.toThrow("bad.safetensors");
    await expect(openModel(device, join(folder, "none.safetensors"))).rejects.toThrow("none.safetensors");
    const other = trainCpl(device, data, { ...options, levels: 10 }, { folder: run("other") }, { from: good });
    await expect(other).rejects.toThrow("has `levels` 20, the options ask for 10");
    await expect(resumeCpl(device, { folder: run("nowhere") })).rejects.toThrow("nowhere");
  });

  test("too little data", async () => {
    const device = await sharedDevice();
    const one = { ...data, labelled: data.labelled.slice(0, 1) };
    await expect(trainCpl(device, one, options, { folder: run("x") })).rejects.toThrow("at least 2 labelled");
    const none = { ...data, unlabelled: [] };
    await expect(trainCpl(device, none, options, { folder: run("x") })).rejects.toThrow("stage 2 needs unlabelled");
  });
});

/** A run that stops after so many steps, and its continuation. */
async function stoppedAndResumed(target: string, options: CplOptionsInput, stopAfter: number) {
  const device = await sharedDevice();
  const stop = new AbortController();
  let seen = 0;
  const progress = () => ({
    advance: (_amount?: number, note?: string) => {
      if (note?.startsWith("loss") && ++seen === stopAfter) stop.abort();
    },
    stop: () => {},
  });
  const training = trainCpl(device, data, options, { folder: target, signal: stop.signal, progress });
  await expect(training).rejects.toThrow(TrainingInterrupted);
  const resumed = await resumeCpl(device, { folder: target });
  resumed.model.dispose();
  return resumed.progress;
}

async function tensorsOf(target: string): Promise<Record<string, string>> {
  await using file = await openSafetensors(join(target, "model.safetensors"));
  const entries = [...file.tensors.keys()].map(async (name) => {
    const { bytes } = await file.read(name);
    return [name, createHash("sha256").update(bytes).digest("hex")];
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function readCounts(target: string): Promise<{ losses: number }> {
  await using file = await openSafetensors(join(target, "checkpoint.safetensors"));
  return { losses: JSON.parse(file.metadata.get("training")!).progress.losses.length };
}
