import { type Command, InvalidArgumentError } from "commander";
import { classes } from "../models/reasons/head.ts";
import { type MadeReasons, makeReasons, saveReasons, usualGood } from "../models/reasons/index.ts";
import { addDecodingOptions, type DecodingOptions, decodingOf, wholeNumber } from "./data-options.ts";
import { memoryOption, openCommandDevice } from "./device.ts";
import { interruptible } from "./interrupt.ts";
import { outputFile } from "./output.ts";
import { askedPictures } from "./score-pictures.ts";
import { errorWords } from "./score-words.ts";
import { progress, table } from "./terminal.ts";

interface ReasonsFlags extends DecodingOptions {
  readonly out: string;
  readonly count?: number;
  readonly good: number;
  readonly steps?: number;
  readonly seed: number;
  readonly json?: boolean;
  readonly memory?: number;
}

export function register(program: Command): void {
  const command = program
    .command("reasons")
    .description("teach what lowers the scores of pictures, from degraded copies of photographs that nobody has rated")
    .argument("<photographs...>", "files, folders (searched with their subfolders) or globs; most of them good")
    .requiredOption("--out <file>", "safetensors file to write, for --reasons of score and serve");
  addDecodingOptions(command)
    .option("--count <n>", "photographs at most, drawn from the seed (default: all)", wholeNumber(10))
    .option("--good <share>", "share of the range of scores from which on no reason is told", parseGood, usualGood)
    .option("--steps <n>", "steps of teaching (default: 2000)", wholeNumber(1))
    .option("--seed <n>", "seed of the parts, the copies and the weights", wholeNumber(0), 1)
    .option("--json", "print the figures as one JSON document")
    .option(...memoryOption)
    .addHelpText("after", notes)
    .action(run);
}

const notes = `
Reasons are ${classes.slice(1).join(", ")}; a picture may have none. They are told by statistics of its pixels, so that one file serves every model.
Photographs are split: 70 % teach the weights, 10 % choose temperature and threshold, and copies of the last 20 % say how
well it went. A file of that name is replaced. Takes about 2 s a photograph on two cores with the software driver.

Then: acutance score --reasons reasons.safetensors photos`;

async function run(words: string[], flags: ReasonsFlags): Promise<void> {
  const { out, count, good, steps, seed } = flags;
  outputFile(out, "--out");
  const asked = await askedPictures(words, (text) => console.error(`note: ${text}`));
  const paths = asked.flatMap(({ path, leftOut }) => {
    if (leftOut !== undefined) console.error(`left out: ${path}: ${leftOut}`);
    return leftOut === undefined ? [path] : [];
  });
  using device = await openCommandDevice(flags.memory === undefined ? {} : { memoryLimitBytes: flags.memory });
  using stop = interruptible("interrupted; nothing is written");
  const bar = progress("photographs", Math.min(count ?? paths.length, paths.length));
  const made = await makeReasons(device, paths, {
    ...decodingOf(flags),
    ...(count !== undefined && { count }),
    ...(steps !== undefined && { steps }),
    ...{ good, seed, signal: stop.signal, onProgress: () => bar.advance(1) },
  }).finally(() => bar.stop());
  await saveReasons(out, made.head, historyOf(made, seed));
  for (const { path, error } of made.leftOut) console.error(`left out: ${path}: ${errorWords(error)}`);
  if (made.leftOut.length > 0) process.exitCode = 1;
  if (flags.json) console.log(JSON.stringify({ photographs: made.photographs, ...made.figures }, null, 2));
  else print(made, out);
}

function historyOf({ photographs, figures }: MadeReasons, seed: number): string[] {
  return [
    `taught by copies of ${photographs.taught} photographs with one degradation each, seed ${seed}; nobody rated them`,
    `temperature and threshold chosen on copies of ${photographs.choosing} others`,
    `on copies of ${photographs["held out"]} others at levels 2 to 5: macro-F1 ${figures.macroF1.toFixed(3)}, calibration error ${figures.calibrationError.toFixed(3)}`,
  ];
}

const percent = (share: number) => `${Math.round(100 * share)} %`;

function print({ head, figures, photographs }: MadeReasons, out: string): void {
  const cells = classes.map((name, t) => [
    name,
    figures.f1[name].toFixed(3),
    ...figures.confusion[t]!.map((n) => String(n)),
  ]);
  const levels = Object.entries(figures.macroF1ByLevel).map(([level, f1]) => `${f1.toFixed(3)} at level ${level}`);
  const kinds = Object.entries(figures.byKind).map(([kind, share]) => `${kind} ${percent(share)}`);
  console.log(table(["copies of", "F1", ...classes.map((name) => `as ${name}`)], cells));
  console.log(
    [
      `\n${figures.copies} copies of ${photographs["held out"]} photographs that were held out; ${photographs.taught} taught, ${photographs.choosing} to choose by`,
      `macro-F1 ${figures.macroF1.toFixed(3)}; ${levels.join(", ")}`,
      `told right of their kind: ${kinds.join(", ")}`,
      `a reason is told from probability ${head.least} on: for ${percent(figures.cleanTold)} of clean copies, and rightly for ${percent(figures.degradedTold)} of degraded ones`,
      `calibration error ${figures.calibrationError.toFixed(3)}; no reason from ${percent(head.good)} of the range of scores on`,
      `written: ${out}`,
    ].join("\n"),
  );
}

function parseGood(text: string): number {
  const share = Number(text);
  if (text.trim() !== "" && share > 0 && share <= 1) return share;
  throw new InvalidArgumentError("expected a number above 0 and up to 1");
}
