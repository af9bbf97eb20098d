import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSafetensors, toFloat32 } from "../../../../engine/weights/safetensors.ts";
import { type KernelRidgeOptionsInput, kernelRidge } from "../../../../models/methods/kernel-ridge/index.ts";
import { resumeTraining, startTraining } from "../../../../models/training/train.ts";
import { checkpointFile, type TrainingData, TrainingInterrupted } from "../../../../models/training/training.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { blurredPictures, divided, small } from "../../training/pictures.ts";
import { stoppedAfter } from "../../training/stopped-after.ts";

const { stageOneBatch: _s, neighbours: _n, levels: _l, ...network } = small;
const common: KernelRidgeOptionsInput = { ...network, labelledBatch: 4, unlabelledBatch: 4 };

let folder = "";
let data: TrainingData;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-ridge-"));
  data = divided(await blurredPictures(at("pictures"), 30));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function train(name: string, options: KernelRidgeOptionsInput, given = data, stopAfter = 0) {
  const logged: string[] = [];
  const hooks = { folder: at(name), ...stoppedAfter(stopAfter), log: (line: string) => logged.push(line) };
  const all = { ...common, ...options };
  const { model, progress } = await startTraining(kernelRidge, await sharedDevice(), given, all, hooks);
  model.dispose();
  return { progress, logged };
}

/** The pseudo-labels in the checkpoint of a run that was stopped. */
async function pseudoIn(name: string) {
  await using file = await openSafetensors(join(at(name), checkpointFile));
  const read = async (tensor: string) => [...toFloat32(await file.read(tensor))];
  return { targets: await read("pseudo.targets"), weights: await read("pseudo.weights") };
}

test("the blur of pictures is told by features of a network that has learnt nothing, and the network learns it", async () => {
  const { progress, logged } = await train("plain", { epochs: 8, head: "score" });
  const [one, ...others] = progress.regressions!;
  expect(others).toEqual([]);
  expect(one!.leftOut.srcc).toBeGreaterThan(0.8);
  expect(one!.quality!.srcc).toBeGreaterThan(0.8);
  expect(one!.quality!.n).toBe(12);
  expect(one!.meanConfidence).toBeGreaterThan(0);
  expect(one!.meanConfidence).toBeLessThanOrEqual(1);
  expect(progress.pseudoLabels.length).toBe(12);
  expect(logged.join("\n")).toMatch(
    /pseudo-labels for epoch 1: width \S+, ridge \S+; labelled pictures left out SRCC 0\.\d+/,
  );
  const tested = progress.results.find((result) => result.name === "kernel ridge")!;
  expect(tested.evaluation.srcc).toBeGreaterThan(0.6);
}, 120_000);

test("goes on after a stop within an epoch with the same pseudo-labels, to the same bits", async () => {
  for (const refresh of ["once", "epoch"] as const) {
    const options = { epochs: 2, refresh, levels: 5 };
    const whole = await train(`${refresh}-whole`, options);
    expect(whole.progress.regressions!.map(({ epoch }) => epoch)).toEqual(refresh === "once" ? [0] : [0, 1]);
    for (const stopAfter of [1, 5]) {
      const name = `${refresh}-${stopAfter}`;
      await expect(train(name, options, data, stopAfter)).rejects.toThrow(TrainingInterrupted);
      const resumed = await resumeTraining(kernelRidge as never, await sharedDevice(), { folder: at(name) });
      resumed.model.dispose();
      const plain = (regressions: object[]) => regressions.map((each) => ({ ...each, seconds: 0, featureSeconds: 0 }));
      expect(plain(resumed.progress.regressions!)).toEqual(plain(whole.progress.regressions!));
      const model = (run: string) => readFile(join(at(run), "model.safetensors"));
      expect(await model(name)).toEqual(await model(`${refresh}-whole`));
    }
  }
}, 120_000);

test("a pseudo-score becomes a label of each head, on the scale, with its weight", async () => {
  const byHead = { score: 1, distribution: 20, classes: 5 } as const;
  const scores: number[][] = [];
  for (const [head, length] of Object.entries(byHead) as [keyof typeof byHead, number][]) {
    const levels = head === "distribution" ? { levels: 20 } : {};
    const options = { head, ...levels, epochs: 1, unlabelledWeight: 0.5, ridge: 1e-4, width: 0.5 };
    await expect(train(head, options, data, 1)).rejects.toThrow(TrainingInterrupted);
    const { targets, weights } = await pseudoIn(head);
    expect(targets.length).toBe(12 * length);
    expect(weights.every((weight) => weight > 0 && weight <= 0.5)).toBe(true);
    const rows = Array.from({ length: 12 }, (_, i) => targets.slice(i * length, (i + 1) * length));
    const expected = rows.map((row) => row.reduce((sum, share, j) => sum + share * j, 0) / Math.max(1, length - 1));
    scores.push(head === "score" ? targets : expected);
    if (head !== "score") for (const row of rows) expect(row.reduce((sum, share) => sum + share)).toBeCloseTo(1, 5);
    if (head === "classes") expect(targets.every((share) => share === 0 || share === 1)).toBe(true);
  }
  const [score, distribution, classes] = scores;
  expect(score!.every((share) => share >= 0 && share <= 1)).toBe(true);
  score!.forEach((share, i) => {
    expect(distribution![i]).toBeCloseTo(share, 4);
    expect(4 * classes![i]!).toBe(Math.min(4, Math.floor(5 * share)));
  });
}, 120_000);

test("weights are 1 when asked for, and a picture that cannot be read has none", async () => {
  const missing = { name: "gone.png", path: at("gone.png"), mos: 50 };
  const given = { ...data, unlabelled: [missing, ...data.unlabelled] };
  const options = { epochs: 1, confidence: "off", kernel: "linear", regressOn: "embedding" } as const;
  await expect(train("gone", options, given, 1)).rejects.toThrow(TrainingInterrupted);
  expect((await pseudoIn("gone")).weights).toEqual([0, ...Array(12).fill(1)]);
}, 120_000);

test("options and data that do not do are refused by name", async () => {
  expect(() => kernelRidge.options({ kernel: "linear", width: 2 })).toThrow(
    "`width` 2: the `kernel` linear has none; leave `width` out",
  );
  expect(() => kernelRidge.options({ head: "classes", loss: "l1" })).toThrow("`loss` l1: a network with the `head`");
  await expect(train("few", { unlabelledBatch: 13 })).rejects.toThrow(
    "12 unlabelled pictures are fewer than one batch",
  );
  const many = { ...data, labelled: Array.from({ length: 3001 }, () => data.labelled[0]!) };
  await expect(train("many", {}, many)).rejects.toThrow(
    "3001 labelled pictures: kernel ridge regression solves for 3000 at most",
  );
});
