import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { methods } from "../../../models/methods/index.ts";
import { startTraining } from "../../../models/training/train.ts";
import type { TrainingData } from "../../../models/training/training.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures, divided } from "./pictures.ts";
import { inRanks, type RankJob, weightDifference, withoutMpi } from "./with-ranks.ts";

/** The first stage of a ResNet-18 with its batch norms, from scratch. */
const network = { stages: 1, embedding: 16, resize: 36, crop: 32 };
// Adam divides by the size of a gradient, so that rounding of those near 0 becomes steps; SGD leaves differences as they are.
const trainings = {
  supervised: { ...network, levels: 20, optimiser: "sgd", freshRate: 0.01, batch: 8, epochs: 10 },
  cpl: {
    ...{ ...network, levels: 20, optimiser: "sgd", freshRate: 0.01, neighbours: 5 },
    ...{ stageOneBatch: 8, labelledBatch: 4, unlabelledBatch: 8, stageOneEpochs: 2, stageTwoEpochs: 8 },
  },
  freematch: { ...network, optimiser: "sgd", freshRate: 0.01, labelledBatch: 4, unlabelledBatch: 4, epochs: 2 },
  comatch: {
    ...network,
    optimiser: "sgd",
    freshRate: 0.01,
    labelledBatch: 4,
    unlabelledBatch: 4,
    epochs: 2,
    teacher: 0.9,
  },
};
type Name = keyof typeof trainings;
const names = Object.keys(trainings) as Name[];

describe.skipIf(withoutMpi !== undefined)(`ranks train together${withoutMpi ? ` (${withoutMpi})` : ""}`, () => {
  let folder: string;
  let data: TrainingData;
  const job = (method: Name, place: string, more: Partial<RankJob> = {}): RankJob => ({
    ...{ method, data, options: trainings[method], folder: join(folder, `${method}-${place}`) },
    ...more,
  });
  const model = (method: Name, place: string) => join(folder, `${method}-${place}`, "model.safetensors");

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "acutance-ranks-"));
    data = divided(await blurredPictures(join(folder, "pictures"), 40));
    const device = await sharedDevice();
    for (const name of names) {
      const method = methods.find((each) => each.name === name)!;
      const alone = await startTraining(method, device, data, trainings[name] as never, {
        folder: join(folder, `${name}-alone`),
      });
      alone.model.dispose();
    }
  });

  afterAll(() => rm(folder, { recursive: true }));

  test("one rank has the bits of none; an interrupted one goes on to the bits of an uninterrupted one", async () => {
    const [outcome, stopped] = await inRanks(
      1,
      [job("supervised", "one"), job("supervised", "stopped", { stopAfter: 7 })],
      folder,
    );
    expect(outcome!.losses).toHaveLength(20);
    expect(stopped!.interrupted).toBe(true);
    expect(await readFile(model("supervised", "one"))).toEqual(await readFile(model("supervised", "alone")));
  });

  test("two ranks agree with one, twice with the same bits, and stop together", async () => {
    const outcomes = await inRanks(
      2,
      [
        ...names.map((name) => job(name, "two")),
        job("cpl", "again"),
        job("cpl", "parts", { stopAfter: 9 }),
        job("supervised", "own", { options: { ...trainings.supervised, normsOver: "own", microBatch: 2 } }),
        job("supervised", "differ", { differ: { freshRate: 0.02 } }),
        job("supervised", "data", { resume: true, folder: join(folder, "nothing") }),
      ],
      folder,
    );
    expect(outcomes.slice(0, 5).map(({ losses }) => losses?.length)).toEqual([20, 20, 8, 8, 20]);
    expect(outcomes[1]!.refreshes).toBe(8);
    for (const name of names)
      expect(await weightDifference(model(name, "alone"), model(name, "two"))).toBeLessThan(1e-5);
    expect(await readFile(model("cpl", "again"))).toEqual(await readFile(model("cpl", "two")));
    expect(outcomes[5]).toEqual({ interrupted: true });
    // Other statistics are another training.
    expect(outcomes[6]!.losses).toHaveLength(20);
    expect(await weightDifference(model("supervised", "alone"), model("supervised", "own"))).toBeGreaterThan(1e-4);
    expect(outcomes[7]!.error).toBe("rank 0 and rank 1 differ in the options");
    expect(outcomes[8]!.error).toContain("no such file");
  }, 240_000);

  test("four ranks agree with one, and with two where those stopped", async () => {
    const outcomes = await inRanks(
      4,
      [job("supervised", "four"), job("cpl", "parts", { resume: true }), job("cpl", "four")],
      folder,
    );
    expect(outcomes.map(({ losses }) => losses?.length)).toEqual([20, 20, 20]);
    for (const [name, place] of [
      ["supervised", "four"],
      ["cpl", "four"],
      ["cpl", "parts"],
    ] as const)
      expect(await weightDifference(model(name, "alone"), model(name, place))).toBeLessThan(1e-5);
  }, 240_000);
});
