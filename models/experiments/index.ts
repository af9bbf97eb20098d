import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "csv-stringify/sync";
import type { DeviceSource } from "../../engine/device/source.ts";
import { writeFileAtomically } from "../../engine/weights/atomic.ts";
import type { ExperimentRecord } from "../report/experiment/experiment-record.ts";
import { hardwareOf } from "../training/finish.ts";
import { formulaPredictions, type PlannedFormula } from "./formulas.ts";
import { type PlannedRun, partSizes } from "./plan.ts";
import type { Recipe } from "./recipe.ts";
import { recordOf } from "./record.ts";
import { Experiment, type ExperimentHooks, ExperimentInterrupted, type RunOutcome } from "./runner.ts";
import type { StoredRun } from "./store.ts";
import { csvClasses, csvRuns, csvTable, markdownTable } from "./tables.ts";

export { builtInRecipes, findRecipe } from "./built-in.ts";
export { repeatsOf, variantsOf } from "./expand.ts";
export { formulaPictures, formulaTitle, unscored } from "./formulas.ts";
export { type PlannedTraining, partSizes } from "./plan.ts";
export { checkRecipe, type Recipe, RecipeError, readRecipe, recipeJsonSchema, type Source } from "./recipe.ts";
export { Experiment, type ExperimentHooks, ExperimentInterrupted, type RunReport, titleOf } from "./runner.ts";
export { StoreError } from "./schema.ts";
export { settingFields, settingNames } from "./settings.ts";
export { isDone } from "./train-planned.ts";

export interface FinishedExperiment {
  readonly record: ExperimentRecord;
  /** Where tables, record and report are. */
  readonly folder: string;
  /** Runs that failed. */
  readonly failed: number;
}

/**
 * Runs an experiment, or what an earlier call left undone of it: trains every variant with the seeds of every repeat, tests
 * the models, and writes `experiment.json`, `table.md`, `table.csv`, `runs.csv`, `predictions.csv`,
 * `classes.csv` (where classes are told) and `experiment.html` into the folder of its name in the store, anew after each run. The same configuration is trained
 * once, whichever experiments of the store it occurs in.
 * @param source a device, or how to open one; opened ones are closed at the end
 * @throws ExperimentInterrupted when the signal aborts; RecipeError, StoreError, DatasetError; NoAdapterError. A run that
 * fails is on record with its error and throws nothing
 */
export async function runExperiment(
  recipe: Recipe,
  storeFolder: string,
  source: DeviceSource,
  hooks: ExperimentHooks = {},
): Promise<FinishedExperiment> {
  let outcomes: ReadonlyMap<PlannedRun, RunOutcome> = new Map();
  using experiment = await Experiment.open(recipe, storeFolder, source, {
    ...hooks,
    onRun: async (report, soFar) => {
      await write(await currentRecord(experiment, soFar, hooks), folder);
      await hooks.onRun?.(report, soFar);
    },
  });
  const folder = join(storeFolder, recipe.name);
  await mkdir(folder, { recursive: true });
  experiment.store.list({ ...recipe, command: hooks.command ?? "", recipe }, experiment.plan.runs.map(storedRun));
  await hooks.onPlanned?.(experiment);
  outcomes = await experiment.run();
  const record = await currentRecord(experiment, outcomes, hooks);
  await write(record, folder);
  await writeReport(record, folder);
  await writeFileAtomically(join(folder, "predictions.csv"), csvPredictions(experiment));
  const ended = [...outcomes.values()];
  const all = experiment.plan.runs.length;
  const left = all - ended.filter(({ status }) => status !== "missing").length;
  if (left > 0) throw new ExperimentInterrupted(`after ${all - left} of ${all} runs`);
  const failed = record.variants.flatMap(({ runs }) => runs).filter(({ status }) => status === "failed").length;
  return { record, folder, failed };
}

async function currentRecord(
  experiment: Experiment,
  outcomes: ReadonlyMap<PlannedRun, RunOutcome>,
  { command = "" }: ExperimentHooks,
): Promise<ExperimentRecord> {
  return recordOf(experiment, outcomes, { command, hardware: hardwareOf(await experiment.device.get()) });
}

async function write(record: ExperimentRecord, folder: string): Promise<void> {
  await writeFileAtomically(join(folder, "experiment.json"), `${JSON.stringify(record)}\n`);
  await writeFileAtomically(join(folder, "table.md"), markdownTable(record));
  await writeFileAtomically(join(folder, "table.csv"), csvTable(record));
  await writeFileAtomically(join(folder, "runs.csv"), csvRuns(record));
  if (record.classTables) await writeFileAtomically(join(folder, "classes.csv"), csvClasses(record));
}

async function writeReport(record: ExperimentRecord, folder: string): Promise<void> {
  // The plotting library is large: it is loaded when there is something to plot.
  const { experimentReport } = await import("../report/experiment/experiment-report.ts");
  await writeFileAtomically(join(folder, "experiment.html"), experimentReport(record));
}

/** What the final model of each finished run gives the pictures of its test part. */
function csvPredictions(experiment: Experiment): string {
  const finished = experiment.plan.runs.filter((run) => experiment.isDone(run));
  const rows = finished.flatMap(({ variant, repeat, trainings }) =>
    experiment.store.progress(trainings.at(-1)!.key).predictions.map(({ name, mos, score }) => ({
      variant: variant.name,
      split_seed: repeat.split,
      fold: repeat.fold ?? "",
      ...{ name, mos, score },
    })),
  );
  return stringify([...rows, ...experiment.formulas.flatMap((each) => formulaRows(each, experiment))], {
    header: true,
  });
}

/** What a formula gives the pictures of the test parts. */
function formulaRows(formula: PlannedFormula, experiment: Experiment) {
  const { opened } = formula;
  if (!opened) return [];
  const scores = experiment.store.formulaScores(opened.key);
  return experiment.formulaRuns(formula).flatMap(({ run: { data, repeat } }) =>
    formulaPredictions(opened.scale, data.test, experiment.plan.sources.range, scores).map((row) => ({
      variant: formula.name,
      split_seed: repeat.split,
      fold: repeat.fold ?? "",
      ...row,
    })),
  );
}

function storedRun(run: PlannedRun): StoredRun {
  const { variant, repeat } = run;
  return {
    variant: variant.name,
    repeat,
    changes: variant.changes,
    settings: variant.settings,
    parts: partSizes(run),
    trainings: run.trainings.map(({ key }) => key),
  };
}
