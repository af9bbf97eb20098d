import { relative, sep } from "node:path";
import type { Command } from "commander";
import { type Dataset, loadDataset, loadFolder, loadKnownSet } from "../models/data/index.ts";
import { labelPool, type PoolPicture } from "../models/scoring/label-file.ts";
import { openScorer } from "../models/scoring/scorer.ts";
import {
  addDataOptions,
  addDecodingOptions,
  csvOptions,
  type DataOptions,
  type DecodingOptions,
  decodingOf,
  rangeAndExclusion,
  reportDataset,
  share,
  tilesOption,
} from "./data-options.ts";
import { addTuningOptions, checkNumbersOption, deviceSource, memoryOption, type TuningFlags } from "./device.ts";
import { beforeEnd } from "./interrupt.ts";
import { modelOption } from "./model-option.ts";
import { outputFile } from "./output.ts";
import { errorWords } from "./score-words.ts";
import { partNames } from "./split-part.ts";
import { progress } from "./terminal.ts";

interface LabelFlags extends DataOptions, DecodingOptions, TuningFlags {
  readonly model: string;
  readonly out: string;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  readonly distribution?: boolean;
  readonly leastConfidence: number;
  readonly split?: string;
  readonly part: string;
  readonly tiles?: number;
  readonly checkNumbers?: boolean;
  readonly memory?: number;
}

export function register(program: Command): void {
  const command = program
    .command("label")
    .description("label a pool of pictures with a model, for `acutance train … --model-labels`")
    .addOption(modelOption());
  addDataOptions(command)
    .option("--split <file>", "split.csv of a training run: label one part of it")
    .option("--part <name>", "the part, with --split: labelled, unlabelled, validation or test", "unlabelled")
    .requiredOption("--out <file>", "CSV file that gets a row for every picture")
    .option("--resume", "go on with --out: pictures that have a label there are not labelled again")
    .option("--overwrite", "replace --out, which is otherwise left alone")
    .option("--distribution", "write every probability, also when there are more than 10")
    .option("--no-distribution", "write no probabilities")
    .option("--least-confidence <n>", "leave out pictures of which the model is less sure, 0 to 1", share("to 1"), 0)
    .option(...tilesOption)
    .option(...checkNumbersOption)
    .option(...memoryOption)
    .addHelpText("after", notes)
    .action((flags: LabelFlags) => {
      if (!flags.data) command.error("error: --data is needed, the folder of the pictures", { exitCode: 2 });
      if (flags.resume && flags.overwrite)
        command.error("error: --resume and --overwrite: choose one of them", { exitCode: 2 });
      return run(flags);
    });
  addTuningOptions(addDecodingOptions(command));
}

const notes = `
--data alone takes every picture of the folder and its subfolders; --csv those that a table names, whose scores are not looked at;
--dataset those of a known set, such as kadis-pristine.

Columns: name (relative to --data), score on the scale low to high, class (from 0, the lowest quality), confidence (0 to 1: the largest
probability of classes, 1 - H/ln m of a distribution), p1, p2, … (probabilities of the classes or of the score set, the lowest quality
first; up to 10 of them unless --distribution is given), error, and model, which tells labels of one model from those of another.

Rows are written one by one. After Ctrl-C or a kill the same command with --resume goes on; pictures with an error are tried again.
The exit code is 1 when a picture could not be labelled, 130, 143 or 129 after an interruption.

Examples:
  acutance label --model runs/freematch/model.safetensors --data pool --out pool/labels.csv
  acutance label --model runs/freematch/model.safetensors --data photos --csv scores.csv --split runs/freematch/split.csv --out labels.csv
  acutance train supervised --data photos --csv scores.csv --range 0:100 --head classes --model-labels pool/labels.csv`;

async function run(flags: LabelFlags): Promise<void> {
  outputFile(flags.out, "--out");
  const pictures = await poolOf(flags);
  if (pictures.length === 0) throw new Error("there is no picture to label");
  const bar = progress("labelling", pictures.length);
  let done = 0;
  using _ = beforeEnd((interrupted) => {
    bar.stop();
    if (interrupted) console.error(`interrupted: ${done} of ${pictures.length} pictures are done; go on with --resume`);
  });
  await using scorer = await openScorer({
    model: flags.model,
    device: deviceSource(flags),
    ...decodingOf(flags),
    onNote: (note) => console.error(`note: ${note}`),
    ...(flags.tiles !== undefined && { tiles: flags.tiles }),
  });
  const { labelled, failed, unsure } = await labelPool(scorer, pictures, flags.out, {
    model: flags.model,
    leastConfidence: flags.leastConfidence,
    existing: flags.resume ? "resume" : flags.overwrite ? "replace" : "refuse",
    ...(flags.distribution !== undefined && { distribution: flags.distribution }),
    errorText: errorWords,
    onDone: (count) => {
      done += count;
      bar.advance(count);
    },
  }).finally(() => bar.stop());
  const less = unsure > 0 ? `, ${unsure} left out below the confidence ${flags.leastConfidence}` : "";
  console.error(`${labelled} of ${pictures.length} pictures are labelled${less}`);
  if (failed === 0) return;
  console.error(`${failed} of ${pictures.length} pictures could not be labelled`);
  process.exitCode = 1;
}

/** The pictures that the flags mean, and what of a folder cannot be looked at. */
async function poolOf(flags: LabelFlags): Promise<PoolPicture[]> {
  const { data, csv, dataset, split, part } = flags;
  const found = await openPool(flags);
  const chosen = split ? (await partNames(split, part)).names : undefined;
  const rows = found.rows.filter(({ name }) => chosen?.has(name) ?? true);
  if (chosen && rows.length < chosen.size) {
    console.error(
      `note: ${chosen.size - rows.length} of the ${chosen.size} pictures of the part "${part}" are not there`,
    );
  }
  const named = (path: string) => relative(data, path).split(sep).join("/");
  const pictures: PoolPicture[] = rows.map(({ path }) => ({ name: named(path), path }));
  if (csv || dataset) return pictures;
  const leftOut = found.problems.map(({ name, detail }) => ({ name, path: name, leftOut: detail }));
  return [...pictures, ...leftOut].sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function openPool(flags: LabelFlags): Promise<Dataset> {
  const { data, csv, dataset } = flags;
  const opened = dataset
    ? await loadKnownSet(dataset, data, rangeAndExclusion(flags))
    : csv
      ? await loadDataset({ ...csvOptions(flags), columns: { ...csvOptions(flags).columns, mos: false } })
      : await loadFolder(data);
  if (csv || dataset) reportDataset(opened);
  else for (const warning of opened.warnings) console.error(`note: ${warning}`);
  return opened;
}
