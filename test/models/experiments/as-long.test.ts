import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { builtInRecipes, Experiment, runExperiment, variantsOf } from "../../../models/experiments/index.ts";
import type { PlannedRun } from "../../../models/experiments/plan.ts";
import { planEpoch } from "../../../models/training/batches.ts";
import { sharedDevice } from "../../engine/device.ts";
import { recipeOf, writePictures } from "./recipe.ts";

const device = await sharedDevice();
let folder = "";
let data: Awaited<ReturnType<typeof writePictures>>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-as-long-"));
  data = await writePictures(join(folder, "pictures"), 40);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const network = { stages: 1, embedding: 16, levels: 20, resize: 36, crop: 32, neighbours: 3 };
const batches = { stageOneBatch: 4, labelledBatch: 2, unlabelledBatch: 6, stageOneEpochs: 3, stageTwoEpochs: 2 };
const both = { name: "both" };
const control = { name: "control", stageTwoEpochs: 0, asLongAs: "both" };

const recipe = (vary: readonly object[], base: object = {}) =>
  recipeOf({ data, seeds: [1, 2], base: { ...network, ...batches, ratio: "1:3:1", ...base }, vary });

async function planned(vary: readonly object[], base: object = {}): Promise<readonly PlannedRun[]> {
  using experiment = await Experiment.open(recipe(vary, base), join(folder, "plans"), device, {});
  return experiment.plan.runs;
}

/** Pictures that a run takes through the network, and those of the last epoch of its first phase. */
function pictures({ trainings }: PlannedRun) {
  const inEpoch = trainings.map(({ phase, stage, data, options }) =>
    Array.from({ length: phase.epochs }, (_, i) => planEpoch({ ...phase, stage }, i, data, options).flat().length),
  );
  return { all: inEpoch.flat().reduce((a, b) => a + b, 0), epoch: inEpoch[0]!.at(-1)! };
}

describe("a variant that trains as long as another", () => {
  test.each([
    ["two stages", {}],
    ["an epoch that drops a rest", { stageOneBatch: 7 }],
    ["a stage 2 as long as the labelled pictures", { stageTwoEpoch: "labelled" }],
    ["crops of each picture", { trainCrops: 3, cropFrom: "original" }],
  ])("sees as many pictures, or a part of an epoch more: %s", async (_, base) => {
    const runs = await planned([both, control], base);
    for (const seed of [1, 2]) {
      const of = (name: string) =>
        pictures(runs.find(({ variant, repeat }) => variant.name === name && repeat.split === seed)!);
      const [goal, own] = [of("both"), of("control")];
      expect(own.all).toBeGreaterThanOrEqual(goal.all);
      expect(own.all - own.epoch).toBeLessThan(goal.all);
    }
  });

  test("whatever the method and wherever it stands; its epochs are told", async () => {
    const supervised = { name: "supervised", method: "supervised", batch: 4, asLongAs: "FixMatch" };
    const fixMatch = { name: "FixMatch", method: "fixmatch", epochs: 2, labelledBatch: 2, unlabelledBatch: 2 };
    const [first, second] = await planned([supervised, fixMatch, both]);
    const [own, goal] = [pictures(first!), pictures(second!)];
    expect(own.all).toBeGreaterThanOrEqual(goal.all);
    expect(own.all - own.epoch).toBeLessThan(goal.all);
    const { epochs } = first!.trainings[0]!.phase;
    expect(first!.notes).toContain(`supervised has ${epochs} epochs, to be as long as "FixMatch"`);
    // Two views of an unlabelled picture are two pictures.
    expect(goal.all).toBe(2 * Math.ceil(second!.data.unlabelled.length / 2) * 6);
  });

  test("where stage 2 is left out for want of unlabelled pictures", async () => {
    const runs = await planned([both, { name: "none", unlabelledShare: 0, asLongAs: "both" }]);
    expect(runs[1]!.trainings).toHaveLength(1);
    expect(pictures(runs[1]!).all).toBeGreaterThanOrEqual(pictures(runs[0]!).all);
  });

  test("has a key of its own, and trains", async () => {
    const plain = { name: "control", stageTwoEpochs: 0 };
    const keys = [await planned([both, control]), await planned([both, plain])].map(
      (runs) => runs[1]!.trainings[0]!.key,
    );
    expect(keys[0]).not.toBe(keys[1]);
    const one = { ...recipe([both, control], { stageOneEpochs: 1, stageTwoEpochs: 1 }), seeds: [1] };
    const { record, failed } = await runExperiment(one, join(folder, "store"), device, {});
    expect(failed).toBe(0);
    const run = record.variants[1]!.runs[0]!;
    expect(run.results.filter(({ part }) => part === "test").map(({ stage }) => stage)).toEqual([1]);
    expect(run.notes.join()).toContain('to be as long as "both"');
  });

  test("is refused where there is no such variant, in a circle, and with two phases of its own", async () => {
    const message = (vary: readonly object[]) =>
      planned(vary).then(
        () => "nothing",
        (error: Error) => error.message,
      );
    expect(await message([both, { ...control, asLongAs: "bth" }])).toContain(
      'variant "control": asLongAs "bth": there is no such variant; there are: both; control',
    );
    expect(await message([{ ...control, asLongAs: "control" }])).toContain("no variant can be as long as itself");
    const circle = [
      { name: "a", stageTwoEpochs: 0, asLongAs: "b" },
      { name: "b", stageTwoEpochs: 0, asLongAs: "a" },
    ];
    expect(await message(circle)).toContain("no variant can be as long as itself");
    expect(await message([both, { name: "two", asLongAs: "both" }])).toContain(
      "it says how long one phase is, and this variant has stage 1 and stage 2; give the others no epochs",
    );
  });
});

test("every recipe that comes along and has a row of stage 1 alone beside both stages has one that trains as long", async () => {
  const compared: string[] = [];
  for (const each of await builtInRecipes()) {
    const variants = variantsOf(each).filter(({ settings }) => settings.method === "cpl");
    const alone = variants.filter(
      ({ settings }) =>
        settings["stageTwoEpochs"] === 0 || settings.unlabelledShare + settings.moreUnlabelled.length === 0,
    );
    if (alone.length === 0 || alone.length === variants.length) continue;
    compared.push(each.name);
    // With all pictures labelled there are no two stages to compare with.
    const own = alone.filter(({ name }) => name !== "supervised only, all labels");
    const long = own.filter(({ settings }) => settings.asLongAs !== "").length;
    // Two may be as long as stage 2 of unlike lengths.
    expect(long, each.name).toBeGreaterThanOrEqual(own.length - long);
  }
  expect(compared).toContain("main");
  expect(compared.length).toBeGreaterThanOrEqual(9);
});
