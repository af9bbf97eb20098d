import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { degradeFolder } from "../../../models/data/degraded/degrade.ts";
import { ExperimentInterrupted, runExperiment } from "../../../models/experiments/index.ts";
import { cplOptions } from "../../../models/methods/cpl/options.ts";
import { QualityNetwork, saveModel } from "../../../models/networks/model.ts";
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

describe("ranked copies in a recipe", () => {
  test("are trained with; without them, or with weight 0, a key is that of a recipe without", async () => {
    const device = await sharedDevice();
    const ranked = join(folder, "ranked");
    await degradeFolder(device, data.folder, ranked, { kinds: ["gaussian-blur"], ranked: true });
    const base = { ...quick, stageTwoEpochs: 0 };
    const recipe = recipeOf({
      data: { ...data, ranked },
      seeds: [1],
      base,
      vary: [{ name: "ranks" }, { name: "wider", rankMargin: 0.2 }, { name: "without", rankWeight: 0 }],
    });
    const { record } = await runExperiment(recipe, store("ranked"), device);
    const [ranks, wider, without] = record.variants.map(({ runs }) => runs[0]!);
    // A set of each of the 25 pictures but for those of the test part.
    expect(ranks!.parts).toMatchObject({ labelled: 5, ranked: 20, test: 5 });
    expect(ranks!.notes.join()).toContain("5 ranked sets of validation or test pictures were left out");
    expect(without!.parts.ranked).toBeUndefined();
    expect(new Set(record.variants.map(({ runs }) => runs[0]!.trainings[0]!.key)).size).toBe(3);
    expect(ranks!.losses).not.toEqual(wider!.losses);
    const plain = { ...recipeOf({ data, seeds: [1], base: { ...base, rankWeight: 0 } }), name: "plain" };
    const again = await runExperiment(plain, store("ranked"), device);
    expect(again.record.variants[0]!.runs[0]!.trainings[0]).toMatchObject({
      key: without!.trainings[0]!.key,
      cached: true,
    });
    const card = await readFile(join(store("ranked"), ranks!.trainings[0]!.folder, "stage1.safetensors"), "latin1");
    expect(card).toContain("20 ranked sets of copies");
  });

  test("that cannot be read are left out of their sets", async () => {
    const device = await sharedDevice();
    const ranked = join(folder, "broken-copies");
    const { pictures } = await degradeFolder(device, data.folder, ranked, { ranked: true, levels: [3] });
    for (const { name } of pictures.filter(({ level }) => level === 3).slice(0, 2))
      await writeFile(join(ranked, name), "no picture");
    const recipe = recipeOf({ data: { ...data, ranked }, seeds: [1], base: { ...quick, stageTwoEpochs: 0 } });
    const experiment = await runExperiment(recipe, store("broken-copies"), device);
    const [run] = experiment.record.variants[0]!.runs;
    expect(run!.status).toBe("finished");
    const [, heldOut] = /(\d+) ranked sets of validation/.exec(run!.notes.join())!;
    expect(run!.parts.ranked! + Number(heldOut)).toBe(23);
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
    const model = new QualityNetwork(device, cplOptions({ stages: 1, embedding: 8, levels: 10 }));
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
