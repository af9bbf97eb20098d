import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { Experiment, runExperiment, variantsOf } from "../../../models/experiments/index.ts";
import { ownChanges, settingNames } from "../../../models/experiments/settings.ts";
import { cpl } from "../../../models/methods/cpl/index.ts";
import { methods } from "../../../models/methods/index.ts";
import { phaseOptions } from "../../../models/training/phase-options.ts";
import { startTraining } from "../../../models/training/train.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures, divided } from "../training/pictures.ts";
import { recipeOf, small, writePictures } from "./recipe.ts";

let folder = "";
let data: Awaited<ReturnType<typeof writePictures>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-methods-"));
  data = await writePictures(join(folder, "pictures"), 25);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const quick = { ...small, stageOneEpochs: 1, stageTwoEpochs: 1 };
const alone = { method: "supervised", epochs: 1, batch: 4 };
const nothing = { advance: () => {}, stop: () => {} };

/** A recipe's trainings, the keys of each run in their order. */
async function keysOf(said: Record<string, unknown>): Promise<string[][]> {
  const recipe = recipeOf({ data, seeds: [1], ...said });
  using experiment = await Experiment.open(recipe, join(folder, "keys"), await sharedDevice(), {});
  return experiment.plan.runs.map(({ trainings }) => trainings.map(({ key }) => key));
}

/** A value of an option that is not its default. */
function anotherValue(field: z.ZodType): unknown {
  const value = field.parse(undefined);
  if (typeof value === "boolean") return !value;
  if (typeof value === "number") return Number.isInteger(value) ? value + 1 : value / 2;
  return (z.toJSONSchema(field).enum as unknown[]).findLast((other) => other !== value);
}

describe("a recipe of another method", () => {
  test("trains it in its own phases", async () => {
    const bars: string[] = [];
    const progress = (label: string) => {
      bars.push(label);
      return nothing;
    };
    const recipe = recipeOf({
      data,
      seeds: [1],
      base: { ...ownChanges(small, "supervised"), ...alone },
      grid: { batch: [4, 2] },
    });
    const store = join(folder, "supervised");
    const { record, failed } = await runExperiment(recipe, store, await sharedDevice(), { progress });
    expect(failed).toBe(0);
    expect(record.variants.map(({ name }) => name)).toEqual(["batch 4", "batch 2"]);
    for (const { runs, settings } of record.variants) {
      expect(settings).toMatchObject({ method: "supervised", epochs: 1 });
      expect(settings).not.toHaveProperty("gamma");
      expect(runs[0]!.trainings.map(({ stage }) => stage)).toEqual([1]);
      expect(runs[0]!.parts).toMatchObject({ labelled: 5, unlabelled: 15, test: 5 });
      expect(runs[0]!.results.map(({ part }) => part)).toEqual(["test"]);
      expect(runs[0]!.losses.length).toBeGreaterThan(0);
    }
    const [phase] = methods.find(({ name }) => name === "supervised")!.phases(recipe.base as never);
    expect(bars.slice(1)).toEqual([
      `1 of 2: batch 4, seed 1, ${phase!.name}`,
      `2 of 2: batch 2, seed 1, ${phase!.name}`,
    ]);
    const database = new DatabaseSync(join(store, "results.sqlite"));
    expect(database.prepare("SELECT DISTINCT method FROM trainings").all()).toEqual([{ method: "supervised" }]);
    const listed = database.prepare("SELECT trainings FROM runs ORDER BY position").all();
    expect(listed.map(({ trainings }) => JSON.parse(String(trainings)))).toEqual(
      record.variants.map(({ runs }) => runs[0]!.trainings.map(({ key }) => key)),
    );
    database.close();
  });

  test("stands beside others in one table", async () => {
    const recipe = recipeOf({
      data,
      seeds: [1],
      base: quick,
      vary: [
        { name: "CPL-IQA" },
        { name: "supervised", ...alone },
        { name: "FixMatch", method: "fixmatch", epochs: 1 },
      ],
    });
    const { record, failed } = await runExperiment(recipe, join(folder, "beside"), await sharedDevice());
    expect(failed).toBe(0);
    expect(record.variants.map(({ settings }) => settings["method"])).toEqual(["cpl", "supervised", "fixmatch"]);
    const [both, one, classes] = record.variants.map(({ runs }) => runs[0]!);
    expect(both!.trainings.map(({ stage }) => stage)).toEqual([1, 2]);
    expect(one!.trainings.map(({ stage }) => stage)).toEqual([1]);
    expect(record.variants[2]!.settings).toMatchObject({ head: "classes", labelledBatch: quick.labelledBatch });
    expect(classes!.losses.every(({ figures }) => figures!["share of pseudo-labels taken"]! >= 0)).toBe(true);
    expect(one!.losses.some(({ figures }) => figures)).toBe(false);
    const { difference } = record.variants[1]!.summary.find(({ part }) => part === "test")!;
    expect(difference!.srcc.n).toBe(1);
    expect(both!.predictions!.map(({ name }) => name).sort()).toEqual(one!.predictions!.map(({ name }) => name).sort());
  });

  test("is one of a grid, in which every method has the settings that it has options for", () => {
    const recipe = recipeOf({
      base: quick,
      grid: { method: ["cpl", "supervised"], gamma: [0.5, 0.9], levels: [10, 20] },
    });
    const variants = variantsOf(recipe);
    expect(variants.map(({ name }) => name)).toEqual([
      "cpl, gamma 0.5, levels 10",
      "cpl, gamma 0.5, levels 20",
      "cpl, gamma 0.9, levels 10",
      "cpl, gamma 0.9, levels 20",
      "supervised, levels 10",
      "supervised, levels 20",
    ]);
    expect(variants.map(({ settings }) => settings["gamma"])).toEqual([0.5, 0.5, 0.9, 0.9, undefined, undefined]);
    expect(variants.at(-1)!.settings).toMatchObject({ method: "supervised", embedding: quick.embedding, epochs: 5 });
  });

  test("may set every option of its own but the seed", () => {
    for (const { name, schema } of methods) {
      const expected = [...Object.keys(schema.shape).filter((option) => option !== "seed"), "method", "ratio"];
      expect(settingNames(name)).toEqual(expect.arrayContaining(expected));
      expect(settingNames(name)).not.toContain("seed");
    }
  });

  test.each([
    [{ vary: [{}, { method: "supervised", gamma: 0.5 }] }, "vary[1].gamma: supervised has no such option"],
    [{ vary: [{ method: "supervised", epoch: 5 }] }, "vary[0].epoch: there is no such key; did you mean epochs?"],
    [{ vary: [{ method: "supervised", stageOneBatch: 5 }] }, "vary[0].stageOneBatch: supervised has no such option"],
    [{ base: { method: "supervised", labelledBatch: 5 } }, "base.labelledBatch: supervised has no such option"],
    [{ base: { method: "supervised", flipp: true } }, "base.flipp: there is no such key; did you mean flip?"],
    [{ base: { method: "supervised", epocs: 5 } }, "base.epocs: there is no such key; did you mean epochs?"],
    [{ base: { stageOneEpoch: 5 } }, "base.stageOneEpoch: there is no such key; did you mean stageOneEpochs?"],
    [{ base: { epochs: 5 } }, "base.epochs: cpl has no such option"],
    [{ grid: { method: ["supervised"], gamma: [0.5] } }, "grid.gamma: supervised has no such option"],
    [{ base: { method: "supervise", epocs: 5 } }, "base.epocs: there is no such key; did you mean epochs?"],
    [{ base: { method: 3, gama: 5 } }, "base.gama: there is no such key; did you mean gamma?"],
    [{ base: { gama: 5 }, grid: null, vary: null }, "base.gama: there is no such key; did you mean gamma?"],
    [{ base: "words", vary: ["word", { gama: 5 }] }, "vary[1].gama: there is no such key; did you mean gamma?"],
    [{ grid: { method: "supervised", gama: [5] } }, "grid.gama: there is no such key; did you mean gamma?"],
    [{ base: { head: "score" }, vary: [{ method: "fixmatch", threshold: 2 }] }, "vary[0].threshold: Too big"],
    [{ base: { method: "supervise" } }, 'base.method: Invalid option: expected one of "cpl"|"supervised"'],
  ])("%j is refused by name", (said, message) => {
    expect(() => recipeOf(said)).toThrow(message);
  });

  test("an option of base may be of one method alone", () => {
    const recipe = recipeOf({
      base: { gamma: 0.5, epochs: 2 },
      vary: [{ name: "a" }, { name: "b", method: "supervised" }],
    });
    expect(variantsOf(recipe).map(({ settings: { gamma, epochs } }) => [gamma, epochs])).toEqual([
      [0.5, undefined],
      [undefined, 2],
    ]);
  });
});

/** Methods of several phases. */
const inPhases = methods.filter((method) => method.phases(method.options({} as never)).length > 1);

describe("a phase that was trained before", () => {
  test("is used again when options of a later one change, and not when its own do", async () => {
    const later = [
      { gamma: 0.5 },
      { neighbours: 3 },
      { refresh: "once" },
      { target: "one-hot" },
      { lossDivision: "parts" },
      { stageTwoEpochs: 3 },
      { labelledBatch: 3 },
      { stageTwoEpoch: "labelled" },
    ];
    const earlier = [{ stageOneEpochs: 2 }, { stageOneBatch: 2 }, { loss: "emd" }, { levels: 10 }, { rate: 1e-3 }];
    const named = (rows: readonly object[]) => rows.map((row, i) => ({ name: `${i}`, ...row }));
    const [first, ...others] = await keysOf({
      base: quick,
      vary: [{ name: "plain" }, ...named([...later, ...earlier])],
    });
    expect(first).toHaveLength(2);
    for (const [i, keys] of others.entries()) {
      if (i < later.length) expect(keys[0]).toBe(first![0]!);
      else expect(keys[0]).not.toBe(first![0]!);
      expect(keys[1]).not.toBe(first![1]!);
    }
    expect(new Set(others.map(([, two]) => two)).size).toBe(others.length);
  });

  test("of another method is another training, even where all options are equal", async () => {
    const own = { ...small, stageTwoEpochs: 0, stageOneEpochs: 1 };
    const [[stage], [training]] = (await keysOf({ base: own, vary: [{ name: "a" }, { name: "b", ...alone }] })) as [
      [string],
      [string],
    ];
    expect(stage).not.toBe(training);
  });

  test("has the options of its own, and the defaults of those that only others name", () => {
    const given = { ...quick, gamma: 0.5, stageOneBatch: 6, labelledBatch: 3, levels: 10 };
    const options = cpl.options(given as never);
    const defaults = cpl.options({});
    const [one, two] = [0, 1].map((index) => phaseOptions(cpl, options, index) as typeof options);
    const { gamma, labelledBatch, stageOneBatch } = defaults;
    expect(one).toMatchObject({ gamma, labelledBatch, stageOneBatch: 6, levels: 10, stageTwoEpochs: 0 });
    expect(two).toMatchObject({ gamma: 0.5, labelledBatch: 3, stageOneBatch, levels: 10, stageOneEpochs: 0 });
  });

  test.each(inPhases.map((method) => [method.name, method] as const))(
    "%s: what only others name changes no bit of a phase",
    async (name, method) => {
      const small = { ...ownChanges(quick, name), seed: 1 };
      const learnsScores = method.options({} as never).head === "score";
      const ofScores = { levels: undefined, embedding: undefined, backbone: "resnet18", headEpochs: 1, epochs: 1 };
      const options = method.options({ ...small, ...(learnsScores && ofScores) } as never);
      const rows = await blurredPictures(join(folder, "parts"), 15);
      for (const [index, phase] of method.phases(options).entries()) {
        const own = phaseOptions(method, options, index);
        const others = method.phases(options).filter((_, i) => i !== index);
        const names = new Set(others.flatMap((other) => [...other.batchOptions, ...(other.options ?? [])]));
        for (const each of [...phase.batchOptions, ...(phase.options ?? [])]) names.delete(each);
        const changed = Object.fromEntries([...names].map((each) => [each, anotherValue(method.schema.shape[each]!)]));
        const weights = [];
        for (const [i, given] of [own, { ...own, ...changed }].entries()) {
          const out = join(folder, `${name}-${index}-${i}`);
          const result = await startTraining(method, await sharedDevice(), divided(rows), given as never, {
            folder: out,
          });
          weights.push(await Promise.all(result.model.tensors().map(({ tensor }) => tensor.read())));
          result.model.dispose();
        }
        expect(weights[1]).toEqual(weights[0]!);
      }
    },
  );

  test.each(methods.map((method) => [method.name, method] as const))("%s names options that it has", (_, method) => {
    const common = new Set(Object.keys(method.schema.shape));
    const phases = method.phases(method.options({} as never));
    if (phases.length === 1) expect(phases[0]!.name).toBe(method.title);
    for (const phase of phases) {
      const { epochsOption } = phase;
      for (const name of [...(epochsOption ? [epochsOption] : []), ...phase.batchOptions, ...(phase.options ?? [])]) {
        expect(common).toContain(name);
        expect(method.schema.shape[name]).toBeInstanceOf(z.ZodDefault);
      }
      if (epochsOption) expect(phase.epochs).toBe(method.options({} as never)[epochsOption as never]);
    }
  });
});
