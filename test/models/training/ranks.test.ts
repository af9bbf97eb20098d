import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { methods } from "../../../models/methods/index.ts";
import { resumeTraining, startTraining } from "../../../models/training/train.ts";
import type { TrainingData } from "../../../models/training/training.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures, divided } from "./pictures.ts";
import { inRanks, type RankJob, weightDifference, withoutMpi } from "./with-ranks.ts";

/** The first stage of a ResNet-18 with its batch norms, from scratch. */
const network = { stages: 1, embedding: 16, resize: 36, crop: 32 };
// Adam divides by the size of a gradient, so that rounding of those near 0 becomes steps; SGD leaves differences as they are. At three
// times this rate a change of the rate by 3e-7 of itself moves the weights of one process by 1.4e-4, and ranks by as much.
const steps = { ...network, optimiser: "sgd", freshRate: 0.003 };
const trainings = {
  supervised: { ...steps, levels: 20, batch: 8, epochs: 10 },
  cpl: {
    ...{ ...steps, levels: 20, neighbours: 5, stageOneBatch: 8, labelledBatch: 4, unlabelledBatch: 8 },
    ...{ stageOneEpochs: 1, stageTwoEpochs: 3 },
  },
  freematch: { ...steps, labelledBatch: 4, unlabelledBatch: 4, epochs: 2 },
  comatch: { ...steps, labelledBatch: 4, unlabelledBatch: 4, epochs: 1, teacher: 0.9 },
};
type Name = keyof typeof trainings;
const names = Object.keys(trainings) as Name[];

describe.skipIf(withoutMpi !== undefined)(`ranks train together${withoutMpi ? ` (${withoutMpi})` : ""}`, () => {
  let folder: string;
  let data: TrainingData;
  let broken: TrainingData;
  const job = (method: Name, place: string, more: Partial<RankJob> = {}): RankJob => ({
    ...{ method, data, options: trainings[method], folder: join(folder, `${method}-${place}`) },
    ...more,
  });
  const model = (method: Name, place: string) => join(folder, `${method}-${place}`, "model.safetensors");

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "acutance-ranks-"));
    data = divided(await blurredPictures(join(folder, "pictures"), 40));
    const text = join(folder, "broken.png");
    await writeFile(text, "no picture");
    broken = { ...data, labelled: data.labelled.map((row, i) => (i === 5 ? { ...row, path: text } : row)) };
    for (const name of names) await alone(name, data, "alone");
    await alone("supervised", broken, "broken-alone");
  });

  async function alone(name: Name, parts: TrainingData, place: string): Promise<void> {
    const method = methods.find((each) => each.name === name)!;
    const hooks = { folder: join(folder, `${name}-${place}`) };
    const { model } = await startTraining(method, await sharedDevice(), parts, trainings[name] as never, hooks);
    model.dispose();
  }

  afterAll(() => rm(folder, { recursive: true }));

  test("one rank has the bits of none", async () => {
    const [outcome] = await inRanks(1, [job("supervised", "one")], folder);
    expect(outcome!.losses).toHaveLength(20);
    expect(await readFile(model("supervised", "one"))).toEqual(await readFile(model("supervised", "alone")));
  });

  test("two ranks agree with one, twice with the same bits, and stop together", async () => {
    const outcomes = await inRanks(
      2,
      [
        ...names.map((name) => job(name, "two")),
        job("cpl", "again"),
        job("cpl", "parts", { stopAfter: 4 }),
        job("supervised", "own", { options: { ...trainings.supervised, normsOver: "own", microBatch: 2, epochs: 1 } }),
        job("supervised", "broken", { data: broken }),
        job("supervised", "differ", { differ: { freshRate: 0.02 } }),
        job("supervised", "nothing", { resume: true }),
      ],
      folder,
    );
    expect(outcomes.slice(0, 5).map(({ losses }) => losses?.length)).toEqual([20, 8, 8, 4, 8]);
    expect(outcomes[1]!.refreshes).toBe(3);
    for (const name of names)
      expect(await weightDifference(model(name, "alone"), model(name, "two"))).toBeLessThan(1e-5);
    expect(await readFile(model("cpl", "again"))).toEqual(await readFile(model("cpl", "two")));
    expect(outcomes[5]).toEqual({ interrupted: true });
    // Other statistics are another training.
    expect(outcomes[6]!.losses).toHaveLength(2);
    expect(outcomes[6]!.losses![1]).not.toBe(outcomes[0]!.losses![1]!);
    // A picture that one rank cannot read is left out by both.
    expect(await weightDifference(model("supervised", "broken-alone"), model("supervised", "broken"))).toBeLessThan(
      1e-5,
    );
    expect(outcomes[8]!.error).toBe("rank 0 and rank 1 differ in the options");
    expect(outcomes[9]!.error).toContain("rank 0 cannot read");
  }, 240_000);

  test("one process goes on where two stopped, and four agree with one", async () => {
    const hooks = { folder: join(folder, "cpl-parts") };
    const resumed = await resumeTraining(methods.find(({ name }) => name === "cpl")!, await sharedDevice(), hooks);
    resumed.model.dispose();
    expect(resumed.progress.losses).toHaveLength(8);
    expect(await weightDifference(model("cpl", "alone"), model("cpl", "parts"))).toBeLessThan(1e-5);
    const [outcome] = await inRanks(4, [job("supervised", "four")], folder);
    expect(outcome!.losses).toHaveLength(20);
    expect(await weightDifference(model("supervised", "alone"), model("supervised", "four"))).toBeLessThan(1e-5);
  }, 240_000);
});
