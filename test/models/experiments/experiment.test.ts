import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { parse } from "csv-parse/sync";
import { openSafetensors } from "../../../engine/weights/safetensors.ts";
import { Claim } from "../../../models/experiments/claim.ts";
import {
  Experiment,
  type ExperimentHooks,
  ExperimentInterrupted,
  runExperiment,
  StoreError,
} from "../../../models/experiments/index.ts";
import { ExperimentStore } from "../../../models/experiments/store.ts";
import { trainCpl } from "../../../models/methods/cpl/index.ts";
import { cplOptions } from "../../../models/methods/cpl/options.ts";
import { evaluate } from "../../../models/metrics/index.ts";
import { QualityNetwork, saveModel } from "../../../models/networks/model.ts";
import { expiryMs } from "../../../models/training/owner.ts";
import { sharedDevice } from "../../engine/device.ts";
import { recipeOf, small, writePictures } from "./recipe.ts";

let folder = "";
let data: Awaited<ReturnType<typeof writePictures>>;
let other: Awaited<ReturnType<typeof writePictures>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-experiment-"));
  data = await writePictures(join(folder, "pictures"), 40);
  other = await writePictures(join(folder, "other"), 8, [1, 5]);
  const model = new QualityNetwork(await sharedDevice(), cplOptions({ stages: 1, embedding: 8, levels: 10, seed: 9 }));
  await saveModel(join(folder, "start.safetensors"), model, { ...startCard, options: model.options });
  model.dispose();
});

const startCard = { range: [0, 100] as const, history: [], fresh: [] };

afterAll(() => rm(folder, { recursive: true, force: true }));

const store = (name: string) => join(folder, name);

/** Two variants that differ in stage 2 alone, each on two splits. */
function two() {
  return recipeOf({
    data,
    crossData: { other },
    seeds: [1, 2],
    base: { ...small, validationShare: 0.4, init: join(folder, "start.safetensors") },
    vary: [{ name: "plain" }, { name: "no confidence", confidence: "off" }],
  });
}

/** Hooks that count the trainings that take steps. */
function counting(hooks: ExperimentHooks = {}) {
  const bars: string[] = [];
  const progress = (label: string) => {
    bars.push(label);
    return { advance: () => {}, stop: () => {} };
  };
  return { bars, hooks: { progress, ...hooks } };
}

const isTraining = (label: string) => /stage [12]$/.test(label);

describe("an experiment", () => {
  test("trains two variants on two splits, stage 1 once a split, and writes record and tables", async () => {
    const device = await sharedDevice();
    const { bars, hooks } = counting();
    const { record, failed, folder: out } = await runExperiment(two(), store("whole"), device, hooks);
    expect(failed).toBe(0);
    expect(bars.filter(isTraining)).toEqual([
      "1 of 4: plain, seed 1, stage 1",
      "1 of 4: plain, seed 1, stage 2",
      "2 of 4: no confidence, seed 1, stage 2",
      "3 of 4: plain, seed 2, stage 1",
      "3 of 4: plain, seed 2, stage 2",
      "4 of 4: no confidence, seed 2, stage 2",
    ]);
    expect(record.parts).toEqual(["test", "validation", "other"]);
    expect(record.variants.map(({ name }) => name)).toEqual(["plain", "no confidence"]);
    for (const { runs } of record.variants) {
      expect(runs.map(({ status }) => status)).toEqual(["finished", "finished"]);
      for (const run of runs) {
        expect(run.parts).toMatchObject({ labelled: 5, unlabelled: 24, validation: 3, test: 8 });
        expect(run.results.map(({ part, stage }) => `${part} ${stage}`)).toEqual([
          "validation 1",
          "test 1",
          "validation 2",
          "test 2",
          "other 2",
        ]);
        expect(run.refreshes).toHaveLength(2);
        expect(run.losses.map(({ stage }) => stage)).toEqual([1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2]);
      }
    }
    // What is in the record is what the predictions say, on the scale of the further set too.
    const [run] = record.variants[0]!.runs;
    const final = run!.results.find(({ part, stage }) => part === "test" && stage === 2)!;
    const again = evaluate(
      run!.predictions!.map(({ score }) => score),
      run!.predictions!.map(({ mos }) => mos!),
    );
    expect(final).toMatchObject({ n: 8, srcc: again.srcc, rmse: again.rmse });
    expect(run!.reliability!.name).toBe("stage 2");
    expect(run!.distributions!.map(({ name }) => name)).toEqual(["stage 2"]);
    expect(run!.predictions!.every(({ stageOne }) => typeof stageOne === "number")).toBe(true);
    const cross = run!.results.find(({ part }) => part === "other")!;
    expect(cross.rmse!).toBeLessThan(4);
    expect(record.ranges).toEqual({ test: [0, 100], validation: [0, 100], other: [1, 5] });
    expect((await readdir(out)).sort()).toEqual([
      "experiment.html",
      "experiment.json",
      "predictions.csv",
      "runs.csv",
      "table.csv",
      "table.md",
    ]);
    expect(JSON.parse(await readFile(join(out, "experiment.json"), "utf8"))).toEqual(
      JSON.parse(JSON.stringify(record)),
    );
  });

  test("the same again trains nothing, and neither does another experiment with the same configurations", async () => {
    const device = await sharedDevice();
    const first = JSON.parse(await readFile(join(store("whole"), "test", "experiment.json"), "utf8"));
    for (const name of ["test", "another"]) {
      const { bars, hooks } = counting();
      const { record } = await runExperiment({ ...two(), name }, store("whole"), device, hooks);
      expect(bars).toEqual([]);
      expect(
        record.variants.flatMap(({ runs }) => runs.flatMap((run) => run.trainings.map((one) => one.cached))),
      ).toEqual(new Array(8).fill(true));
      expect(JSON.parse(JSON.stringify(record.variants.map(({ summary }) => summary)))).toEqual(
        first.variants.map(({ summary }: { summary: unknown }) => summary),
      );
    }
  });

  test("its stage 2 from the shared stage 1 has the bits of an uninterrupted training", async () => {
    const device = await sharedDevice();
    using planned = await Experiment.open(two(), store("whole"), device, {});
    const [, , run] = planned.plan.runs;
    const start = { init: join(folder, "start.safetensors") };
    const options = {
      ...run!.trainings[1]!.options,
      stageOneEpochs: small.stageOneEpochs,
      stageOneBatch: small.stageOneBatch,
    };
    const { model } = await trainCpl(device, run!.data, options, { folder: store("at-once") }, start);
    model.dispose();
    const own = join(store("whole"), planned.store.training(run!.trainings[1]!.key)!.folder, "model.safetensors");
    expect(await tensorsOf(own)).toEqual(await tensorsOf(join(store("at-once"), "model.safetensors")));
  });

  test("stopped in the middle it goes on from the checkpoint and ends with the same results", async () => {
    const device = await sharedDevice();
    const stop = new AbortController();
    let steps = 0;
    const progress = () => ({
      advance: (_amount?: number, note?: string) => {
        // In stage 2 of the second run.
        if (note?.includes("loss") && ++steps === 13) stop.abort();
      },
      stop: () => {},
    });
    const stopped = runExperiment(two(), store("stopped"), device, { progress, signal: stop.signal });
    await expect(stopped).rejects.toThrow(ExperimentInterrupted);
    const partial = JSON.parse(await readFile(join(store("stopped"), "test", "experiment.json"), "utf8"));
    expect(
      partial.variants.map(({ runs }: { runs: { status: string }[] }) => runs.map(({ status }) => status)),
    ).toEqual([
      ["finished", "missing"],
      ["missing", "missing"],
    ]);
    const { bars, hooks } = counting();
    const { record } = await runExperiment(two(), store("stopped"), device, hooks);
    expect(bars.filter(isTraining)[0]).toBe("2 of 4: no confidence, seed 1, stage 2");
    const whole = JSON.parse(await readFile(join(store("whole"), "test", "experiment.json"), "utf8"));
    const results = (one: { variants: readonly { runs: readonly { results: unknown }[] }[] }) =>
      one.variants.map(({ runs }) => runs.map((run) => run.results));
    expect(JSON.parse(JSON.stringify(results(record)))).toEqual(results(whole));
  });

  test("begins again when the pictures have moved since it was stopped", async () => {
    const device = await sharedDevice();
    const one = (where: typeof data) => ({
      ...two(),
      data: where,
      crossData: {},
      seeds: [1],
      vary: two().vary.slice(0, 1),
    });
    const before = join(folder, "before");
    await cp(data.folder, before, { recursive: true });
    const stop = new AbortController();
    const progress = (label: string) => ({ advance: () => label.includes("stage") && stop.abort(), stop: () => {} });
    const moved = one({ ...data, folder: before });
    const stopped = runExperiment(moved, store("moved"), device, { progress, signal: stop.signal });
    await expect(stopped).rejects.toThrow("interrupted after 0 of 1 runs");
    await rm(before, { recursive: true });
    const { record } = await runExperiment(one(data), store("moved"), device);
    const whole = JSON.parse(await readFile(join(store("whole"), "test", "experiment.json"), "utf8"));
    const own = whole.variants[0].runs[0].results.filter(({ part }: { part: string }) => part !== "other");
    expect(JSON.parse(JSON.stringify(record.variants[0]!.runs[0]!.results))).toEqual(own);
  });

  test("a run that fails is on record with its error, and the others go on", async () => {
    const device = await sharedDevice();
    const recipe = recipeOf({
      data,
      seeds: [1],
      base: { ...small, stageTwoEpochs: 0 },
      vary: [{ name: "wild", freshRate: 1e30, optimiser: "sgd", stageOneEpochs: 9 }, { name: "tame" }],
    });
    const { record, failed } = await runExperiment(recipe, store("failing"), device);
    expect(failed).toBe(1);
    expect(record.variants[0]!.runs[0]).toMatchObject({ status: "failed", results: [] });
    expect(record.variants[0]!.runs[0]!.error).toContain("the loss is");
    expect(record.variants[1]!.runs[0]!.status).toBe("finished");
    expect(record.notes.join()).toContain("failed: wild");
    const table = await readFile(join(store("failing"), "test", "table.md"), "utf8");
    expect(table).toContain("| wild | 0 of 1 |");
  });
});

describe("the tables", () => {
  test("say what the runs say", async () => {
    const out = join(store("whole"), "test");
    const rows = (await readCsv(join(out, "runs.csv"))).filter(({ part, stage }) => part === "test" && stage === "2");
    const of = (variant: string) => rows.filter((row) => row["variant"] === variant).map((row) => Number(row["srcc"]));
    const [a, b] = of("plain") as [number, number];
    const differences = of("no confidence").map((value, i) => value - of("plain")[i]!);
    const [plain, off] = (await readCsv(join(out, "table.csv"))).filter(({ part }) => part === "test");
    expect(Number(plain!["srcc_median"])).toBeCloseTo((a + b) / 2, 12);
    expect(Number(plain!["srcc_sd"])).toBeCloseTo(Math.abs(a - b) / Math.SQRT2, 12);
    expect([plain!["srcc_min"], plain!["srcc_max"]].map(Number)).toEqual([Math.min(a, b), Math.max(a, b)]);
    expect(Number(off!["srcc_difference_mean"])).toBeCloseTo((differences[0]! + differences[1]!) / 2, 12);
    expect(plain!["srcc_difference_mean"]).toBe("");
    const text = await readFile(join(out, "table.md"), "utf8");
    expect(text.replace("plain * |", "plain |")).toContain(`| plain | 2 | ${((a + b) / 2).toFixed(3)} |`);
    expect(text).toMatch(/^\| (plain|no confidence) \* \|/m);
    expect(text).toContain("nothing was selected on the test part");
  });
});

describe("a store", () => {
  test("that is damaged or another program's is refused with what to do", async () => {
    const device = await sharedDevice();
    const open = (name: string) => Experiment.open(two(), store(name), device, {});
    (await open("broken"))[Symbol.dispose]();
    await writeFile(join(store("broken"), "results.sqlite"), "no database, only words, and rather many of them");
    await expect(open("broken")).rejects.toThrow(StoreError);
    await expect(open("broken")).rejects.toThrow("is damaged, or no SQLite file");
    await mkdir(join(store("folder"), "results.sqlite"), { recursive: true });
    await expect(open("folder")).rejects.toMatchObject({
      message: expect.stringContaining("results.sqlite cannot be opened"),
      advice: expect.stringContaining("see that it can be written"),
    });
    for (const [name, sql, message] of [
      ["foreign", "CREATE TABLE songs (title TEXT)", "another program"],
      ["later", "PRAGMA user_version = 99", "version 99"],
    ] as const) {
      (await open(name))[Symbol.dispose]();
      const path = join(store(name), "results.sqlite");
      if (name === "foreign") await rm(path);
      const database = new DatabaseSync(path);
      database.exec(sql);
      database.close();
      await expect(open(name)).rejects.toThrow(message);
    }
  });
});

test("a store of an earlier version gets what is new", async () => {
  (await ExperimentStore.open(store("earlier")))[Symbol.dispose]();
  const path = join(store("earlier"), "results.sqlite");
  const database = new DatabaseSync(path);
  database.exec("ALTER TABLE trainings DROP COLUMN spread; ALTER TABLE predictions DROP COLUMN share_below");
  database.exec("ALTER TABLE trainings DROP COLUMN process_started; ALTER TABLE trainings DROP COLUMN renewed_ms");
  database.exec("ALTER TABLE trainings DROP COLUMN method; ALTER TABLE runs DROP COLUMN trainings");
  database.exec("ALTER TABLE losses DROP COLUMN figures");
  database.exec("ALTER TABLE runs DROP COLUMN fold; ALTER TABLE predictions DROP COLUMN class");
  database.exec("ALTER TABLE predictions DROP COLUMN true_class");
  database.exec("DROP TABLE epoch_tests; DROP TABLE networks; DROP TABLE formula_scores");
  database.exec("PRAGMA user_version = 1");
  database.close();
  using kept = await ExperimentStore.open(store("earlier"));
  expect(kept.progress("none").predictions).toEqual([]);
});

describe("a training in another process's hands", () => {
  const training = {
    method: "cpl",
    stage: 1,
    folder: "trainings/a",
    options: {},
    adapter: "an adapter",
    version: "1.0",
  } as const;
  const claims = new URL("../../../models/experiments/store.ts", import.meta.url).href;

  function change(name: string, sql: string, ...values: (string | number | null)[]): void {
    const database = new DatabaseSync(join(store(name), "results.sqlite"));
    database.prepare(`UPDATE trainings SET ${sql}`).run(...values);
    database.close();
  }

  test("is left to it until that process has ended", async () => {
    using kept = await ExperimentStore.open(store("shared"));
    kept.claim("a key", training)[Symbol.dispose]();
    kept.claim("a key", training)[Symbol.dispose]();
    change("shared", "status = 'interrupted'");
    const script = join(folder, "claim.mjs");
    await writeFile(
      script,
      `import { ExperimentStore } from ${JSON.stringify(claims)};
       const store = await ExperimentStore.open(${JSON.stringify(store("shared"))});
       store.claim("a key", ${JSON.stringify(training)}); console.log("claimed"); setInterval(() => store, 1000);`,
    );
    const other = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
    await once(other.stdout, "data");
    change("shared", "renewed_ms = 0");
    expect(() => kept.claim("a key", training)).toThrow(`process ${other.pid} is training it now (trainings/a)`);
    other.kill("SIGKILL");
    await once(other, "exit");
    kept.claim("a key", training)[Symbol.dispose]();
  });

  test.skipIf(process.platform !== "linux")("is taken over when its number lives on as another process", async () => {
    using kept = await ExperimentStore.open(store("reused"));
    kept.claim("a key", training)[Symbol.dispose]();
    const other = spawn("sleep", ["60"]);
    change("reused", "pid = ?", other.pid!);
    kept.claim("a key", training)[Symbol.dispose]();
    other.kill("SIGKILL");
  });

  test("of another computer is left to it as long as it renews", async () => {
    using kept = await ExperimentStore.open(store("elsewhere"));
    kept.claim("a key", training)[Symbol.dispose]();
    change("elsewhere", "host = 'elsewhere'");
    expect(() => kept.claim("a key", training)).toThrow("on elsewhere is training it now");
    // As an earlier version left it, which did not renew.
    change("elsewhere", "renewed_ms = NULL, process_started = NULL, started = ?", new Date().toISOString());
    expect(() => kept.claim("a key", training)).toThrow("on elsewhere is training it now");
    change("elsewhere", "renewed_ms = ?", Date.now() - expiryMs - 1000);
    kept.claim("a key", training)[Symbol.dispose]();
  });

  test("says so while it goes on, and notices when it is taken over", async () => {
    let held = true;
    let renewals = 0;
    const renew = () => {
      renewals++;
      return held;
    };
    using claim = new Claim(renew, 10);
    await setTimeout(100);
    expect(renewals).toBeGreaterThan(1);
    expect(claim.taken.aborted).toBe(false);
    held = false;
    await setTimeout(100);
    expect(claim.taken.aborted).toBe(true);
  });
});

async function tensorsOf(path: string): Promise<Record<string, string>> {
  await using file = await openSafetensors(path);
  const entries = [...file.tensors.keys()].map(async (name) => {
    const { bytes } = await file.read(name);
    return [name, createHash("sha256").update(bytes).digest("hex")];
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function readCsv(path: string): Promise<Record<string, string>[]> {
  return parse(await readFile(path, "utf8"), { columns: true });
}
