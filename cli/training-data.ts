import { type Command, Option } from "commander";
import { divide, knownSets, rankedSets, ratedRows, ratioShares, withoutCopiesOf } from "../models/data/index.ts";
import { classOfMos } from "../models/training/class-results.ts";
import type { TrainingOptions } from "../models/training/options.ts";
import type { TrainingData } from "../models/training/training.ts";
import {
  addDataOptions,
  addDecodingOptions,
  openDataset,
  optionWords,
  rangeOf,
  share,
  wholeNumber,
} from "./data-options.ts";
import {
  addFurtherPictures,
  extraLabels,
  extraPictures,
  type FurtherPictures,
  pseudoLabels,
} from "./further-pictures.ts";
import { flagOf } from "./option-words.ts";

/** What is learned from, and how it is divided. */
export interface TrainingDataFlags extends FurtherPictures {
  readonly ratio: string;
  readonly protocol: "random" | "official" | "folds";
  readonly folds?: number;
  readonly fold?: number;
  readonly strata: number;
  readonly validationShare: number;
  readonly splitSeed: number;
  readonly ranked?: string;
}

/** Adds the options of all pictures of a training, and of how they are divided. */
export function addTrainingData(command: Command): Command {
  return addFurtherPictures(addDecodingOptions(addDataOptions(command)))
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
      "copies made by `acutance data degrade --ranked`, of any pictures, or a folder of such folders: the stronger degraded are to score less (--rank-weight)",
    );
}

/** Options that say what is rated, and how it is divided. */
const ratedOptions = ["data", "csv", "dataset", "extraLabels", "modelLabels", "ranked"] as const;

/** Ends the command where options do not go with a method that learns from pictures alone. */
export function expectPicturesAlone(flags: TrainingDataFlags & { readonly resume?: string }, command: Command): void {
  const given = ratedOptions.find((name) => flags[name] !== undefined);
  if (given)
    command.error(`error: --${flagOf(given)}: ${command.name()} learns from pictures alone; give --unlabelled FOLDER`, {
      exitCode: 2,
    });
  if (!flags.resume && !flags.unlabelled) command.error("error: --unlabelled is needed, or --resume", { exitCode: 2 });
}

/** Pictures of which no score is looked at. */
export async function picturesAlone(flags: TrainingDataFlags, signal: AbortSignal): Promise<TrainingData> {
  const range = flags.range ?? ([0, 100] as const);
  const none = { labelled: [], validation: [], test: [] };
  const unlabelled = await extraPictures(flags, { ...none, range }, signal);
  console.error(`${unlabelled.length} unlabelled pictures`);
  return { ...none, unlabelled, range };
}

/** The rated pictures in the parts that the options ask for, and what is learned from beside them. */
export async function trainingData(
  flags: TrainingDataFlags,
  options: TrainingOptions,
  signal: AbortSignal,
): Promise<TrainingData> {
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
function expectSetClasses({ dataset }: TrainingDataFlags, { head, levels }: TrainingOptions): void {
  const classes = dataset && knownSets[dataset]?.classes;
  if (!classes || head !== "classes" || levels === classes) return;
  throw new Error(`--levels ${levels}: ${dataset} has ${classes} classes; give --levels ${classes}`);
}

function rankedWords(found: number, kept: number): string {
  if (found === 0) return "";
  const without = found > kept ? ` (${found - kept} of validation or test pictures left out)` : "";
  return `, ${kept} ranked sets of copies${without}`;
}
