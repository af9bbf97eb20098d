import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSafetensors, toFloat32 } from "../../../../engine/weights/safetensors.ts";
import { taken } from "../../../../models/methods/parts/consistency.ts";
import { type RankUpOptionsInput, rankUp } from "../../../../models/methods/rankup/index.ts";
import { inOrder } from "../../../../models/methods/rankup/pairs.ts";
import { distance } from "../../../../models/methods/rankup/rank-alignment.ts";
import { resumeTraining, startTraining } from "../../../../models/training/train.ts";
import { checkpointFile, type TrainingData, TrainingInterrupted } from "../../../../models/training/training.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { blurredPictures, divided, small } from "../../training/pictures.ts";

const { stageOneBatch: _s, neighbours: _n, levels: _l, ...network } = small;
const common: RankUpOptionsInput = {
  ...network,
  ...{ labelledBatch: 6, unlabelledBatch: 6, rate: 3e-3, freshRate: 1e-2, layerDecay: 1, threshold: 0.6 },
};

let folder = "";
let data: TrainingData;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-rankup-"));
  data = divided(await blurredPictures(at("pictures"), 30));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function train(name: string, options: RankUpOptionsInput, given = data, signal?: AbortSignal, tune?: () => void) {
  const hooks = { folder: at(name), ...(signal && { signal }), tune: async () => tune?.() };
  const { model, progress } = await startTraining(
    rankUp,
    await sharedDevice(),
    given,
    { ...common, ...options },
    hooks,
  );
  model.dispose();
  return progress;
}

function stopping(after: number) {
  const stop = new AbortController();
  let seen = 0;
  const tune = () => {
    if (++seen === after) stop.abort();
  };
  return { signal: stop.signal, tune };
}

test("goes on after a stop within the second epoch, with the scores and what their ranks made of them, to the same bits", async () => {
  const options = { epochs: 3, rdaEvery: 3, rdaRamp: 0.5 };
  const whole = await train("whole", options);
  expect(whole.losses.length).toBe(6);
  const figures = whole.losses.map((each) => each.figures!);
  expect(figures.slice(0, 2).map((each) => each[distance])).toEqual([0, 0]);
  expect(figures.slice(2).every((each) => each[distance]! > 0 && each[inOrder]! > 0)).toBe(true);
  expect(Math.max(...figures.map((each) => each[taken]!))).toBeGreaterThan(0);
  const { signal, tune } = stopping(3);
  await expect(train("stopped", options, data, signal, tune)).rejects.toThrow(TrainingInterrupted);
  await using file = await openSafetensors(join(at("stopped"), checkpointFile));
  const read = async (name: string) => [...toFloat32(await file.read(name))];
  expect((await read("rankup.aligned")).every((score) => score >= 0 && score <= 1)).toBe(true);
  expect(await read("rankup.alignedStep")).toEqual([2]);
  expect((await read("rankup.scores")).filter((_, i) => i % 2 === 1)).toEqual(Array(12).fill(1));
  expect(file.tensors.get("arc.0.weight")!.shape).toEqual([2, 16]);
  (await resumeTraining(rankUp as never, await sharedDevice(), { folder: at("stopped") })).model.dispose();
  const model = (name: string) => readFile(join(at(name), "model.safetensors"));
  expect(await model("stopped")).toEqual(await model("whole"));
}, 120_000);

test("learns the order of the labels, and of labels that are reversed the reverse", async () => {
  const options: RankUpOptionsInput = { epochs: 12, rdaRamp: 0.4 };
  const reversed = { ...data, labelled: data.labelled.map((row) => ({ ...row, mos: 100 - row.mos })) };
  for (const [name, given, sign] of [
    ["order", data, 1],
    ["reverse", reversed, -1],
  ] as const) {
    const progress = await train(name, options, given);
    const own = progress.results.find((result) => result.name === "RankUp")!;
    expect(sign * own.evaluation.srcc!).toBeGreaterThan(0.8);
    const last = progress.losses.slice(-4).map(({ figures }) => figures![inOrder]!);
    expect(last.reduce((sum, share) => sum + share, 0) / 4).toBeGreaterThan(0.8);
  }
}, 120_000);

test("is off by its weights, and refuses classes, which have no order within them", async () => {
  const still = { epochs: 2, optimiser: "sgd", rate: 1e-30, freshRate: 1e-30, layerDecay: 1 } as const;
  const labelsAlone = await train("off", { ...still, arcWeight: 0, rdaWeight: 0 });
  const withPairs = await train("pairs", { ...still, rdaWeight: 0, threshold: 1 });
  const doubled = await train("doubled", { ...still, arcWeight: 0.4, rdaWeight: 0, threshold: 1 });
  expect(distance in labelsAlone.losses[0]!.figures!).toBe(false);
  for (const [i, { loss }] of labelsAlone.losses.entries()) {
    // A ranking head that knows nothing: about ln 2 for a pair.
    const added = withPairs.losses[i]!.loss - loss;
    expect(added / (0.2 * Math.LN2)).toBeGreaterThan(0.6);
    expect(added / (0.2 * Math.LN2)).toBeLessThan(1.6);
    expect(doubled.losses[i]!.loss - loss).toBeCloseTo(2 * added, 5);
  }
  expect(() => rankUp.options({ head: "classes" })).toThrow(
    "`head` classes: RankUp learns scores, and classes have no order within them; give score or distribution",
  );
  expect(rankUp.options({})).toMatchObject({
    head: "score",
    loss: "l1",
    arcWeight: 0.2,
    threshold: 0.95,
    rdaWeight: 1,
  });
  expect(rankUp.options({ head: "distribution" })).toMatchObject({ loss: "cross-entropy", levels: 100 });
});
