import { dirname, join } from "node:path";
import { type Command, Option } from "commander";
import {
  type Dataset,
  knownSets,
  loadDataset,
  loadFolder,
  loadKnownSet,
  type MosRange,
  observedRange,
  problemLines,
  type Row,
  withoutCopies,
} from "../models/data/index.ts";
import { loadPseudoLabels, type PseudoLabelledRow } from "../models/labels/pseudo-label-file.ts";
import type { TrainingOptions } from "../models/training/options.ts";
import type { RatedRow } from "../models/training/training.ts";
import {
  checkPictures,
  type DataOptions,
  type DecodingOptions,
  decodingOf,
  optionWords,
  rangeOf,
  reportDataset,
  reportLeftOut,
  share,
} from "./data-options.ts";

/** Pictures beside those of the data set. */
export interface FurtherPictures extends DataOptions, DecodingOptions {
  readonly unlabelled?: string;
  readonly unlabelledSet?: string;
  readonly extraLabels?: string;
  readonly protocol: "random" | "official" | "folds";
  readonly check: boolean;
  readonly modelLabels?: string;
  readonly modelLabelsFolder?: string;
  readonly modelLabelsWeight: "confidence" | "one";
  readonly modelLabelsTarget: "soft" | "hard";
  readonly leastConfidence: number;
}

/** Those that people rated, and the scale of their scores. */
interface Parts {
  readonly labelled: readonly RatedRow[];
  readonly validation: readonly RatedRow[];
  readonly test: readonly RatedRow[];
  readonly range: MosRange;
}

/** Adds the options of pictures beside those of the data set. */
export function addFurtherPictures(command: Command): Command {
  return command
    .option("--unlabelled <folder>", "further pictures without scores; those that are rated already are left out")
    .addOption(
      new Option(
        "--unlabelled-set <name>",
        "the known data set that --unlabelled holds, such as kadis-pristine: those of its pictures that its own list names",
      ).choices(Object.keys(knownSets)),
    )
    .option(
      "--extra-labels <csv>",
      "further rated pictures on the same scale, in the folder of the file; with --protocol official those without a part are trained on",
    )
    .option(
      "--model-labels <csv>",
      "pictures that another model labelled, as `acutance label` writes them; they are trained on as labelled ones, and counted nowhere else",
    )
    .option("--model-labels-folder <folder>", "folder of the pictures of --model-labels (default: that of the file)")
    .addOption(
      new Option("--model-labels-weight <word>", "what a pseudo-label weighs in the loss: its confidence, or 1")
        .choices(["confidence", "one"])
        .default("confidence"),
    )
    .addOption(
      new Option(
        "--model-labels-target <word>",
        "what is learned of a pseudo-label: its probabilities where the file has those of the same kind of head, or its class or score alone",
      )
        .choices(["soft", "hard"])
        .default("soft"),
    )
    .option("--least-confidence <n>", "leave out pseudo-labels of less confidence, 0 to 1", share("to 1"), 0);
}

/** The pictures of `--unlabelled`, whose scores are not looked at. */
export async function extraPictures(
  flags: FurtherPictures,
  { labelled, validation, test }: Parts,
  signal: AbortSignal,
): Promise<Row[]> {
  const { unlabelled, unlabelledSet: set, check } = flags;
  if (!unlabelled) {
    if (set) throw new Error(`--unlabelled-set ${set}: --unlabelled does not say in which folder it is`);
    return [];
  }
  const folder = set ? await loadKnownSet(set, unlabelled, { words: optionWords }) : await loadFolder(unlabelled);
  reportLeftOut(folder);
  const { rows } = check ? await checkPictures(folder, decodingOf(flags), signal) : folder;
  const unrated = await withoutCopies(await withoutCopies(rows, [...validation, ...test]), labelled, "path");
  if (unrated.length < rows.length)
    console.error(`note: --unlabelled: ${rows.length - unrated.length} pictures are rated ones, and left out`);
  // Names are unique within a run: those of the folder get its name in front.
  return unrated.map(({ name, path }) => ({ name: join(unlabelled, name), path }));
}

/**
 * The rated pictures of `--extra-labels`, on the scale of the data set that they join. In an official split, those of which
 * their file does not say the part are trained on.
 * @throws Error when one of them is in the data set, its file or one with the same bytes
 */
export async function extraLabels(dataset: Dataset, flags: FurtherPictures, signal: AbortSignal): Promise<Row[]> {
  const { extraLabels: csv, check, lowerIsBetter, protocol } = flags;
  if (!csv) return [];
  const folder = dirname(csv);
  const classes = flags.dataset && knownSets[flags.dataset]?.classes;
  const scale = { range: rangeOf(dataset), ...(lowerIsBetter && { lowerIsBetter }), ...(classes && { classes }) };
  let extra = await loadDataset({ folder, csv, ...scale, words: { ...optionWords, folder: "--extra-labels" } });
  const wrong = classes ? extra.problems.filter(({ kind }) => kind === "mos") : [];
  if (wrong.length > 0) {
    const lines = problemLines(wrong, 5).map((line) => `  ${line}`);
    throw new Error(`--extra-labels ${csv}: mend or leave out its lines:\n${lines.join("\n")}`);
  }
  if (check) extra = await checkPictures(extra, decodingOf(flags), signal);
  reportDataset(extra);
  // Parts are drawn afterwards: one copy of a picture could be trained on, the other be a test.
  const others = new Set(await withoutCopies(extra.rows, dataset.rows));
  const twin = extra.rows.find((row) => !others.has(row));
  if (twin)
    throw new Error(
      `--extra-labels rates ${twin.name}, which is in --data, itself or as a copy; leave its line out of ${csv}`,
    );
  return extra.rows.map((row) => ({
    ...row,
    name: `${folder}/${row.name}`,
    ...(protocol === "official" && row.split === undefined && row.mos !== undefined && { split: "training" }),
  }));
}

/**
 * The pictures of `--model-labels`, without those that people rated, and without copies of validation and test pictures.
 * @throws DatasetError when a line cannot be learned by the network that the options ask for
 */
export async function pseudoLabels(
  flags: FurtherPictures,
  { labelled, validation, test, range }: Parts,
  options: Pick<TrainingOptions, "head" | "levels" | "ordinal" | "range">,
  signal: AbortSignal,
): Promise<PseudoLabelledRow[]> {
  const {
    modelLabels: csv,
    modelLabelsFolder,
    modelLabelsWeight: weight,
    modelLabelsTarget: target,
    leastConfidence,
    check,
  } = flags;
  if (!csv) {
    if (modelLabelsFolder)
      throw new Error(`--model-labels-folder ${modelLabelsFolder}: --model-labels does not say which labels`);
    return [];
  }
  const folder = modelLabelsFolder ?? dirname(csv);
  const learned = options.range === "observed" ? observedRange(labelled.map(({ mos }) => mos)) : range;
  const { head, levels, ordinal } = options;
  const network = { head, levels, ordinal, range: learned };
  const how = { weight, target, leastConfidence };
  const found = await loadPseudoLabels({ csv, folder, ...network, ...how, words: pseudoWords });
  const { rows } = check ? await checkPictures(found, decodingOf(flags), signal) : found;
  if (rows.length < found.rows.length)
    console.error(`left out: ${found.rows.length - rows.length} pictures of --model-labels that cannot be decoded`);
  const others = await withoutCopies(rows, [...labelled, ...validation, ...test]);
  const facts = [
    [rows.length - others.length, "copies of rated pictures"],
    [found.unsure, "of less confidence"],
    [found.failed, "with an error"],
  ].flatMap(([count, what]) => (count ? [`${count} ${what}`] : []));
  for (const warning of found.warnings) console.error(`note: ${warning}`);
  console.error(`${others.length} pseudo-labels${facts.length > 0 ? `; left out: ${facts.join(", ")}` : ""}`);
  return others.map((row) => ({ ...row, name: join(folder, row.name) })) as PseudoLabelledRow[];
}

/** How messages of the library call the options of pseudo-labels. */
const pseudoWords = {
  columns: optionWords.columns,
  folder: "--model-labels-folder",
  weight: "--model-labels-weight",
  leastConfidence: "--least-confidence",
  target: "--model-labels-target",
  levels: "--levels",
};
