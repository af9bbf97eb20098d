import { join } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { z } from "zod";
import type { MpiRanks } from "../engine/ranks/mpi.ts";
import {
  divide,
  knownSets,
  rankedSets,
  ratedRows,
  ratioShares,
  withoutCopiesOf,
  writeSplit,
} from "../models/data/index.ts";
import { methods } from "../models/methods/index.ts";
import type { Evaluation } from "../models/metrics/index.ts";
import { classTable, constantsSentence } from "../models/report/class-table.ts";
import { outcome } from "../models/report/outcome.ts";
import { resultName } from "../models/report/report-parts.ts";
import { type ClassResult, classOfMos } from "../models/training/class-results.ts";
import { runRecord, writeRun } from "../models/training/finish.ts";
import { FolderLock } from "../models/training/folder-lock.ts";
import type { Method } from "../models/training/method.ts";
import type { TrainingOptions } from "../models/training/options.ts";
import { expectFreeFolder } from "../models/training/run-folder.ts";
import type { RunRecord } from "../models/training/run-record.ts";
import { ownCheckpoint, resumeTraining, startTraining } from "../models/training/train.ts";
import type { TrainingData, TrainingHooks, TrainingResult } from "../models/training/training.ts";
import {
  addDataOptions,
  addDecodingOptions,
  decodingOf,
  namesData,
  openDataset,
  optionWords,
  rangeOf,
  share,
  wholeNumber,
} from "./data-options.ts";
import {
  addTuningOptions,
  checkNumbersOption,
  deviceSource,
  memoryOption,
  pacedTuning,
  rankDevice,
  type TuningFlags,
} from "./device.ts";
import {
  addFurtherPictures,
  extraLabels,
  extraPictures,
  type FurtherPictures,
  pseudoLabels,
} from "./further-pictures.ts";
import { interruptible } from "./interrupt.ts";
import { flagOf } from "./option-words.ts";
import { outputFolder } from "./output.ts";
import { inRanks, mpiOption } from "./ranks.ts";
import { formatBytes, formatSeconds, progress, table } from "./terminal.ts";

interface TrainFlags extends FurtherPictures, TuningFlags {
  readonly ratio: string;
  readonly protocol: "random" | "official" | "folds";
  readonly folds?: number;
  readonly fold?: number;
  readonly strata: number;
  readonly validationShare: number;
  readonly splitSeed: number;
  readonly ranked?: string;
  readonly out: string;
  readonly overwrite?: boolean;
  readonly init?: readonly string[];
  readonly from?: string;
  readonly resume?: string;
  readonly check: boolean;
  readonly featureFolder?: string;
  readonly checkpointSeconds?: number;
  readonly testEachEpoch?: boolean;
  readonly checkNumbers?: boolean;
  readonly memory?: number;
  readonly mpi?: boolean;
}

export function register(program: Command): void {
  const train = program.command("train").description("train a quality model");
  for (const method of methods) registerMethod(train, method);
}

function registerMethod(train: Command, method: Method): void {
  const command = train.command(method.name).description(method.description).addHelpText("after", examples(method));
  addFurtherPictures(addDecodingOptions(addDataOptions(command)))
    .option(
      "--ratio <ratio>",
      "labelled : unlabelled : test, or labelled : test such as 4:1; a test part of 0 leaves all to learn from",
      "1:3:1",
    )
    .addOption(
      new Option(
        "--protocol <word>",
        "parts drawn at random, those of the authors, or one of --folds to test on; training is then divided by --ratio",
      )
        .choices(["random", "official", "folds"])
        .default("random"),
    )
    .option("--folds <n>", "with --protocol folds: how many of equal size there are (default: 5)", wholeNumber(2))
    .option("--fold <k>", "with --protocol folds: the one that is tested, from 1 on (default: 1)", wholeNumber(1))
    .option(
      "--strata <n>",
      "spread each of so many classes of equal width evenly over the parts (a stratified split); 0 for none",
      wholeNumber(0),
      0,
    )
    .option(
      "--validation-share <n>",
      "share of the labelled pictures held out of training and reported",
      share("to below 1"),
      0,
    )
    .option("--split-seed <n>", "seed of the split", wholeNumber(0), 1)
    .option(
      "--ranked <folder>",
      "copies made by `acutance data degrade --ranked`, of any pictures: the stronger degraded are to score less (--rank-weight)",
    )
    .option("--out <folder>", "where models, checkpoint and report are written", `runs/${method.name}`)
    .option("--overwrite", "replace the run that the folder holds, which is otherwise left alone")
    .option(
      "--init <file>",
      "weights, safetensors or PyTorch (.pth): of the backbone with torchvision's names, or as --network has them; again for a further part of the network",
      (file: string, before: readonly string[] = []) => [...before, file],
    )
    .option("--from <file>", "go on from a model, such as the stage1.safetensors of an earlier run")
    .option("--resume <folder>", "continue an interrupted run; takes all options from its checkpoint")
    .option("--feature-folder <folder>", "where the output of frozen sections is kept (default: the user's cache)")
    .option("--test-each-epoch", "score the test part after each epoch, too, for the record: nothing is chosen by it")
    .option("--checkpoint-seconds <n>", "longest time between two checkpoints", wholeNumber(0), 300)
    .option("--no-check", "do not decode every picture before the split")
    .option(...memoryOption)
    .option(...checkNumbersOption)
    .option(...mpiOption);
  addTuningOptions(command);
  addMethodOptions(command, method);
  command.action(async (flags: TrainFlags & Record<string, unknown>) => run(method, flags, command));
}

/** What a user may type, the examples of the method among them. */
function examples({ name, examples = [], withoutLabels }: Method): string {
  const rated = withoutLabels
    ? []
    : [
        "--data photos --csv mos.csv --range 0:100 --init resnet18.safetensors",
        "--dataset koniq --data koniq10k --init resnet18.safetensors",
      ];
  const words = [...rated.slice(0, 1), ...examples, ...rated.slice(1), `--resume runs/${name}`];
  const lines = words.map((each) => `  acutance train ${name} ${each}`);
  const together = `  mpirun -n 4${lines[0]!.slice(1)}        four processes, each with an adapter, train together`;
  return ["", "Examples:", ...lines, together].join("\n");
}

/** Options of the schema that the data options already use in another meaning. */
const flagNames: Record<string, string> = { range: "range-of-labels" };

function fieldsOf({ schema }: Method): [string, z.ZodDefault][] {
  return Object.entries(schema.shape) as [string, z.ZodDefault][];
}

const methodFlag = (name: string) => flagNames[name] ?? flagOf(name);

/** A number, or numbers by commas, for commander. */
function numbers(text: string): string {
  if (text.split(",").every((part) => part.trim() !== "" && !Number.isNaN(Number(part)))) return text;
  throw new InvalidArgumentError("expected a number");
}

/** What a list of words may hold; undefined of an option that is none. */
function wordsOf(field: z.ZodDefault): readonly string[] | undefined {
  const type = field.unwrap();
  return type instanceof z.ZodArray && type.element instanceof z.ZodEnum
    ? (type.element.options as readonly string[])
    : undefined;
}

/** Words by commas, for commander. */
const among = (words: readonly string[]) => (text: string) => {
  const unknown = text.split(",").find((word) => !words.includes(word.trim()));
  if (unknown === undefined) return text;
  throw new InvalidArgumentError(`there is no "${unknown.trim()}"; choose of ${words.join(", ")}`);
};

/** One flag for every option of the method, so that the schema stays the only list of them. */
function addMethodOptions(command: Command, method: Method): void {
  for (const [name, field] of fieldsOf(method)) {
    const flag = methodFlag(name);
    const words = wordsOf(field);
    const description = field.description!.replace(/`(\w+)`/g, (_, other) => `--${methodFlag(other)}`);
    const type = field.unwrap();
    const initial = field.parse(undefined);
    const isList = Array.isArray(initial);
    const text = `${description} (default: ${isList && initial.length === 0 ? "none" : initial})`;
    if (initial === true) command.option(`--no-${flag}`, `do not: ${description}`);
    else if (initial === false) command.option(`--${flag}`, description);
    else if ("options" in type)
      command.addOption(new Option(`--${flag} <word>`, text).choices(type.options as readonly string[]));
    else if (words)
      command.option(
        `--${flag} <names>`,
        `${description}: by commas, of ${words.join(", ")} (default: all)`,
        among(words),
      );
    else command.option(`--${flag} <${isList ? "n,n,…" : "n"}>`, text, numbers);
  }
}

/** Method options among the flags, converted to the types of the schema. */
export function methodOptions(method: Method, flags: Readonly<Record<string, unknown>>): TrainingOptions {
  const given: Record<string, unknown> = {};
  for (const [name, field] of fieldsOf(method)) {
    const key = methodFlag(name).replace(/-([a-z])/g, (_, letter) => letter.toUpperCase());
    const value = flags[key];
    if (value === undefined) continue;
    const initial = field.parse(undefined);
    const parts = String(value)
      .split(",")
      .map((part) => part.trim());
    if (Array.isArray(initial)) given[name] = wordsOf(field) ? parts : parts.map(Number);
    else given[name] = typeof initial === "number" ? Number(value) : value;
  }
  return method.options(given as never);
}

async function run(method: Method, flags: TrainFlags & Record<string, unknown>, command: Command): Promise<void> {
  const again = `acutance train ${method.name} --resume ${flags.resume ?? flags.out}`;
  await inRanks(flags, again, (ranks) => trained(method, flags, command, ranks));
}

/** @param ranks those that train together, this process among them; the first writes */
async function trained(
  method: Method,
  flags: TrainFlags & Record<string, unknown>,
  command: Command,
  ranks: MpiRanks | undefined,
): Promise<void> {
  if (method.withoutLabels) expectPicturesAlone(flags, command);
  else if (!flags.resume && !namesData(flags))
    command.error("error: --data and --csv are needed (or --data and --dataset), or --resume", { exitCode: 2 });
  const options = methodOptions(method, flags);
  using stop = interruptible();
  const folder = flags.resume ?? flags.out;
  const isFirst = (ranks?.rank ?? 0) === 0;
  if (ranks) {
    // What mpirun hands on to all ranks, and leaves them time for.
    process.on("SIGUSR2", stop.ask);
    console.error(`${ranks.size} ranks over ${ranks.version.split(",")[0]}`);
  }
  const source = ranks ? rankDevice(flags, ranks) : deviceSource(flags);
  const hooks: TrainingHooks = {
    tune: pacedTuning(),
    folder,
    progress,
    log: (line) => console.error(line),
    signal: stop.signal,
    decoding: decodingOf(flags),
    ...(flags.checkpointSeconds !== undefined && { checkpointSeconds: flags.checkpointSeconds }),
    ...(flags.featureFolder && { featureFolder: flags.featureFolder }),
    testEachEpoch: flags.testEachEpoch === true,
    ...(ranks && { ranks }),
    command: `acutance ${process.argv.slice(2).join(" ")}`,
  };
  const overwrite = flags.overwrite === true;
  // Before the pictures are looked at for nothing.
  if (!isFirst) {
    // The first rank's.
  } else if (!flags.resume) {
    outputFolder(folder, "--out");
    await expectFreeFolder(folder, { overwrite });
  } else await ownCheckpoint(method, folder);
  const data = flags.resume
    ? undefined
    : await (method.withoutLabels ? picturesAlone(flags, stop.signal) : trainingData(flags, options, stop.signal));
  // Held until the record is written, too.
  await using lock = isFirst ? await FolderLock.take(folder, hooks.log) : undefined;
  const held = { ...hooks, ...(lock && { lock }) };
  if (!data) {
    const resumed = await resumeTraining(method, source, held);
    using _device = resumed.model.device;
    if (isFirst) await finish(resumed, folder, `${method.title}, ${folder}`);
    return;
  }
  const onStart = (run: string) => writeSplit(folder, data, run);
  const result = await startTraining(
    method,
    source,
    data,
    options as never,
    { ...held, overwrite, onStart },
    {
      ...(flags.init && { init: flags.init.length === 1 ? flags.init[0]! : flags.init }),
      ...(flags.from && { from: flags.from }),
    },
  );
  using _device = result.model.device;
  if (isFirst) await finish(result, folder, `${method.title} on ${flags.data ?? flags.unlabelled}`);
}

/** Options that say what is rated, and how it is divided. */
const ratedOptions = ["data", "csv", "dataset", "extraLabels", "modelLabels", "ranked"] as const;

function expectPicturesAlone(flags: TrainFlags, command: Command): void {
  const given = ratedOptions.find((name) => flags[name] !== undefined);
  if (given)
    command.error(`error: --${flagOf(given)}: ${command.name()} learns from pictures alone; give --unlabelled FOLDER`, {
      exitCode: 2,
    });
  if (!flags.resume && !flags.unlabelled) command.error("error: --unlabelled is needed, or --resume", { exitCode: 2 });
}

/** Pictures of which no score is looked at. */
async function picturesAlone(flags: TrainFlags, signal: AbortSignal): Promise<TrainingData> {
  const range = flags.range ?? ([0, 100] as const);
  const none = { labelled: [], validation: [], test: [] };
  const unlabelled = await extraPictures(flags, { ...none, range }, signal);
  console.error(`${unlabelled.length} unlabelled pictures`);
  return { ...none, unlabelled, range };
}

async function trainingData(flags: TrainFlags, options: TrainingOptions, signal: AbortSignal): Promise<TrainingData> {
  const { ratio, splitSeed: seed, protocol, validationShare } = flags;
  ratioShares(ratio);
  const { folds = 5, fold = 1, strata } = flags;
  if (protocol !== "folds" && (flags.folds ?? flags.fold) !== undefined)
    throw new Error(`${flags.fold ? "--fold" : "--folds"} is for --protocol folds, got --protocol ${protocol}`);
  if (fold > folds) throw new Error(`--fold ${fold} is none of --folds ${folds}; give one from 1 to ${folds}`);
  expectSetClasses(flags, options);
  const dataset = await openDataset(flags, flags.check, signal);
  const rows = [...dataset.rows, ...(await extraLabels(dataset, flags, signal))];
  // Groups of a known data set are there to be kept together; those of a CSV when asked for.
  const grouped = flags.groupColumn || (flags.dataset && ratedRows(rows).every(({ group }) => group !== undefined));
  const by = grouped ? "group" : "image";
  const { description, ...parts } = divide(rows, {
    protocol,
    ratio,
    seed,
    by,
    validationShare,
    ...{ folds, fold },
    ...(strata > 0 && { strata: (mos: number) => classOfMos(mos, rangeOf(dataset), strata) }),
    words: optionWords,
  });
  const range = rangeOf(dataset);
  const { labelled, validation, test } = parts;
  const unlabelled = [...parts.unlabelled, ...(await extraPictures(flags, { ...parts, range }, signal))];
  const pseudo = await pseudoLabels(flags, { ...parts, range }, options, signal);
  const sets = flags.ranked ? await rankedSets(flags.ranked) : [];
  const ranked = withoutCopiesOf(sets, [...validation, ...test]);
  const held = validation.length > 0 ? `${validation.length} validation, ` : "";
  const guessed = pseudo.length > 0 ? `${pseudo.length} pseudo-labelled, ` : "";
  console.error(
    `${labelled.length} labelled, ${guessed}${unlabelled.length} unlabelled, ${held}${test.length} test pictures${rankedWords(sets.length, ranked.length)}`,
  );
  return {
    ...parts,
    labelled: [...labelled, ...pseudo],
    unlabelled,
    ...(ranked.length > 0 && { ranked }),
    range,
    split: description,
  };
}

/** @throws Error when classes of a known set are to be learned as another number of classes */
function expectSetClasses({ dataset }: TrainFlags, { head, levels }: TrainingOptions): void {
  const classes = dataset && knownSets[dataset]?.classes;
  if (!classes || head !== "classes" || levels === classes) return;
  throw new Error(`--levels ${levels}: ${dataset} has ${classes} classes; give --levels ${classes}`);
}

function rankedWords(found: number, kept: number): string {
  if (found === 0) return "";
  const without = found > kept ? ` (${found - kept} of validation or test pictures left out)` : "";
  return `, ${kept} ranked sets of copies${without}`;
}

/** Writes record and report, prints the results, and says whether the last phase beats the first. */
export async function finish(result: TrainingResult, folder: string, title: string): Promise<void> {
  const record = runRecord(result, title);
  result.model.dispose();
  const report = await writeRun(folder, record);
  printResults(record);
  console.log(`\nmodels: ${result.files.map((file) => join(folder, file)).join(", ")}\nreport: ${report}`);
  if (record.parts.test > 0) console.log(`\n${outcome(record)}`);
}

function printResults(record: RunRecord): void {
  const { results } = record;
  const named = results.map((result) => ({ ...result, name: resultName(result, results) }));
  if (named.length > 0) console.log(resultTable(named));
  else console.log(untested(record));
  if (record.classes?.length) printClasses(record.classes);
  console.log("");
  console.log(
    table(
      ["phase", "time"],
      record.phases.map(({ name, seconds }) => [name, formatSeconds(seconds)]),
    ),
  );
  console.log(`\ndevice memory at its peak: ${formatBytes(record.peakDeviceBytes)}; ${record.hardware.adapter}`);
}

/** Why there are no results. */
function untested({ parts }: RunRecord): string {
  return parts.labelled === 0
    ? "learnt from pictures alone: there are no ratings to test on"
    : "there is no test part, so nothing was tested; give a --ratio that leaves one, or acutance evaluate --model with other rated pictures";
}

/** Agreement of classes, and what is to be said of it. */
export function printClasses(results: readonly ClassResult[]): void {
  const { headers, rows } = classTable(results);
  console.log(`\n${table(headers, rows)}`);
  for (const result of results) console.log(constantsSentence(result));
}

/** Evaluations side by side. */
export function resultTable(results: readonly { readonly name: string; readonly evaluation: Evaluation }[]): string {
  const number = (value: number, digits: number) => (Number.isFinite(value) ? value.toFixed(digits) : "-");
  return table(
    ["part", "n", "SRCC", "KRCC", "PLCC", "PLCC fitted", "RMSE", "MAE", "slope"],
    results.map(({ name, evaluation: e }) => [
      name,
      e.n,
      ...[e.srcc, e.krcc, e.plcc, e.plccFitted].map((value) => number(value, 3)),
      ...[e.rmse, e.mae].map((value) => number(value, 2)),
      number(e.slope, 2),
    ]),
  );
}
