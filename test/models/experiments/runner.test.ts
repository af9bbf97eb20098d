import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { CplModel, saveModel } from "../../../models/cpl/model.ts";
import { cplOptions } from "../../../models/cpl/options.ts";
import { degradeFolder } from "../../../models/data/degrade.ts";
import { ExperimentInterrupted, runExperiment } from "../../../models/experiments/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { recipeOf, small, writePictures } from "./recipe.ts";

let folder = "";
let data: Awaited<ReturnType<typeof writePictures>>;
let other: Awaited<ReturnType<typeof writePictures>>;
const store = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-runner-"));
  data = await writePictures(join(folder, "pictures"), 25);
  other = await writePictures(join(folder, "other"), 8);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const quick = { ...small, stageOneEpochs: 1, stageTwoEpochs: 1 };

describe("degraded copies in a recipe", () => {
  test("are trained on as labelled pictures of their weight; without them the keys are those of a recipe without", async () => {
    const device = await sharedDevice();
    const degraded = join(folder, "degraded");
    await degradeFolder(device, data.folder, degraded, { kinds: ["gaussian-blur"], perPicture: 2 });
    const recipe = recipeOf({
      data: { ...data, degraded },
      seeds: [1],
      base: { ...quick, stageTwoEpochs: 0 },
      vary: [{ name: "copies" }, { name: "lighter", degradedWeight: 0.05 }, { name: "without", degradedWeight: 0 }],
    });
    const { record } = await runExperiment(recipe, store("copies"), device);
    const [copies, lighter, without] = record.variants.map(({ runs }) => runs[0]!);
    expect(copies!.parts).toMatchObject({ labelled: 5, copies: 10, test: 5 });
    expect(without!.parts).toMatchObject({ labelled: 5, test: 5 });
    expect(without!.parts.copies).toBeUndefined();
    // 15 pictures in batches of 4, and 5.
    expect([copies, lighter, without].map((run) => run!.losses.length)).toEqual([4, 4, 1]);
    expect(new Set(record.variants.map(({ runs }) => runs[0]!.trainings[0]!.key)).size).toBe(3);
    expect(copies!.losses).not.toEqual(lighter!.losses);
    const plain = { ...recipeOf({ data, seeds: [1], base: { ...quick, stageTwoEpochs: 0 } }), name: "plain" };
    const again = await runExperiment(plain, store("copies"), device);
    expect(again.record.variants[0]!.runs[0]!.trainings[0]).toMatchObject({
      key: without!.trainings[0]!.key,
      cached: true,
    });
    const card = await readFile(join(store("copies"), copies!.trainings[0]!.folder, "stage1.safetensors"), "latin1");
    expect(card).toContain("10 degraded copies");
  });
});

describe("what is on record", () => {
  test("models that were removed are made again from stage 1 on when a further data set is to be scored", async () => {
    const device = await sharedDevice();
    const recipe = recipeOf({ data, seeds: [1], base: quick });
    const first = await runExperiment(recipe, store("removed"), device);
    const trainings = join(store("removed"), "trainings");
    for (const one of await readdir(trainings)) await rm(join(trainings, one), { recursive: true });
    const { record, failed } = await runExperiment({ ...recipe, crossData: { other } }, store("removed"), device);
    expect(failed).toBe(0);
    const results = (one: typeof record) => one.variants[0]!.runs[0]!.results.filter(({ part }) => part === "test");
    expect(results(record)).toEqual(results(first.record));
    expect(record.parts).toEqual(["test", "other"]);
  });

  test("scores of stage 1 are there only when there was a stage 1", async () => {
    const device = await sharedDevice();
    const model = new CplModel(device, cplOptions({ stages: 1, embedding: 8, levels: 10 }));
    const card = { range: [0, 100] as const, history: [], fresh: [], options: model.options };
    await saveModel(join(folder, "start.safetensors"), model, card);
    model.dispose();
    const base = { ...quick, stageOneEpochs: 0, init: join(folder, "start.safetensors") };
    const { record } = await runExperiment(recipeOf({ data, seeds: [1], base }), store("second"), device);
    const [run] = record.variants[0]!.runs;
    expect(run!.trainings.map(({ stage }) => stage)).toEqual([2]);
    expect(run!.predictions!.filter(({ stageOne }) => stageOne !== undefined)).toEqual([]);
  });

  test("runs of an earlier call are finished although a new one before them was stopped", async () => {
    const device = await sharedDevice();
    const base = { ...quick, stageTwoEpochs: 0 };
    await runExperiment(recipeOf({ data, seeds: [1], base, vary: [{ name: "old" }] }), store("added"), device);
    const stop = new AbortController();
    const progress = (label: string) => ({ advance: () => label.includes("stage") && stop.abort(), stop: () => {} });
    const more = recipeOf({ data, seeds: [1], base, vary: [{ name: "new", levels: 10 }, { name: "old" }] });
    const stopped = runExperiment(more, store("added"), device, { progress, signal: stop.signal });
    await expect(stopped).rejects.toThrow(ExperimentInterrupted);
    const record = JSON.parse(await readFile(join(store("added"), "test", "experiment.json"), "utf8"));
    const states = record.variants.map(({ runs }: { runs: { status: string }[] }) => runs[0]!.status);
    expect(states).toEqual(["missing", "finished"]);
  });

  test("a training of a process that is just ending is taken over", async () => {
    const device = await sharedDevice();
    const recipe = recipeOf({ data, seeds: [1], base: { ...quick, stageTwoEpochs: 0 } });
    await runExperiment(recipe, store("killed"), device);
    const database = new DatabaseSync(join(store("killed"), "results.sqlite"));
    const { pid } = spawn("sleep", ["1"]);
    database.prepare("UPDATE trainings SET status = 'running', pid = ?").run(pid!);
    database.close();
    const { failed, record } = await runExperiment(recipe, store("killed"), device);
    expect(failed).toBe(0);
    expect(record.variants[0]!.runs[0]!.status).toBe("finished");
  });

  test("of variants with equal validation the first is marked", async () => {
    const device = await sharedDevice();
    const twice = { name: "again", stageTwoEpochs: 0, affinityPower: 2 };
    const base = { ...quick, stageTwoEpochs: 0, validationShare: 0.6 };
    const recipe = recipeOf({ data, seeds: [1], base, vary: [{ name: "one" }, twice] });
    const { record } = await runExperiment(recipe, store("ties"), device);
    expect(record.selection.chosen).toBe("one");
    expect(record.selection.sentence).toEndWith("is marked with *: one (2 rows have it; this is the first).");
  });

  test("a start that cannot be is said before anything is trained, and pictures are not checked on after the signal", async () => {
    const device = await sharedDevice();
    const frozen = recipeOf({ data, base: { ...quick, frozen: 1 } });
    await expect(runExperiment(frozen, store("frozen"), device)).rejects.toThrow(
      "need start weights; give --init FILE",
    );
    const stop = new AbortController();
    let checked = 0;
    const advance = () => {
      if (++checked === 2) stop.abort(new Error("enough"));
    };
    const hooks = { progress: () => ({ advance, stop: () => {} }), signal: stop.signal };
    const early = runExperiment(recipeOf({ data, base: quick }), store("early"), device, hooks);
    await expect(early).rejects.toThrow("the experiment was interrupted before the first run");
    expect(checked).toBeLessThan(10);
  });
});
