import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSplit } from "../../../models/data/index.ts";
import { methods, supervised } from "../../../models/methods/index.ts";
import { labelsByPeople } from "../../../models/methods/parts/batch-labels.ts";
import { trainingReport } from "../../../models/report/training/training-report.ts";
import { runRecord } from "../../../models/training/finish.ts";
import type { Method } from "../../../models/training/method.ts";
import type { TrainingOptions } from "../../../models/training/options.ts";
import { resumeTraining, startTraining } from "../../../models/training/train.ts";
import {
  type RatedRow,
  type TrainingData,
  type TrainingHooks,
  TrainingInterrupted,
} from "../../../models/training/training.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures, divided, small } from "./pictures.ts";
import { stoppedAfter } from "./stopped-after.ts";

const { stageOneBatch: batch, labelledBatch: _l, unlabelledBatch: _u, neighbours: _k, levels: _m, ...network } = small;
const options = { ...network, batch, epochs: 2, head: "classes", levels: 5 } as const;
const device = await sharedDevice();

let folder = "";
let data: TrainingData;
/** Those of the unlabelled part, labelled as another model would. */
let guessed: RatedRow[] = [];
const at = (name: string) => join(folder, name);
const model = (name: string) => readFile(at(`${name}/model.safetensors`));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-pseudo-labels-"));
  data = divided(await blurredPictures(at("pictures"), 40));
  guessed = data.unlabelled.map(({ name, path }, i) => ({
    ...{ name, path, mos: 50, weight: 0.25 + i / 32 },
    label: [0, 0.25, 0.5, 0.25, 0],
  }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function train(name: string, rows: readonly RatedRow[], more: object = {}, hooks: Partial<TrainingHooks> = {}) {
  const parts = { ...data, unlabelled: [], labelled: [...data.labelled, ...rows] };
  return startTraining(supervised, device, parts, { ...options, ...more }, { folder: at(name), ...hooks });
}

test("a training with labels of another model, stopped within an epoch, ends with the same bits; record, report and split count them apart", async () => {
  const whole = await train("whole", guessed);
  const record = runRecord(whole, "with pseudo-labels");
  whole.model.dispose();
  expect(record.parts).toEqual({ labelled: 16, pseudoLabelled: 16, unlabelled: 0, test: 8 });
  expect(await trainingReport(record)).toContain("16 labelled, 16 labelled by another model, 0 unlabelled, 8 test");
  const card = (await model("whole")).toString("latin1");
  expect(card).toContain("supervised: 16 labelled, 16 pseudo-labelled pictures");
  await writeSplit(at("whole"), { ...data, labelled: [...data.labelled, ...guessed], unlabelled: [] }, "x");
  const split = await readFile(at("whole/split.csv"), "utf8");
  expect([split.match(/,labelled,/g)!.length, split.match(/,pseudo-labelled,/g)!.length]).toEqual([16, 16]);
  const stopped = await train("stopped", guessed, {}, stoppedAfter(3)).then(String, (reason) => reason);
  expect(stopped).toBeInstanceOf(TrainingInterrupted);
  (await resumeTraining(supervised, device, { folder: at("stopped") })).model.dispose();
  expect(await model("stopped")).toEqual(await model("whole"));
});

test("labels and weights count: one-hot labels of weight 1 teach what ratings do, to the same bits, others do not", async () => {
  const rated = data.unlabelled as RatedRow[];
  const losses = async (name: string, rows: readonly RatedRow[]) => {
    const trained = await train(name, rows);
    trained.model.dispose();
    return { losses: trained.progress.losses.map(({ loss }) => loss), run: trained.card.run };
  };
  const classOf = (mos: number) => Math.max(0, Math.ceil(mos / 20) - 1);
  const oneHot = ({ mos }: RatedRow) => Array.from({ length: 5 }, (_, i) => (i === classOf(mos) ? 1 : 0));
  const byPeople = await losses("rated", rated);
  const alike = await losses(
    "alike",
    rated.map((row) => ({ ...row, mos: 50, label: oneHot(row), weight: 1 })),
  );
  expect(alike.losses).toEqual(byPeople.losses);
  const light = await losses(
    "light",
    rated.map((row) => ({ ...row, mos: 50, label: oneHot(row), weight: 0.5 })),
  );
  expect(light.losses[0]).toBeLessThan(byPeople.losses[0]!);
  const soft = await losses(
    "soft",
    rated.map((row) => ({ ...row, mos: 50, label: Array(5).fill(0.2), weight: 1 })),
  );
  expect(soft.losses).not.toEqual(byPeople.losses);
  expect(new Set([byPeople, alike, light, soft].map(({ run }) => run)).size).toBe(4);
});

test("range, mean and shares of classes are told of the pictures that people rated alone", async () => {
  const far = guessed.map((row) => ({ ...row, mos: row.mos + 49.999 }));
  const inner = data.labelled.filter(({ mos }) => mos > 20 && mos < 80);
  const parts = { ...data, unlabelled: [], labelled: [...inner, ...far.map((row) => ({ ...row, mos: 50 }))] };
  const trained = await startTraining(
    supervised,
    device,
    parts,
    { ...options, epochs: 1, range: "observed" },
    { folder: at("range") },
  );
  const moss = inner.map(({ mos }) => mos);
  expect(trained.card.range).toEqual([Math.min(...moss), Math.max(...moss)]);
  const record = runRecord(trained, "range");
  trained.model.dispose();
  const mean = moss.reduce((a, b) => a + b) / moss.length;
  const constant = record.results.find(({ name }) => name === "constant predictor")!;
  const errors = data.test.map(({ mos }) => Math.abs(mos - mean));
  expect(constant.evaluation.mae).toBeCloseTo(errors.reduce((a, b) => a + b) / errors.length, 9);
  const labels = Float32Array.from(
    [...inner, ...guessed].flatMap(({ weight }) => (weight === undefined ? [1, 0] : [0, 1])),
  );
  const own = labelsByPeople({ labels, data: { ...data, labelled: [...inner, ...guessed] } } as never);
  expect([...own]).toEqual(inner.flatMap(() => [1, 0]));
});

test("labels and weights that are none are refused with the picture's name", async () => {
  const wrong = (row: Partial<RatedRow>) =>
    train("wrong", [{ ...guessed[0]!, ...row }]).then(String, (error: Error) => error.message);
  const { name } = guessed[0]!;
  expect(await wrong({ label: [0.5, 0.5] })).toContain(`the label of ${name} is [0.5,0.5]; the \`head\` classes`);
  expect(await wrong({ label: [0.5, Number.NaN, 0, 0, 0] })).toContain(`the label of ${name}`);
  for (const weight of [-1, Number.NaN, Number.POSITIVE_INFINITY])
    expect(await wrong({ weight })).toContain(`the weight of ${name} is ${weight}; give a finite number`);
});

const trainingOptionsOf = (method: Method) => method.options({} as never) as TrainingOptions;

/** Those that weigh no labels: a layer in closed form, and encoders that learn without any. */
const weighsNone = ["reiqa", "reiqa-quality", "dbcnn-scnn"];

test.each(methods.filter(({ name }) => !weighsNone.includes(name)).map((method) => [method.name, method] as const))(
  "%s trains on labels of another model",
  async (_, method) => {
    const learnsScores = trainingOptionsOf(method).head === "score";
    const fewer = { stages: 1, embedding: 16, resize: 36, crop: 32, ...(!learnsScores && { levels: 5 }) };
    const batches = {
      cpl: {
        stageOneEpochs: 1,
        stageTwoEpochs: 1,
        stageOneBatch: 8,
        labelledBatch: 4,
        unlabelledBatch: 8,
        neighbours: 5,
      },
      supervised: { epochs: 1, batch: 8 },
      nima: { headEpochs: 1, epochs: 1, batch: 8 },
      dbcnn: { backbone: "resnet18", embedding: undefined, headEpochs: 1, epochs: 1, batch: 8 },
      hyperiqa: {
        ...{ backbone: "resnet18", embedding: undefined, epochs: 1, batch: 8 },
        ...{ cropFrom: "resized", testTiles: 0, trainCrops: 1 },
      },
    }[method.name] ?? { epochs: 1, labelledBatch: 4, unlabelledBatch: 4 };
    const own = guessed.slice(0, 2).map((row) => (learnsScores ? { ...row, label: [0.5] } : row));
    const parts = { ...data, labelled: [...data.labelled, ...own], unlabelled: data.unlabelled.slice(2) };
    const input = method.options({ ...fewer, ...batches } as never) as never;
    const trained = await startTraining(method, device, parts, input, { folder: at(method.name) });
    trained.model.dispose();
    expect(trained.progress.losses.every(({ loss }) => Number.isFinite(loss))).toBe(true);
  },
  60_000,
);

test("Re-IQA, which weighs all labels alike, refuses them", async () => {
  const reIqa = methods.find(({ name }) => name === "reiqa")!;
  const options = reIqa.options({ backbone: "resnet18", stages: 1, resize: 36, crop: 36, frozen: 0 } as never);
  const own = guessed.slice(0, 2).map((row) => ({ ...row, label: [0.5] }));
  const parts = { ...data, labelled: [...data.labelled, ...own] };
  const training = startTraining(reIqa, device, parts, options as never, { folder: at("reiqa") });
  await expect(training).rejects.toThrow("2 pictures that a model labelled: Re-IQA weighs all labels alike");
});
