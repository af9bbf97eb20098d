import { type Command, InvalidArgumentError, Option } from "commander";
import { printable } from "../models/data/files/file-name.ts";
import {
  type Dataset,
  type DatasetOptions,
  type Decoding,
  knownSets,
  loadDataset,
  loadKnownSet,
  type MosRange,
  type OptionWords,
  problemLines,
  type Row,
  scan,
} from "../models/data/index.ts";
import { progress } from "./terminal.ts";

/** Options that say which pictures are refused; the same for every command that decodes pictures. */
export interface DecodingOptions {
  readonly strictness?: "warning" | "error" | "truncated";
  readonly maxPixels?: number;
}

/** Adds --strictness, which takes the library's words. */
export function addStrictness(command: Command): Command {
  return command.addOption(
    new Option(
      "--strictness <word>",
      "what is refused: warning, pictures of which a part is missing or broken; error, those that the decoder cannot fill up; truncated, not even those with broken blocks",
    )
      .choices(["warning", "error", "truncated"])
      .default("warning"),
  );
}

/** Adds --strictness and --max-pixels. */
export function addDecodingOptions(command: Command): Command {
  return addStrictness(command).option(
    "--max-pixels <n>",
    "refuse pictures with more pixels (default: 268402689)",
    wholeNumber(1),
  );
}

/** The options as the library takes them. */
export function decodingOf({ strictness, maxPixels }: DecodingOptions): Decoding {
  return { ...(strictness && { strictness }), ...(maxPixels !== undefined && { maxPixels }) };
}

/** Options that name a data set; the same for every command that reads one. */
export interface DataOptions {
  readonly data: string;
  readonly csv?: string;
  readonly dataset?: string;
  readonly range?: MosRange;
  readonly lowerIsBetter?: boolean;
  readonly exclude?: { readonly column: string; readonly value: string };
  readonly nameColumn?: string;
  readonly mosColumn?: string;
  readonly sdColumn?: string;
  readonly groupColumn?: string;
  readonly splitColumn?: string;
}

/** How messages of the library call these options. */
export const optionWords: OptionWords = {
  columns: {
    name: "--name-column",
    mos: "--mos-column",
    sd: "--sd-column",
    group: "--group-column",
    split: "--split-column",
  },
  folder: "--data",
  range: "--range",
  lowerIsBetter: "--lower-is-better",
  exclude: "--exclude",
  strata: "--strata",
  namesOnly: "",
};

export function addDataOptions(command: Command): Command {
  return command
    .option("--data <folder>", "folder that holds the pictures")
    .option("--csv <file>", "CSV or .xlsx file with a header: names of pictures and their MOS")
    .addOption(
      new Option(
        "--dataset <name>",
        "instead of --csv: a known data set, unpacked in --data (see `acutance data list`)",
      )
        .choices(Object.keys(knownSets))
        .conflicts(["csv", "lowerIsBetter"]),
    )
    .option(
      "--range <low:high>",
      "nominal ends of the MOS scale, e.g. 0:100 (default: those found in the CSV)",
      parseRange,
    )
    .option("--lower-is-better", "the scores are a DMOS: turn them round within --range")
    .option("--exclude <column=value>", "leave out the rows whose column holds the value", parseExclusion)
    .option("--name-column <column>", "CSV column of picture names, when it is not recognised")
    .option("--mos-column <column>", "CSV column of the MOS")
    .option("--sd-column <column>", "CSV column of the standard deviation")
    .option("--group-column <column>", "CSV column of the group (scene, reference)")
    .option("--split-column <column>", "CSV column of the part a picture belongs to");
}

/** Whether the options say where the scores are. */
export function namesData({ data, csv, dataset }: Partial<DataOptions>): boolean {
  return Boolean(data && (csv || dataset));
}

export function parseRange(text: string): MosRange {
  const ends = text.split(":").map((end) => (end.trim() === "" ? Number.NaN : Number(end)));
  if (ends.length !== 2 || !ends.every(Number.isFinite) || !(ends[0]! < ends[1]!)) {
    throw new InvalidArgumentError("expected two numbers, the lower first, such as 0:100");
  }
  return [ends[0]!, ends[1]!];
}

function parseExclusion(text: string) {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("expected column=value");
  return { column: text.slice(0, at), value: text.slice(at + 1) };
}

/** A whole number of at least `least` and at most `most`, for commander. */
export function wholeNumber(least: number, most = Number.POSITIVE_INFINITY) {
  const allowed = most === Number.POSITIVE_INFINITY ? `of at least ${least}` : `from ${least} to ${most}`;
  return (text: string): number => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`expected a whole number ${allowed}`);
    return value;
  };
}

/** A share from 0 on: below 1, or 1 too, for commander. */
export function share(end: "to below 1" | "to 1") {
  return (text: string): number => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (value >= 0 && (value < 1 || (end === "to 1" && value === 1))) return value;
    throw new InvalidArgumentError(`expected a number from 0 ${end}`);
  };
}

/** Name, text and parser of the option that covers pictures by tiles. */
export const tilesOption = [
  "--tiles <n>",
  "score a picture by the mean over a grid of at most n tiles at original size that covers it; larger ones are reduced until it does (default: as the model was tested)",
  wholeNumber(1),
] as const;

/**
 * Reads the data set, decodes every picture once unless told not to, and prints what was found and left out to stderr.
 * @throws DatasetError when nothing usable is found; the signal's reason
 */
export async function openDataset(
  options: DataOptions & DecodingOptions,
  check: boolean,
  signal?: AbortSignal,
): Promise<Dataset> {
  let dataset = options.dataset
    ? await loadKnownSet(options.dataset, options.data, rangeAndExclusion(options))
    : await loadDataset(csvOptions(options));
  if (check) dataset = await checkPictures(dataset, decodingOf(options), signal);
  reportDataset(dataset);
  return dataset;
}

/** A data set of --csv as the library takes it. */
export function csvOptions(options: DataOptions): DatasetOptions {
  const { data, csv = "", nameColumn, mosColumn, sdColumn, groupColumn, splitColumn, lowerIsBetter } = options;
  return {
    folder: data,
    csv,
    columns: {
      ...(nameColumn && { name: nameColumn }),
      ...(mosColumn && { mos: mosColumn }),
      ...(sdColumn && { sd: sdColumn }),
      ...(groupColumn && { group: groupColumn }),
      ...(splitColumn && { split: splitColumn }),
    },
    ...rangeAndExclusion(options),
    ...(lowerIsBetter && { lowerIsBetter }),
  };
}

export function rangeAndExclusion({
  range,
  exclude,
}: DataOptions): Pick<DatasetOptions, "range" | "exclude" | "words"> {
  return { ...(range && { range }), ...(exclude && { exclude }), words: optionWords };
}

/** Decodes every picture once and leaves out the broken ones. */
export async function checkPictures(dataset: Dataset, decoding: Decoding, signal?: AbortSignal): Promise<Dataset> {
  const bar = progress("checking pictures", dataset.rows.length);
  let shown = 0;
  try {
    return await scan(dataset, {
      ...decoding,
      ...(signal && { signal }),
      onProgress: (done) => {
        bar.advance(done - shown);
        shown = done;
      },
    });
  } finally {
    bar.stop();
  }
}

/** Problems told in full at most; of the others the lines are named. */
const shownProblems = 10;

export function reportDataset({ rows, problems, warnings, excluded, range, rangeSource }: Dataset): void {
  const scale = range ? `, MOS scale [${range.join(", ")}] (${rangeSource})` : "";
  const left = problems.length > 0 ? `, ${problems.length} left out` : "";
  console.error(`${rows.length} pictures${left}${excluded ? `, ${excluded} excluded` : ""}${scale}`);
  reportLeftOut({ problems, warnings });
}

/** Prints to stderr what is not among the pictures of a data set, and what there is to know of it. */
export function reportLeftOut({ problems, warnings }: Pick<Dataset, "problems" | "warnings">): void {
  for (const line of problemLines(problems, shownProblems)) console.error(`left out: ${printable(line)}`);
  for (const warning of warnings) console.error(`note: ${warning}`);
}

/** The MOS scale of a data set whose rows are rated. */
export function rangeOf(dataset: Dataset): MosRange {
  if (!dataset.range) throw new Error("the CSV holds no MOS; name its column with --mos-column");
  return dataset.range;
}

export type { Row };
