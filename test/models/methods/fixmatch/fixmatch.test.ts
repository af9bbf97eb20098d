import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FixMatchOptionsInput, fixMatch } from "../../../../models/methods/fixmatch/index.ts";
import { taken } from "../../../../models/methods/parts/consistency.ts";
import { QualityNetwork, saveModel } from "../../../../models/networks/model.ts";
import { loadBatches, planEpoch } from "../../../../models/training/batches.ts";
import type { PhaseContext } from "../../../../models/training/method.ts";
import { rowRuns } from "../../../../models/training/rows.ts";
import { Stepper, type StepReport } from "../../../../models/training/stepper.ts";
import { resumeTraining, startTraining } from "../../../../models/training/train.ts";
import { type TrainingData, TrainingInterrupted } from "../../../../models/training/training.ts";
import { PictureInputs } from "../../../../models/views/inputs.ts";
import { relativeError } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { blurredPictures, divided, small } from "../../training/pictures.ts";
import { stoppedAfter } from "../../training/stopped-after.ts";

const { stageOneBatch: _s, neighbours: _n, levels: _v, ...network } = small;
const options: FixMatchOptionsInput = {
  ...network,
  epochs: 2,
  labelledBatch: 4,
  unlabelledBatch: 3,
  threshold: 0.3,
  rate: 1e-3,
};

/** No weights move. */
const still = { optimiser: "sgd", rate: 1e-30, freshRate: 1e-30 } as const;

let folder = "";
let data: TrainingData;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-fixmatch-"));
  data = divided(await blurredPictures(at("pictures"), 30));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function train(name: string, more: FixMatchOptionsInput = {}, hooks = {}, start = {}) {
  const own = { folder: at(name), ...hooks };
  const result = await startTraining(fixMatch, await sharedDevice(), data, { ...options, ...more }, own, start);
  result.model.dispose();
  return result;
}

/** Stops after so many steps, and goes on. */
async function stoppedAndResumed(name: string, steps: number, more: FixMatchOptionsInput = {}, hooks = {}, start = {}) {
  const stopped = train(name, more, { ...hooks, ...stoppedAfter(steps) }, start);
  await expect(stopped).rejects.toThrow(TrainingInterrupted);
  (await resumeTraining(fixMatch, await sharedDevice(), { folder: at(name), ...hooks })).model.dispose();
}

const bytesOf = (name: string) => readFile(join(at(name), "model.safetensors"));

describe("a batch", () => {
  const planned = () => {
    const full = fixMatch.options(options);
    return planEpoch({ ...fixMatch.phases(full)[0]!, stage: 1 }, 0, data, full);
  };

  test("has a weak and a strong view of each unlabelled picture side by side", () => {
    const seeds = new Set<number>();
    for (const batch of planned()) {
      const labelled = batch.slice(0, 4);
      expect(labelled.every(({ part, strong }) => part === "labelled" && strong === undefined)).toBe(true);
      const others = batch.slice(4);
      expect(others.length % 2).toBe(0);
      for (let i = 0; i < others.length; i += 2) {
        expect(others[i]).toMatchObject({ part: "unlabelled", index: others[i + 1]!.index });
        expect(others[i]!.strong).toBeUndefined();
        seeds.add(others[i + 1]!.strong!);
      }
    }
    expect(seeds.size).toBe(data.unlabelled.length);
    expect(planned()).toEqual(planned());
  });

  test("is cut between pictures, never between the views of one", () => {
    const batch = planned()[0]!;
    const runs = rowRuns(batch, { labelled: ["weak"], unlabelled: ["weak", "strong"] }, 3);
    expect(runs.reduce((sum, { count }) => sum + count, 0)).toBe(10);
    for (const { count, rows } of runs) {
      expect(count).toBeLessThanOrEqual(3);
      expect(rows.labelled.count + 2 * rows.unlabelled.count).toBe(count);
    }
    const unlabelled = runs.map(({ rows }) => rows.unlabelled);
    expect(unlabelled.map(({ size }) => size)).toEqual(unlabelled.map(() => 3));
    expect(unlabelled.reduce((next, { first, count }) => (count === 0 || first === next ? next + count : NaN), 0)).toBe(
      3,
    );
  });

  test("leaves out all views of a picture of which one is lost, and its strong views differ from the weak ones", async () => {
    const device = await sharedDevice();
    const model = new QualityNetwork(device, fixMatch.options(options));
    const inputs = new PictureInputs(model, 16, undefined, { strong: { set: "quality", kept: 0 } });
    const batch = planned()[0]!;
    const lost = batch.map((row, i) => (i === 5 ? { ...row, path: at("nowhere.png") } : row));
    const views = { labelled: ["weak"], unlabelled: ["weak", "strong"] } as const;
    const [first] = await Array.fromAsync(loadBatches([lost], inputs, views));
    expect(first!.pictures.map(({ planned }) => planned.name)).toEqual(
      batch.filter((_, i) => i !== 4 && i !== 5).map(({ name }) => name),
    );
    const [whole] = await Array.fromAsync(loadBatches([batch], inputs, views));
    const items = whole!.pictures.map(({ planned, tensor }) => ({ tensor, ...planned }));
    const read = (rows: typeof items) => device.scope(() => ({ read: inputs.assemble(rows).read() })).read;
    const all = await read(items);
    const size = all.length / items.length;
    const row = (i: number) => all.slice(i * size, (i + 1) * size);
    for (let i = 4; i < 10; i += 2) {
      expect(row(i)).not.toEqual(row(i + 1));
      expect(row(i + 1).every((value) => value >= 0 && value <= 1)).toBe(true);
    }
    // A view depends on nothing else in its batch.
    expect(await read(items.slice(5, 6))).toEqual(row(5));
    expect(await read(items.slice(0, 1))).toEqual(row(0));
    inputs.dispose();
    model.dispose();
  });
});

describe("training", () => {
  test("reports the share of pseudo-labels taken, and learns from them", async () => {
    const { progress, files } = await train("whole");
    expect(files).toEqual(["model.safetensors"]);
    const shares = progress.losses.map(({ figures }) => figures![taken]!);
    expect(shares.length).toBe(8);
    expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
    expect(Math.max(...shares)).toBeGreaterThan(0);
    // Where nothing is ever sure enough, the unlabelled pictures have no part in it.
    const sure = await train("sure", { threshold: 1, ...still });
    const light = await train("light", { threshold: 0, unlabelledWeight: 0, ...still });
    expect(sure.progress.losses.map(({ loss }) => loss)).toEqual(light.progress.losses.map(({ loss }) => loss));
    expect(sure.progress.losses.every(({ figures }) => figures![taken] === 0)).toBe(true);
    expect(light.progress.losses.every(({ figures }) => figures![taken] === 1)).toBe(true);
  });

  test("ends with the same bits after a stop within an epoch", async () => {
    await stoppedAndResumed("stopped", 3);
    expect(await bytesOf("stopped")).toEqual(await bytesOf("whole"));
  });

  test("micro-batches train like the whole batch, and say the same figures", async () => {
    const device = await sharedDevice();
    const run = async (microBatch: number) => {
      const given = fixMatch.options({ ...options, optimiser: "sgd", threshold: 0.26, microBatch });
      const [phase] = fixMatch.phases(given);
      const model = new QualityNetwork(device, given);
      model.freezeNorms(model.backbone.norms().map(([name]) => name));
      const inputs = new PictureInputs(model, 16, undefined, { strong: { set: "quality", kept: 0 } });
      const labels = Float32Array.from({ length: 5 * data.labelled.length }, (_, i) => (i % 6 === 0 ? 1 : 0));
      const task = phase!.begin({ labels } as PhaseContext);
      const stepper = new Stepper(model, inputs, { options: given, fresh: [] }, { task, views: phase!.views });
      const reports: StepReport[] = [];
      const batches = planEpoch({ ...phase!, stage: 1 }, 0, data, given);
      for await (const { pictures } of loadBatches(batches, inputs, phase!.views))
        reports.push(await stepper.step(pictures, 1));
      stepper.dispose();
      inputs.dispose();
      model.dispose();
      return reports;
    };
    const whole = await run(0);
    // Recorded, traced and replayed steps.
    expect(whole.length).toBe(4);
    expect(new Set(whole.map(({ figures }) => figures![taken])).size).toBeGreaterThan(1);
    for (const size of [2, 3, 5]) {
      const cut = await run(size);
      const of = (reports: StepReport[]) => reports.flatMap(({ loss, figures }) => [loss, figures![taken]!]);
      expect(relativeError(of(cut), of(whole))).toBeLessThan(1e-5);
    }
    await expect(train("odd", { microBatch: 1 })).rejects.toThrow(
      "`microBatch` 1 would part the views of a picture; give at least 2",
    );
  });

  test("with frozen sections draws among strong views that are kept, to the same bits from the start or after a stop", async () => {
    const device = await sharedDevice();
    const given = fixMatch.options(options);
    const model = new QualityNetwork(device, given);
    const card = { options: given, range: data.range, history: [], fresh: [] };
    await saveModel(at("start.safetensors"), model, card);
    model.dispose();
    const frozen = { frozen: 1, strongViews: 3, views: 2 };
    const hooks = { featureFolder: at("features") };
    const start = { from: at("start.safetensors") };
    await train("frozen", frozen, hooks, start);
    const [own] = await readdir(at("features"));
    const rows = await readdir(join(at("features"), own!));
    const strong = rows.filter((name) => name.includes("-quality-"));
    expect(strong.length).toBe(3 * data.unlabelled.length);
    expect(rows.length - strong.length).toBe(2 * (data.labelled.length + data.unlabelled.length) + data.test.length);
    const [bits, centre] = await Promise.all(
      [strong[0]!, rows.find((name) => !name.includes("-quality-"))!].map((name) =>
        readFile(join(at("features"), own!, name)),
      ),
    );
    expect(bits!.length).toBe(centre!.length);
    await stoppedAndResumed("frozen-stopped", 2, frozen, hooks, start);
    expect(await bytesOf("frozen-stopped")).toEqual(await bytesOf("frozen"));
    // Computed anew they are the same.
    await train("frozen-again", frozen, { featureFolder: at("features-again") }, start);
    expect(await bytesOf("frozen-again")).toEqual(await bytesOf("frozen"));
  });

  test("refuses fewer unlabelled pictures than a batch, before anything is opened", async () => {
    await expect(train("few", { unlabelledBatch: 13 })).rejects.toThrow(
      "12 unlabelled pictures are fewer than one batch, `unlabelledBatch` 13",
    );
    await expect(train("threshold", { threshold: 2 })).rejects.toThrow("`threshold` 2");
    await expect(train("score", { head: "score" })).rejects.toThrow("`head` score: FixMatch needs probabilities");
  });
});
