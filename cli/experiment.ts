import { basename, join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import {
  builtInRecipes,
  checkRecipe,
  Experiment,
  type ExperimentHooks,
  ExperimentInterrupted,
  findRecipe,
  formulaPictures,
  formulaTitle,
  isDone,
  type PlannedTraining,
  partSizes,
  type Recipe,
  RecipeError,
  type RunReport,
  recipeJsonSchema,
  repeatsOf,
  runExperiment,
  type Source,
  titleOf,
  unscored,
  variantsOf,
} from "../models/experiments/index.ts";
import { markdownTable } from "../models/experiments/tables.ts";
import { redacted } from "../models/scale/redact.ts";
import { phaseMemoryBytes } from "../models/training/memory.ts";
import { addDataOptions, type DataOptions, wholeNumber } from "./data-options.ts";
import { addTuningOptions, deviceSource, memoryOption, pacedTuning, type TuningFlags } from "./device.ts";
import { interruptible } from "./interrupt.ts";
import { queueUrl } from "./queue-option.ts";
import { formatBytes, formatSeconds, pairs, progress, table } from "./terminal.ts";

interface ExperimentFlags extends Partial<DataOptions>, TuningFlags {
  readonly folder?: Readonly<Record<string, string>>;
  readonly unlabelled?: string;
  readonly ranked?: string;
  readonly init?: string;
  readonly weights?: Readonly<Record<string, string>>;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly featureRange?: string;
  readonly set?: Readonly<Record<string, unknown>>;
  readonly seeds?: readonly number[];
  readonly folds?: number;
  readonly only?: readonly string[];
  readonly store: string;
  readonly featureFolder?: string;
  readonly dryRun?: boolean;
  readonly rehearse?: boolean;
  readonly print?: boolean;
  readonly checkpointSeconds: number;
  readonly queue?: string | boolean;
  readonly queueName: string;
  readonly memory?: number;
}

export function register(program: Command): void {
  const experiment = program
    .command("experiment")
    .description("train and compare methods and their settings by a recipe, each over several splits")
    .argument("<recipe>", "a built-in recipe (see `acutance experiment list`), or a .toml or .json file")
    .addHelpText("after", examples);
  addDataOptions(experiment)
    .option("--folder <name=folder>", "where a further data set of the recipe lies; repeatable", namedFile)
    .option("--unlabelled <folder>", "further pictures without scores, for every variant that does not name others")
    .option(
      "--ranked <folder>",
      "degraded copies to train with the ranks of, made by `acutance data degrade --ranked`, or a folder of such folders",
    )
    .option("--init <file>", "weights that backbones start from")
    .option("--weights <backbone=file>", "weights that this backbone starts from; repeatable", namedFile)
    .option(
      "--parameters <formula=file>",
      "parameters of NIQE or BRISQUE where the recipe has rows of them; repeatable",
      namedFile,
    )
    .option("--feature-range <file>", "scaling of features, with a LIBSVM model of BRISQUE")
    .option("--set <key=value>", "a setting of all variants that do not set it themselves; repeatable", setting)
    .option("--seeds <list>", "repeats: seeds of split and training, such as 1,2,3", seedList)
    .option("--folds <n>", "repeats: each of so many folds is the test part once, for every seed", wholeNumber(2))
    .option("--only <variant>", "run this variant; repeatable, the first is the baseline", append)
    .option("--store <folder>", "where trainings and results are kept, for all experiments", "runs/experiments")
    .option("--feature-folder <folder>", "where the output of frozen sections is kept (default: the user's cache)")
    .option("--dry-run", "say which runs there are and what of them is done, and train nothing")
    .option("--rehearse", "with --dry-run: say how much device memory the steps of each training hold at most")
    .option("--print", "print the recipe as it is understood, flags applied, as JSON, and do nothing")
    .option("--checkpoint-seconds <n>", "longest time between two checkpoints", wholeNumber(0), 300)
    .option(
      "--queue [url]",
      "have `acutance worker --experiments` do the trainings, by a queue in Redis (also ACUTANCE_QUEUE)",
    )
    .option("--queue-name <word>", "the queue's name, where one Redis has several", "pictures")
    .option(...memoryOption);
  addTuningOptions(experiment);
  experiment.action((recipe: string, flags: ExperimentFlags) => run(recipe, flags));
  experiment.command("list").description("list the built-in recipes and what they need").action(list);
  experiment
    .command("schema")
    .description("print the JSON Schema of recipes, for editors")
    .action(() => console.log(JSON.stringify(recipeJsonSchema(), null, 2)));
}

const examples = `
Examples:
  acutance experiment list
  acutance experiment main --data koniq10k --init resnet101.pth
  acutance experiment livec-ablation --data images --csv livec.csv --range 0:100 --init vit-tiny.safetensors --dry-run
  acutance experiment cross-data --data koniq10k --folder livec=ChallengeDB_release --folder nnid=NNID
  acutance experiment mine.toml --seeds 1,2,3,4,5 --set stageTwoEpochs=10

With --queue, workers on any number of machines do the trainings, each once; they, this command, the pictures and --store have to be under the same
paths, on a folder that all share, and workers have the same kind of adapter. A training whose worker ends is gone on with by another.

The same command again goes on where it was stopped; what was trained before, in any experiment, is not trained again.
Exit code: 0 when all runs finished, 1 when one failed, 130 after Ctrl-C.`;

async function run(word: string, flags: ExperimentFlags): Promise<void> {
  const recipe = chosenVariants(overridden(await findRecipe(word), flags), flags.only);
  variantsOf(recipe);
  repeatsOf(recipe);
  if (flags.print) return console.log(JSON.stringify({ ...recipe, name: undefined }, null, 2));
  using stop = interruptible();
  const hooks: ExperimentHooks = {
    tune: pacedTuning(),
    progress,
    log: (line) => console.error(line),
    onRun: announce,
    signal: stop.signal,
    checkpointSeconds: flags.checkpointSeconds,
    ...(flags.featureFolder && { featureFolder: flags.featureFolder }),
    command: redacted(`acutance ${process.argv.slice(2).join(" ")}`),
    ...(flags.queue && { onPlanned: (experiment) => onWorkers(experiment, flags, stop.signal) }),
  };
  try {
    if (flags.dryRun) return await dryRun(recipe, flags, hooks);
    const { record, folder, failed } = await runExperiment(recipe, flags.store, deviceSource(flags), hooks);
    console.log(markdownTable(record));
    console.log(`tables, record and report: ${folder}`);
    if (failed > 0) process.exitCode = 1;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    console.error(`${(error as Error).message}\n${(error as { advice?: string }).advice ?? ""}`);
    process.exitCode = 130;
  }
}

/** Has workers do the trainings; what is left to do here is to test on further data sets and to write. */
async function onWorkers(experiment: Experiment, flags: ExperimentFlags, signal: AbortSignal): Promise<void> {
  const { queue, queueName: name, checkpointSeconds } = flags;
  const { trainOnWorkers } = await import("../models/scale/experiment-queue.ts");
  const log = (line: string) => console.error(line);
  try {
    const url = queueUrl(typeof queue === "string" ? { queue } : {});
    await trainOnWorkers(experiment, { queue: url, name, signal, checkpointSeconds, log });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new ExperimentInterrupted("while workers train; they go on", { cause: error });
  }
}

/** Device memory of the steps of each training that is another's, by rehearsal, as words. */
async function memoryOf(experiment: Experiment): Promise<(training: PlannedTraining) => string> {
  const device = await experiment.device.get();
  const known = new Map<string, string>();
  return ({ method, phase, options, data }) => {
    const key = JSON.stringify([method.name, phase.name, options, data.labelled.length, data.unlabelled.length]);
    const bytes = known.has(key) ? undefined : phaseMemoryBytes(device, phase, options, data);
    if (!known.has(key)) known.set(key, bytes === undefined ? "frozen" : formatBytes(bytes));
    return known.get(key)!;
  };
}

async function dryRun(recipe: Recipe, flags: ExperimentFlags, hooks: ExperimentHooks): Promise<void> {
  using experiment = await Experiment.open(recipe, flags.store, deviceSource(flags), hooks);
  const { runs } = experiment.plan;
  const memory = flags.rehearse ? await memoryOf(experiment) : undefined;
  const state = (training: PlannedTraining) => {
    const words = isDone(experiment.store, training) ? "done" : training.key.slice(0, 8);
    return `${training.phase.name} ${memory ? `${words}, ${memory(training)}` : words}`;
  };
  const rows = runs.map((each) => {
    const { labelled, ranked, unlabelled, validation, test } = partSizes(each);
    const known = ranked ? `${labelled} + ${ranked} ranked sets` : labelled;
    return [titleOf(each), known, unlabelled, validation, test, each.trainings.map(state).join("; ")];
  });
  console.log(table(["run", "labelled", "unlabelled", "validation", "test", "trainings"], rows));
  const trainings = new Map(runs.flatMap((each) => each.trainings.map((one) => [one.key, one])));
  const left = [...trainings.values()].filter((one) => !isDone(experiment.store, one)).length;
  console.log(`\n${runs.length} runs of ${trainings.size} trainings (one key is trained once), ${left} still to do`);
  const pictures = formulaPictures(experiment.plan);
  for (const formula of experiment.formulas) {
    const left = unscored(formula, pictures, experiment.store).length;
    console.log(
      formula.opened ? `${formula.name}: ${left} of ${pictures.size} pictures to score` : formulaTitle(formula),
    );
  }
  for (const note of experiment.plan.sources.notes) console.log(note);
}

function announce({ run, outcome, done, total, secondsLeft }: RunReport): void {
  const left = !secondsLeft || done === total ? "" : `; about ${formatSeconds(secondsLeft)} left`;
  const cached =
    outcome.status === "finished" && outcome.cached.size === run.trainings.length ? " (was done before)" : "";
  const how = outcome.error ? `: ${outcome.error}` : cached;
  console.error(`${done} of ${total} ${outcome.status}: ${titleOf(run)}${how}${left}`);
}

async function list(): Promise<void> {
  const recipes = await builtInRecipes();
  const texts = recipes.map((recipe) => {
    const { name, title, data, unlabelled, crossData } = recipe;
    const further = [...Object.entries(unlabelled), ...Object.entries(crossData)].map(
      ([called, source]) => `--folder ${called}=FOLDER (${source.dataset ?? "pictures"})`,
    );
    const variants = variantsOf(recipe);
    const runs = variants.length * repeatsOf(recipe).length;
    const needs = [`--data FOLDER (${data.dataset ?? "with --csv"})`, ...new Set(further)].join(", ");
    const backbones = new Set(variants.map(({ settings }) => settings.backbone));
    const parts = new Set(variants.flatMap(({ missing }) => missing));
    const start =
      backbones.size === 1 && parts.size === 0
        ? `--init FILE (${[...backbones]})`
        : [...backbones, ...parts].map((name) => `--weights ${name}=FILE`);
    const formulas = recipe.formulas.map(({ method }) => `--parameters ${method}=FILE`);
    const random = variants.some(({ settings }) => settings.frozen > 0) ? "" : "; without it random weights";
    return pairs([
      [name, title],
      ["  needs", needs],
      ["  starts from", `${[start].flat().join(", ")}${random}`],
      ...(formulas.length > 0 ? [["  scores by", formulas.join(", ")] as const] : []),
      ["  runs", `${variants.length} variants, ${repeatsOf(recipe).length} repeats: ${runs} runs`],
    ]);
  });
  console.log(texts.join("\n\n"));
}

/** The recipe with what the flags say in place of what it says. */
function overridden(recipe: Recipe, flags: ExperimentFlags): Recipe {
  const { seeds, folder = {}, unlabelled: further, init, weights, set } = flags;
  const at = (sources: Readonly<Record<string, Source>>) =>
    Object.fromEntries(
      Object.entries(sources).map(([name, source]) => [
        name,
        folder[name] ? { ...source, folder: folder[name] } : source,
      ]),
    );
  const unknown = Object.keys(folder).find((name) => !(name in recipe.unlabelled) && !(name in recipe.crossData));
  if (unknown !== undefined) {
    const known = [...new Set([...Object.keys(recipe.unlabelled), ...Object.keys(recipe.crossData)])].join(", ");
    throw new RecipeError(
      `--folder ${unknown}: the recipe ${recipe.name} has no such data set; it has: ${known || "none"}`,
    );
  }
  const called = basename(join(further ?? ""));
  if (further && called in recipe.unlabelled)
    throw new RecipeError(
      `--unlabelled ${further}: the recipe has an [unlabelled.${called}]; give its folder with --folder ${called}=${further}, or call yours otherwise`,
    );
  const added = further ? { [called]: { folder: further } } : {};
  const more = [...((recipe.base as { moreUnlabelled?: string[] }).moreUnlabelled ?? []), ...Object.keys(added)];
  const { name, ...said } = {
    ...recipe,
    data: sourceOf(recipe.data, flags),
    unlabelled: { ...at(recipe.unlabelled), ...added },
    crossData: at(recipe.crossData),
    weights: { ...recipe.weights, ...weights },
    ...(seeds && { seeds: [...seeds] }),
    formulas: withParameters(recipe, flags),
    ...(flags.folds !== undefined && { folds: flags.folds }),
    base: { ...recipe.base, ...(more.length > 0 && { moreUnlabelled: more }), ...(init && { init }), ...set },
  };
  return { ...checkRecipe(said, `${name} with these flags`), name };
}

/** The formulas of a recipe with the files that flags name. @throws RecipeError when there is no such row */
function withParameters(
  { name, formulas }: Recipe,
  { parameters = {}, featureRange }: ExperimentFlags,
): Recipe["formulas"] {
  const methods = formulas.map(({ method }) => method);
  const unknown = Object.keys(parameters).find((word) => !methods.some((method) => method === word));
  if (unknown !== undefined) {
    throw new RecipeError(
      `--parameters ${unknown}: the recipe ${name} has no row by that formula; it has: ${methods.join(", ") || "none"}`,
    );
  }
  if (featureRange !== undefined && !methods.includes("brisque"))
    throw new RecipeError(`--feature-range ${featureRange}: the recipe ${name} has no row by brisque`);
  return formulas.map((row) => ({
    ...row,
    ...(parameters[row.method] && { parameters: parameters[row.method] }),
    ...(featureRange && row.method === "brisque" && { featureRange }),
  }));
}

/** The main data set. A flag that says which scores it has replaces all that the recipe says of how to read them. */
function sourceOf(recipe: Source, flags: ExperimentFlags): Source {
  const { data, csv, dataset, range, lowerIsBetter, exclude, ranked } = flags;
  const kept = csv || dataset ? { ...(recipe.folder && { folder: recipe.folder }) } : recipe;
  const { nameColumn, mosColumn, sdColumn, groupColumn, splitColumn } = flags;
  const columns = { name: nameColumn, mos: mosColumn, sd: sdColumn, group: groupColumn, split: splitColumn };
  const named = Object.fromEntries(Object.entries(columns).filter(([, column]) => column !== undefined));
  return {
    ...kept,
    ...(recipe.ranked && { ranked: recipe.ranked }),
    ...(csv && { csv }),
    ...(dataset && { dataset }),
    ...(data && { folder: data }),
    ...(ranked && { ranked }),
    ...(range && { range: [range[0], range[1]] }),
    ...(lowerIsBetter && { lowerIsBetter }),
    ...(exclude && { exclude: [exclude] }),
    ...(Object.keys(named).length > 0 && { columns: { ...kept.columns, ...named } }),
  };
}

function chosenVariants(recipe: Recipe, only: readonly string[] = []): Recipe {
  if (only.length === 0) return recipe;
  const all = variantsOf(recipe);
  const called = ({ name, method }: Recipe["formulas"][number]) => name ?? method.toUpperCase();
  const formulas = recipe.formulas.filter((row) => only.includes(called(row)));
  const trained = only.filter((name) => !formulas.some((row) => called(row) === name));
  const vary = trained.map((name) => {
    const found = all.find((variant) => variant.name === name);
    if (!found) {
      const names = [...all.map((one) => one.name), ...recipe.formulas.map(called)];
      throw new RecipeError(`--only ${name}: ${recipe.name} has no such variant; it has: ${names.join("; ")}`);
    }
    return { name, ...found.changes };
  });
  if (vary.length === 0) {
    throw new RecipeError(
      `--only ${only.join(" --only ")}: formulas stand beside what is trained; choose a variant that is, or use acutance evaluate --method`,
    );
  }
  return { ...recipe, vary, formulas, grid: {} };
}

function namedFile(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [name, value] = parted(text, "name=path");
  return { ...before, [name]: value };
}

/** A value as JSON where it is that, else as text. */
function setting(text: string, before: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const [name, value] = parted(text, "key=value");
  try {
    return { ...before, [name]: JSON.parse(value) };
  } catch {
    return { ...before, [name]: value };
  }
}

function parted(text: string, form: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError(`expected ${form}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function seedList(text: string): number[] {
  return text.split(",").map(wholeNumber(0));
}

function append(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
