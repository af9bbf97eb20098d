import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { disagreement, type SemiIqaOptionsInput, semiIqa } from "../../../../models/methods/semi-iqa/index.ts";
import { openScorer } from "../../../../models/scoring/scorer.ts";
import { resumeTraining, startTraining } from "../../../../models/training/train.ts";
import { type TrainingData, TrainingInterrupted } from "../../../../models/training/training.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { blurredPictures, divided } from "../../training/pictures.ts";
import { stoppedAfter } from "../../training/stopped-after.ts";

const device = await sharedDevice();
const options = {
  ...{ stages: 1, resize: 36, crop: 32, levels: 3, labelledBatch: 8, unlabelledBatch: 6 },
  ...{ epochs: 10, rate: 1e-3, freshRate: 3e-3 },
} satisfies SemiIqaOptionsInput;

let folder = "";
let data: TrainingData;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-semi-iqa-"));
  data = divided(await blurredPictures(at("pictures"), 40));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function train(name: string, more: SemiIqaOptionsInput = {}, hooks: object = {}, given = data) {
  const result = await startTraining(semiIqa, device, given, { ...options, ...more }, { folder: at(name), ...hooks });
  result.model.dispose();
  return result;
}

describe("Semi-IQA", () => {
  test("learns the order of pairs, scores on the scale of the ratings, and says how far its heads disagree", async () => {
    const { progress } = await train("whole");
    const { losses, results, predictions, notes } = progress;
    const mean = (part: typeof losses) => part.reduce((sum, { loss }) => sum + loss, 0) / part.length;
    expect(mean(losses.slice(-4))).toBeLessThan(mean(losses.slice(0, 4)));
    expect(losses.every(({ figures }) => figures![disagreement]! >= -1e-6)).toBe(true);
    const { srcc, rmse } = results.at(-1)!.evaluation;
    expect(srcc).toBeGreaterThan(0.8);
    // The constant predictor has 29.
    expect(rmse).toBeLessThan(20);
    expect(notes!.at(-1)).toMatch(/^scores of pairs put on the scale of the ratings by [\d.]+ q \+ /);
    await using scorer = await openScorer({ model: join(at("whole"), "model.safetensors"), device });
    for (const { path, score, ensembleDeviation } of predictions) {
      const found = await scorer.score(path);
      expect(found.score).toBeCloseTo(score, 3);
      expect(found.ensembleDeviation).toBeCloseTo(ensembleDeviation!, 3);
      expect(ensembleDeviation).toBeGreaterThan(0);
      expect([found.standardDeviation, found.confidence, found.histogram]).toEqual([undefined, undefined, undefined]);
    }
  });

  test("heads disagree more where that is rewarded", async () => {
    const [without, much] = [
      await train("little", { diversityWeight: 1e-9, epochs: 4 }),
      await train("much", { diversityWeight: 1, epochs: 4 }),
    ];
    const last = ({ progress }: typeof much) => progress.losses.at(-1)!.figures![disagreement]!;
    expect(last(much)).toBeGreaterThan(2 * last(without));
  });

  test.each([1, 3, 5])("goes on after a stop at step %d, to the same bits", async (stopAfter) => {
    const short = { epochs: 2, ema: 0.5, pairTarget: "opinions" } as const;
    const given = { ...data, labelled: data.labelled.map((row) => ({ ...row, sd: 10 + row.mos / 10 })) };
    if (stopAfter === 1) await train("short", short, {}, given);
    const name = `stopped-${stopAfter}`;
    await expect(train(name, short, stoppedAfter(stopAfter), given)).rejects.toThrow(TrainingInterrupted);
    (await resumeTraining(semiIqa, device, { folder: at(name) })).model.dispose();
    const [one, two] = await Promise.all(["short", name].map((run) => readFile(join(at(run), "model.safetensors"))));
    expect(two).toEqual(one!);
  });

  test("takes ranked copies, and learns without unlabelled pictures where disagreement counts nothing", async () => {
    const [better, worse] = [data.unlabelled.slice(0, 4), data.unlabelled.slice(8, 12)];
    const ranked = better.map((row, i) => ({
      source: row.name,
      pictures: [row, worse[i]!].map((picture, level) => ({ ...picture, level })),
    }));
    const alone = { ...data, unlabelled: [], ranked };
    const { progress } = await train("alone", { diversityWeight: 0, epochs: 1, rankPairs: 4 }, {}, alone);
    expect(progress.losses.every(({ loss }) => loss > 0 && Number.isFinite(loss))).toBe(true);
  });

  test("refuses data and options that it cannot learn from", async () => {
    const refused = (given: Partial<TrainingData>, more: SemiIqaOptionsInput = {}) =>
      train("refused", more, {}, { ...data, ...given });
    const equal = data.labelled.map((row) => ({ ...row, mos: 50 }));
    await expect(refused({ labelled: equal })).rejects.toThrow("all labelled pictures have the score 50: no pair");
    await expect(refused({ labelled: data.labelled.slice(0, 1) })).rejects.toThrow(
      "at least 2 labelled pictures, found 1",
    );
    await expect(refused({ unlabelled: [] })).rejects.toThrow("0 unlabelled pictures are fewer than one batch");
    await expect(refused({}, { pairTarget: "opinions" })).rejects.toThrow("16 of the labelled pictures, such as 0.png");
    await expect(refused({}, { microBatch: 4 })).rejects.toThrow("draws conclusions from all 14 views");
    expect(() => semiIqa.options({ head: "score" })).toThrow("`head` score: Semi-IQA trains an ensemble");
    expect(semiIqa.options({})).toMatchObject({ head: "ensemble", levels: 8, embedding: 0, rate: 1e-4, epochs: 12 });
  });
});
