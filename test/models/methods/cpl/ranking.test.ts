import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RankedSet } from "../../../../models/data/index.ts";
import { resumeCpl, trainCpl } from "../../../../models/methods/cpl/index.ts";
import { type CplOptionsInput, cplOptions } from "../../../../models/methods/cpl/options.ts";
import { rankingLoss } from "../../../../models/methods/parts/label-loss.ts";
import { evaluate } from "../../../../models/metrics/index.ts";
import { heads } from "../../../../models/networks/heads.ts";
import { QualityNetwork, saveModel } from "../../../../models/networks/model.ts";
import {
  type RatedRow,
  type TrainingData,
  type TrainingHooks,
  TrainingInterrupted,
} from "../../../../models/training/training.ts";
import { goldenCases, relativeError, runWithGradients } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { blurredPictures, small } from "../../training/pictures.ts";

test.each(goldenCases("ranking"))("rankingLoss $inputs", async ({ inputs, options, output, gradients }) => {
  const loss = await runWithGradients(await sharedDevice(), inputs, ([logits, margins]) =>
    rankingLoss(heads.distribution.shares(logits!), margins!, options.size),
  );
  expect(relativeError(loss.output, output)).toBeLessThan(1e-5);
  expect(relativeError(loss.gradients[0]!, gradients[0]!)).toBeLessThan(1e-4);
});

const options: CplOptionsInput = {
  ...small,
  stageOneEpochs: 12,
  stageTwoEpochs: 1,
  stageOneBatch: 4,
  rankPairs: 8,
  rankWeight: 10,
  rankMargin: 0.1,
};

let folder = "";
let rows: RatedRow[] = [];
let ranked: RankedSet[] = [];
let data: TrainingData;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-ranking-"));
  rows = await blurredPictures(at("pictures"), 40);
  const part = (remainder: number[]) => rows.filter((_, i) => remainder.includes(i % 5));
  // The scores say nothing: what blur does to quality is in the ranks alone.
  const labelled = part([0]).map((row) => ({ ...row, mos: 50 }));
  data = { labelled, unlabelled: part([1]), test: part([2]), range: [0, 100] };
  const copies = part([3, 4]);
  ranked = Array.from({ length: 4 }, (_, i) => ({
    source: `${i}`,
    pictures: [0, 2, 5].map((level, j) => ({ ...copies[i + 5 * j]!, level })),
  }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function train(name: string, more: Partial<TrainingData>, input: CplOptionsInput = {}, hooks = {}, start = {}) {
  const own = { folder: at(name), ...hooks };
  const result = await trainCpl(await sharedDevice(), { ...data, ...more }, { ...options, ...input }, own, start);
  result.model.dispose();
  return result.progress;
}

const bytesOf = (name: string) => readFile(join(at(name), "model.safetensors"));

/** Stops after so many steps, and goes on. */
async function stoppedAndResumed(name: string, steps: number, input: CplOptionsInput, hooks = {}, start = {}) {
  const stop = new AbortController();
  let seen = 0;
  const progress: TrainingHooks["progress"] = () => ({
    advance: (_amount, note) => {
      if (note?.startsWith("loss") && ++seen === steps) stop.abort();
    },
    stop: () => {},
  });
  const stopped = train(name, { ranked }, input, { ...hooks, signal: stop.signal, progress }, start);
  await expect(stopped).rejects.toThrow(TrainingInterrupted);
  const { model } = await resumeCpl(await sharedDevice(), { folder: at(name), ...hooks });
  model.dispose();
}

/** The order of the test pictures after stage 1, against the true one. */
function srcc({ predictions }: Awaited<ReturnType<typeof train>>) {
  return evaluate(
    predictions.map(({ stageOne }) => stageOne!),
    predictions.map(({ mos }) => mos!),
  ).srcc;
}

describe("training with ranked copies", () => {
  test("learns from their order what the scores do not say, and ends with the same bits after a stop", async () => {
    const with_ = await train("ranked", { ranked });
    expect(srcc(with_)).toBeGreaterThan(0.8);
    const turned = ranked.map(({ source, pictures }) => ({
      source,
      pictures: pictures.map((picture) => ({ ...picture, level: 5 - picture.level })).reverse(),
    }));
    expect(srcc(await train("turned", { ranked: turned }, { stageTwoEpochs: 0 }))).toBeLessThan(-0.8);
    await stoppedAndResumed("stopped", 5, {});
    expect(await bytesOf("stopped")).toEqual(await bytesOf("ranked"));
    expect((await bytesOf("ranked")).toString("latin1")).toContain("4 ranked sets of copies");
  });

  test("with weight 0 is training without them", async () => {
    await train("none", {}, { stageOneEpochs: 2, rankWeight: 0 });
    await train("weightless", { ranked }, { stageOneEpochs: 2, rankWeight: 0 });
    expect(await bytesOf("weightless")).toEqual(await bytesOf("none"));
  });

  test("computes one row of each for frozen sections, and goes on with the same bits", async () => {
    const model = new QualityNetwork(await sharedDevice(), cplOptions(options));
    const fresh = model.tensors().map(({ name }) => name);
    await saveModel(at("start.safetensors"), model, { options: model.options, range: [0, 100], history: [], fresh });
    model.dispose();
    const frozen = { frozen: 3, stageOneEpochs: 3 };
    const hooks = { featureFolder: at("features") };
    const start = { from: at("start.safetensors") };
    await train("frozen", { ranked }, frozen, hooks, start);
    const [prefix] = await readdir(at("features"));
    const copies = ranked.flatMap(({ pictures }) => pictures).length;
    const trained = data.labelled.length + data.unlabelled.length;
    expect(await readdir(join(at("features"), prefix!))).toHaveLength(2 * trained + data.test.length + copies);
    await stoppedAndResumed("frozen-stopped", 5, frozen, hooks, start);
    expect(await bytesOf("frozen-stopped")).toEqual(await bytesOf("frozen"));
  });

  test("leaves out pairs with a broken picture, and names it", async () => {
    const path = at("broken.png");
    await writeFile(path, "no picture");
    const [first, ...others] = ranked;
    const pictures = [...first!.pictures.slice(0, 2), { name: "broken.png", path, level: 5 }];
    const lines: string[] = [];
    const broken = { ranked: [{ source: "0", pictures }, ...others] };
    const found = await train("broken", broken, { stageOneEpochs: 3 }, { log: (line: string) => lines.push(line) });
    expect(lines.filter((line) => line.startsWith("left out: broken.png"))).toHaveLength(1);
    expect(found.losses.every(({ loss }) => Number.isFinite(loss))).toBe(true);
  });

  test("a micro-batch of one picture would part a pair and is refused", async () => {
    await expect(train("odd", { ranked }, { microBatch: 1 })).rejects.toThrow("`microBatch` 1 would part");
  });
});
