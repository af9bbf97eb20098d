import { statSync } from "node:fs";
import { dirname } from "node:path";
import { type Command, Option } from "commander";
import { type Adaptation, type AdaptReport, adapt, type Compared, type PersonalRating } from "../models/adapt/index.ts";
import { asText, printable } from "../models/data/files/file-name.ts";
import { loadFolder, type MosRange, ratedRows } from "../models/data/index.ts";
import { openStore } from "../models/store/index.ts";
import { percent } from "../models/trust/interval.ts";
import {
  addDataOptions,
  addDecodingOptions,
  type DataOptions,
  type DecodingOptions,
  decodingOf,
  openDataset,
  rangeOf,
} from "./data-options.ts";
import { checkNumbersOption, deviceSource, memoryOption } from "./device.ts";
import { modelOption } from "./model-option.ts";
import { outputFile } from "./output.ts";
import { progress, table } from "./terminal.ts";

interface AdaptFlags extends DataOptions, DecodingOptions {
  readonly model: string;
  readonly out: string;
  readonly good?: readonly string[];
  readonly bad?: readonly string[];
  readonly store?: string;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly memory?: number;
  readonly checkNumbers?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command("adapt")
    .description("adapt a model to ratings of your own, and say whether that makes it better on other pictures")
    .addOption(modelOption())
    .requiredOption("--out <file>", "safetensors file to write, which --model of the other commands takes");
  addDecodingOptions(addDataOptions(command))
    .addOption(
      new Option("--good <folder...>", "instead of ratings: folders of pictures that you find good").conflicts([
        "data",
        "csv",
        "dataset",
      ]),
    )
    .option("--bad <folder...>", "with --good: folders of pictures that you find bad")
    .option(
      "--store <file>",
      "keep what is computed of the pictures in this file, that of `acutance score --store` or a new one, and take it from there",
    )
    .option("--force", "write the model even where it is no better")
    .option("--json", "print one JSON document")
    .option(...checkNumbersOption)
    .option(...memoryOption)
    .addHelpText("after", notes)
    .action(async (flags: AdaptFlags) => {
      const wrong = (message: string) => command.error(`error: ${message}`, { exitCode: 2 });
      if (Boolean(flags.good) !== Boolean(flags.bad)) wrong("--good and --bad are needed together");
      if (!flags.good && !flags.data)
        wrong("--data is needed (a CSV of ratings, or a folder with --csv), or --good and --bad");
      await run(withCsv(flags, wrong));
    });
}

const notes = `
--data may name the CSV itself; its pictures then lie in its folder or below. The pictures should be such as the model has not been
trained on: of those that it knows it is better than it would be on others. Exit code 1: the adapted model is no better, and nothing is written.`;

/** The folder of a CSV that --data names. */
function withCsv(flags: AdaptFlags, wrong: (message: string) => void): AdaptFlags {
  const { data, csv, dataset } = flags;
  if (!data || dataset) return flags;
  const isFile = statSync(data, { throwIfNoEntry: false })?.isFile() ?? false;
  if (isFile && csv) wrong(`--data ${data} is a file: name the folder of the pictures, or leave out --csv`);
  if (isFile) return { ...flags, data: dirname(data), csv: data };
  if (!csv) wrong(`--csv is needed: ${data} is no file of ratings`);
  return flags;
}

async function run(flags: AdaptFlags): Promise<void> {
  outputFile(flags.out, "--out");
  const { rated, range } = flags.good ? await fromFolders(flags) : await fromRatings(flags);
  using store = flags.store === undefined ? undefined : await openStore(flags.store);
  const bar = progress("looking at pictures", rated.length);
  let adaptation: Adaptation;
  try {
    adaptation = await adapt(rated, {
      model: flags.model,
      device: deviceSource(flags),
      range,
      goodOrBad: flags.good !== undefined,
      ...decodingOf(flags),
      ...(store && { store }),
      onPicture: () => bar.advance(),
      onNote: (note) => console.error(`note: ${note}`),
    });
  } finally {
    bar.stop();
  }
  const { report } = adaptation;
  for (const { path, why } of report.leftOut) console.error(`left out: ${printable(path)}: ${why}`);
  const writes = report.verdict !== "no better" || flags.force === true;
  if (writes) await adaptation.save(flags.out);
  else process.exitCode = 1;
  if (flags.json) console.log(JSON.stringify(asJson(report, writes ? flags.out : undefined), null, 2));
  else printReport(report, flags.out, writes);
}

interface Ratings {
  readonly rated: readonly PersonalRating[];
  readonly range: MosRange;
}

async function fromRatings(flags: AdaptFlags): Promise<Ratings> {
  const dataset = await openDataset(flags, false);
  const rows = ratedRows(dataset.rows);
  const grouped = rows.filter(({ group }) => group !== undefined).length;
  if (grouped > 0 && grouped < rows.length)
    console.error(`note: ${rows.length - grouped} pictures have no group, and count as groups of their own`);
  return { rated: rows.map(({ path, mos, group }) => ({ path, mos, group })), range: rangeOf(dataset) };
}

async function fromFolders({ good = [], bad = [] }: AdaptFlags): Promise<Ratings> {
  const of = async (folders: readonly string[], mos: number) => {
    const found = await Promise.all(folders.map((folder) => loadFolder(folder)));
    return found.flatMap(({ rows }) => rows.map(({ path }) => ({ path, mos })));
  };
  return { rated: [...(await of(good, 1)), ...(await of(bad, 0))], range: [0, 1] };
}

function asJson(report: AdaptReport, written: string | undefined) {
  const leftOut = report.leftOut.map(({ path, why }) => ({ path: asText(path), why }));
  return { ...report, leftOut, written: written ?? null };
}

const titles = { srcc: "SRCC", plcc: "PLCC", rmse: "RMSE", auc: "AUC" } as const;

function printReport(report: AdaptReport, out: string, writes: boolean): void {
  const { pictures, groups, model, range, figures, curve, coverage, verdict } = report;
  const kinds = groups < pictures ? ` in ${groups} groups` : "";
  console.log(
    `${pictures} pictures${kinds}, scores ${range[0]} to ${range[1]}; on pictures that were held out in turn:\n`,
  );
  const signed = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
  const cells = Object.entries(figures).map(([name, { before, adapted, difference, interval }]: [string, Compared]) => [
    titles[name as keyof typeof titles],
    before.toFixed(3),
    adapted.toFixed(3),
    signed(difference),
    interval ? `${signed(interval[0])} to ${signed(interval[1])}` : "",
  ]);
  console.log(table(["", model, "adapted", "difference", "95 % interval"], cells));
  if (coverage !== undefined) console.log(`Intervals of 90 % hold ${percent(coverage)} of the ratings.`);
  const name = figures.auc ? titles.auc : titles.srcc;
  const point = ({ ratings, figure }: { ratings: number; figure: number }) => `${figure.toFixed(3)} with ${ratings}`;
  if (curve.points.length > 0)
    console.log(`${name} by the number learned from: ${curve.points.map(point).join(", ")}.`);
  if (curve.expected.length > 0)
    console.log(`More ratings would bring it to about ${curve.expected.map(point).join(" and ")}.`);
  console.log(
    {
      better: "The adapted model is better on pictures that it has not seen.",
      "better scale": "The adapted model orders pictures no better, but its scores are nearer to the ratings.",
      "no better": "The adapted model is not better on pictures that it has not seen, as far as these ratings tell.",
    }[verdict],
  );
  if (writes) console.log(`${out}: the adapted model`);
  else console.log(`Nothing is written. Rate more pictures, or write it all the same with --force.`);
}
