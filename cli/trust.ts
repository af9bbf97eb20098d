import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { loadFolder, type MosRange, ratedRows } from "../models/data/index.ts";
import { writeCompanions } from "../models/networks/companions.ts";
import { openScorer, type Scorer } from "../models/scoring/scorer.ts";
import type { Trust, TrustFacts } from "../models/trust/companion.ts";
import { crossCoverage, type IntervalFigures } from "../models/trust/coverage.ts";
import { calibrate, type Judged, leastJudged, percent } from "../models/trust/interval.ts";
import { readPredictions } from "../models/trust/predictions.ts";
import { leastReference, referenceOf } from "../models/trust/reference.ts";
import { expectPhotographs, fitTypicality, type TypicalityFacts } from "../models/trust/typicality.ts";
import {
  addDataOptions,
  addDecodingOptions,
  type DataOptions,
  type DecodingOptions,
  decodingOf,
  namesData,
  openDataset,
  tilesOption,
} from "./data-options.ts";
import { checkNumbersOption, deviceSource, memoryOption } from "./device.ts";
import { modelOption } from "./model-option.ts";
import { outputFile } from "./output.ts";
import { errorWords } from "./score-words.ts";
import { expectOwnSplit, partNames } from "./split-part.ts";
import { progress } from "./terminal.ts";
import { printCoverage } from "./trust-figures.ts";

interface TrustFlags extends DataOptions, DecodingOptions {
  readonly model: string;
  readonly out: string;
  readonly level: number;
  readonly split?: string;
  readonly part: string;
  readonly anySplit?: boolean;
  readonly predictions?: string;
  readonly photographs?: string[];
  readonly json?: boolean;
  readonly memory?: number;
  readonly tiles?: number;
  readonly checkNumbers?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command("trust")
    .description("give a model intervals for its scores, and a measure of how typical a picture is")
    .addOption(modelOption())
    .requiredOption("--out <file>", "safetensors file to write: the model with what is found");
  addDecodingOptions(addDataOptions(command))
    .option("--split <file>", "split.csv of the model's training: calibrate on one part of it")
    .option("--any-split", "go on with a split that is not the model's")
    .option("--part <name>", "the part, with --split: validation, test or unlabelled", "test")
    .option(
      "--predictions <file>",
      "instead of --data: CSV with the columns name, score and mos, made by models that had not learned from the picture",
    )
    .option("--photographs <folder...>", "photographs of the kind that the model is for; no scores are needed")
    .option("--level <share>", "share of pictures whose MOS the interval is to hold", levelOf, 0.9)
    .option("--json", "print one JSON document")
    .option(...tilesOption)
    .option(...checkNumbersOption)
    .option(...memoryOption)
    .addHelpText("after", notes)
    .action(async (flags: TrustFlags) => {
      const wrong = (message: string) => command.error(`error: ${message}`, { exitCode: 2 });
      const rated = flags.data !== undefined || flags.csv !== undefined || flags.dataset !== undefined;
      if (rated && flags.predictions !== undefined) wrong("--predictions and --data: choose one of them");
      if (rated && !namesData(flags)) wrong("--data and --csv are needed (or --data and --dataset)");
      if (!rated && flags.predictions === undefined && !flags.photographs)
        wrong("nothing to learn from: give --data and --csv, --predictions, or --photographs");
      await run(flags);
    });
}

const notes = `
The interval is conformal: calibrated on rated pictures that the model has not learned from, the MOS of further pictures of the same origin lies
within it as often as --level says. The coverage that is printed is of pictures that were left out of the calibration in turn. What a
model has already and is not made anew stays. The scores of the photographs, else of the rated pictures, become the model's reference (from ${leastReference} on):
acutance score --percentiles tells the place of a picture among them.`;

function levelOf(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value >= 0.5 && value <= 0.99) return value;
  throw new InvalidArgumentError("expected a share from 0.5 to 0.99, such as 0.9");
}

async function run(flags: TrustFlags): Promise<void> {
  outputFile(flags.out, "--out");
  const { data, predictions, photographs } = flags;
  await using scorer = await openScorer({
    model: flags.model,
    device: deviceSource(flags),
    features: true,
    ...decodingOf(flags),
    onNote: (note) => console.error(`note: ${note}`),
    ...(flags.tiles !== undefined && { tiles: flags.tiles }),
  });
  const { range } = scorer.card;
  const judged =
    predictions !== undefined
      ? await readPredictions(predictions, range)
      : data !== undefined
        ? await judgedPictures(scorer, flags)
        : undefined;
  const interval = judged && calibrate(judged, range, flags.level);
  const figures = judged && crossCoverage(judged, range, { level: flags.level });
  const typicality = photographs && (await typicalityIn(scorer, photographs));
  const before = scorer.companions.trust;
  const facts: TrustFacts = {
    ...before?.facts,
    ...(interval && { interval }),
    ...(typicality && { typicality: typicality.facts }),
  };
  const trust: Trust = { facts, tensors: typicality?.tensors ?? before?.tensors ?? {} };
  const scores = typicality?.scores ?? judged?.map(({ score }) => score) ?? [];
  const reference = scores.length >= leastReference && {
    facts: referenceOf(scores, referenceWords(flags)),
    tensors: {},
  };
  await writeCompanions(flags.model, flags.out, { ...scorer.companions, trust, ...(reference && { reference }) });
  report(flags, figures, typicality?.facts);
}

/** What the scores of a reference are of; paths are nobody's business. */
function referenceWords({ photographs, predictions, split, part }: TrustFlags): string {
  if (photographs) return "photographs of the kind that the model is for";
  if (predictions !== undefined) return "rated pictures, by models that had not learned from them";
  return split === undefined ? "rated pictures" : `the rated pictures of the part ${part}`;
}

/** Scores of rated pictures beside their MOS. @throws Error when the split is another model's, or the scale is another */
async function judgedPictures(scorer: Scorer, flags: TrustFlags): Promise<Judged[]> {
  const dataset = await openDataset(flags, false);
  const chosen = flags.split ? await partNames(flags.split, flags.part) : undefined;
  if (chosen) expectOwnSplit(flags, scorer.card.run, chosen.run);
  else
    console.error(
      "note: without --split nothing tells whether the model has learned from these pictures; if it has, its intervals are too narrow",
    );
  expectScale(dataset, scorer.card.range);
  const rows = ratedRows(dataset.rows).filter(({ name }) => chosen?.names.has(name) ?? true);
  const least = leastJudged(flags.level);
  // Told before hours of scoring.
  if (rows.length < least)
    throw new Error(
      `an interval of ${percent(flags.level)} needs at least ${least} rated pictures that the model has not learned from, found ${rows.length}`,
    );
  const byPath = new Map(rows.map((row) => [row.path, row]));
  const judged: Judged[] = [];
  for await (const { picture, result } of scoredPictures(scorer, [...byPath.keys()])) {
    judged.push({ score: result.score, mos: byPath.get(picture)!.mos });
  }
  return judged;
}

/** @throws Error when MOS and scores are on different scales */
function expectScale({ range, rangeSource }: Awaited<ReturnType<typeof openDataset>>, [low, high]: MosRange): void {
  if (rangeSource === "nominal" && range!.join() !== [low, high].join())
    throw new Error(
      `the model scores on [${low}, ${high}], the data set is on [${range}]: bring its MOS to the model's scale`,
    );
}

async function* scoredPictures(scorer: Scorer, paths: readonly string[]) {
  const bar = progress("scoring", paths.length);
  try {
    for await (const result of scorer.scoreMany(paths)) {
      bar.advance();
      if ("error" in result) console.error(`left out: ${result.picture}: ${errorWords(result.error)}`);
      else yield { picture: result.picture, result };
    }
  } finally {
    bar.stop();
  }
}

/** What the features of photographs say of further pictures, and their scores. */
async function typicalityIn(
  scorer: Scorer,
  folders: readonly string[],
): Promise<ReturnType<typeof fitTypicality> & { readonly scores: readonly number[] }> {
  const paths: string[] = [];
  for (const folder of folders) paths.push(...(await loadFolder(folder)).rows.map(({ path }) => path));
  expectPhotographs(paths.length);
  const [features, scores] = [[] as Float32Array[], [] as number[]];
  for await (const { result } of scoredPictures(scorer, paths)) {
    features.push(result.feature!);
    scores.push(result.score);
  }
  return { ...fitTypicality(features), scores };
}

function report(
  { out, json, level }: TrustFlags,
  figures: IntervalFigures | undefined,
  typicality: TypicalityFacts | undefined,
): void {
  if (json) {
    const found = { ...(figures && { level, ...figures }), ...(typicality && { photographs: typicality.photographs }) };
    console.log(JSON.stringify({ out, ...found }, null, 2));
    return;
  }
  if (figures) {
    console.log("Left out of the calibration in turn:");
    printCoverage(figures, percent(level));
  }
  if (typicality) console.log(`What is typical is learned from ${typicality.photographs} photographs.`);
  console.log(`${out}: the model with what was found`);
}
