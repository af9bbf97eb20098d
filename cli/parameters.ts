import type { Command } from "commander";
import { makeBrisqueParameters, makeNiqeParameters } from "../models/classic/index.ts";
import { ratedRows } from "../models/data/index.ts";
import {
  addDataOptions,
  addDecodingOptions,
  type DataOptions,
  type DecodingOptions,
  decodingOf,
  namesData,
  openDataset,
  rangeOf,
} from "./data-options.ts";
import { deviceOptions, memoryOption, openCommandDevice } from "./device.ts";
import { interruptible } from "./interrupt.ts";
import { outputFile } from "./output.ts";
import { askedPictures } from "./score-pictures.ts";
import { errorWords } from "./score-words.ts";
import { partNames } from "./split-part.ts";
import { progress } from "./terminal.ts";

interface MakeFlags extends DecodingOptions {
  readonly out: string;
  readonly memory?: number;
}

interface BrisqueFlags extends MakeFlags, DataOptions {
  readonly split?: string;
  readonly part: string;
}

export function register(program: Command): void {
  const parameters = program
    .command("parameters")
    .description("make the parameters of NIQE and BRISQUE, which score without training a network");
  addDecodingOptions(
    parameters
      .command("niqe")
      .description("mean and covariance of the sharp blocks of good photographs")
      .argument("<pictures...>", "files, folders (searched with their subfolders) or globs"),
  )
    .requiredOption("--out <file>", "where the parameters are written, JSON")
    .option(...memoryOption)
    .addHelpText("after", niqeNotes)
    .action(niqe);
  const brisqueCommand = parameters
    .command("brisque")
    .description("a regression of the MOS of rated pictures on 36 statistics");
  addDecodingOptions(addDataOptions(brisqueCommand))
    .option("--split <file>", "split.csv of a training run: learn from one part of it")
    .option("--part <name>", "the part, with --split", "labelled")
    .requiredOption("--out <file>", "where the parameters are written, JSON")
    .option(...memoryOption)
    .action(async (flags: BrisqueFlags) => {
      if (!namesData(flags)) {
        brisqueCommand.error("error: --data and --csv are needed (or --data and --dataset)", { exitCode: 2 });
      }
      await brisque(flags);
    });
}

const niqeNotes = `
Give some hundred photographs that are sharp, well exposed and hardly compressed, at original size: what they have in common counts as natural.
Then: acutance score --method niqe --parameters niqe.json photos`;

async function niqe(words: string[], flags: MakeFlags): Promise<void> {
  const out = outputFile(flags.out, "--out");
  const asked = await askedPictures(words, (text) => console.error(`note: ${text}`));
  const paths = asked.flatMap(({ path, leftOut }) => {
    if (leftOut !== undefined) console.error(`left out: ${path}: ${leftOut}`);
    return leftOut === undefined ? [path] : [];
  });
  const { parameters } = await made(flags, paths.length, (device, options) =>
    makeNiqeParameters(device, paths, options),
  );
  out.replace(`${JSON.stringify(parameters)}\n`);
  console.log(`${parameters.blocks} sharp blocks of ${parameters.pictures} pictures; parameters: ${flags.out}`);
}

async function brisque(flags: BrisqueFlags): Promise<void> {
  const out = outputFile(flags.out, "--out");
  const dataset = await openDataset(flags, false);
  const chosen = flags.split ? await partNames(flags.split, flags.part) : undefined;
  const rows = ratedRows(dataset.rows).filter(({ name }) => chosen?.names.has(name) ?? true);
  const { parameters, leftOutSrcc } = await made(flags, rows.length, (device, options) =>
    makeBrisqueParameters(device, rows, rangeOf(dataset), options),
  );
  out.replace(`${JSON.stringify(parameters)}\n`);
  console.log(
    `learnt from ${parameters.pictures} pictures, SRCC ${leftOutSrcc.toFixed(3)} on those left out one by one; parameters: ${flags.out}`,
  );
}

/** Opens the device, shows progress, and tells which pictures were left out. */
async function made<Made extends { readonly leftOut: readonly { readonly path: string; readonly error: Error }[] }>(
  flags: MakeFlags,
  total: number,
  make: (
    device: Awaited<ReturnType<typeof openCommandDevice>>,
    options: ReturnType<typeof decodingOf> & { onProgress: (done: number) => void; signal: AbortSignal },
  ) => Promise<Made>,
): Promise<Made> {
  using device = await openCommandDevice(deviceOptions(flags));
  using stop = interruptible("interrupted; nothing is written");
  const bar = progress("statistics", total);
  const onProgress = () => bar.advance(1);
  const result = await make(device, { ...decodingOf(flags), onProgress, signal: stop.signal }).finally(() =>
    bar.stop(),
  );
  for (const { path, error } of result.leftOut) console.error(`left out: ${path}: ${errorWords(error)}`);
  if (result.leftOut.length > 0) process.exitCode = 1;
  return result;
}
