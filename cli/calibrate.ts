import { type Command, InvalidArgumentError } from "commander";
import { printable } from "../models/data/files/file-name.ts";
import { fewestOfKind, findThreshold, type Threshold } from "../models/scoring/threshold.ts";
import { addDecodingOptions, tilesOption } from "./data-options.ts";
import { addTuningOptions, checkNumbersOption, memoryOption } from "./device.ts";
import { modelOption, modelWords } from "./model-option.ts";
import { outputFile, standardOutput } from "./output.ts";
import { askedPictures } from "./score-pictures.ts";
import { openRowSource, type RowSource, type SourceFlags } from "./score-source.ts";
import { progress } from "./terminal.ts";

interface CalibrateFlags extends SourceFlags {
  readonly good: string[];
  readonly bad: string[];
  readonly maxFalseAlarms?: number;
  readonly json?: boolean;
  readonly out?: string;
}

export function register(program: Command): void {
  const command = program
    .command("calibrate")
    .description("find the score that separates your bad pictures from your good ones, for acutance score --fail-below")
    .requiredOption("--good <pictures...>", "folders, files or globs of pictures that are good enough")
    .requiredOption("--bad <pictures...>", "those of pictures that are not")
    .addOption(modelOption())
    .option(
      "--max-false-alarms <share>",
      "the highest threshold below which at most such a share of the good pictures lies, such as 5% (default: the balanced one, see below)",
      shareOf,
    )
    .option("--store <file>", "take scores from a store and keep them there, as acutance score does")
    .option("--json", "print one JSON document")
    .option("--out <file>", "write the JSON to a file instead")
    .option(...tilesOption)
    .option(...checkNumbersOption)
    .option(...memoryOption)
    .addHelpText("after", notes)
    .action(run);
  addTuningOptions(addDecodingOptions(command));
}

const notes = `
The balanced threshold has the least mean of two shares: of good pictures below it (false alarms) and of bad ones that are not (misses); of several
such, the middle of the widest gap. AUC is the probability that a good picture has a higher score than a bad one; its interval is DeLong's, 95 %.
Errors are cross-validated: each picture is judged by a threshold that was chosen without it. The pictures must be such as will be judged, and
not chosen by their scores. At least ${fewestOfKind} of each kind are needed; some hundreds are better.`;

function shareOf(text: string): number {
  const [, digits, percent] = /^(\d*\.?\d+)(%?)$/.exec(text.trim()) ?? [];
  const value = Number(digits) / (percent ? 100 : 1);
  if (value >= 0 && value < 1) return value;
  throw new InvalidArgumentError("expected a share such as 5% or 0.05");
}

async function run(flags: CalibrateFlags): Promise<void> {
  const out = flags.out === undefined ? standardOutput : outputFile(flags.out, "--out");
  const note = (text: string) => console.error(`note: ${text}`);
  const [good, bad] = [await askedPictures(flags.good, note), await askedPictures(flags.bad, note)];
  for (const [word, { length }] of [
    ["--good", good],
    ["--bad", bad],
  ] as const) {
    if (length < fewestOfKind)
      throw new Error(
        `${word}: at least ${fewestOfKind} pictures are needed, found ${length}; some hundreds are better`,
      );
  }
  const both = new Set(good.map(({ path }) => path));
  const twice = bad.find(({ path }) => both.has(path));
  if (twice) throw new Error(`${printable(twice.path)} is among --good and --bad: it can be but one of them`);
  await using source = await openRowSource({ ...flags, reasons: false }, undefined, false);
  const bar = progress("scoring", good.length + bad.length);
  const scores = { good: [] as number[], bad: [] as number[] };
  try {
    for (const [kind, asked] of [
      ["good", good],
      ["bad", bad],
    ] as const) {
      await scored(source, asked, (score) => {
        bar.advance();
        if (score !== undefined) scores[kind].push(score);
      });
    }
  } finally {
    bar.stop();
  }
  const { maxFalseAlarms } = flags;
  const found = findThreshold(scores.good, scores.bad, maxFalseAlarms === undefined ? {} : { maxFalseAlarms });
  const warnings = warningsOf(found);
  const command = commandOf(flags, found.threshold);
  if (flags.json || flags.out !== undefined) {
    const rule = maxFalseAlarms === undefined ? "balanced" : { maxFalseAlarms };
    out.replace(`${JSON.stringify({ model: modelWords(flags.model), rule, ...found, warnings, command }, null, 2)}\n`);
  } else standardOutput.append(report(found, command));
  for (const warning of warnings) console.error(`warning: ${warning}`);
}

type Asked = Awaited<ReturnType<typeof askedPictures>>;

async function scored(source: RowSource, asked: Asked, take: (score: number | undefined) => void): Promise<void> {
  await source.score(asked, (row) => {
    if ("error" in row) console.error(`left out: ${printable(row.path)}: ${printable(row.error)}`);
    take("error" in row ? undefined : row.score);
  });
}

/** An AUC below it tells bad pictures from good ones little better than a guess. */
const leastArea = 0.7;
/** With fewer of a kind, a share of errors is known to some ten percent at best. */
const enough = 50;

function warningsOf({ good, bad, auc, separates, crossValidated }: Threshold): string[] {
  const warnings: string[] = [];
  if (!separates) {
    const turned =
      auc.high < 0.5 ? "; bad pictures have higher scores than good ones: are the folders the wrong way round?" : "";
    warnings.push(
      `${auc.value > 0.5 ? "it may be chance that the scores separate these pictures" : "the scores do not separate these pictures"} (AUC ${auc.value.toFixed(2)}, ${range(auc)}): do not use this threshold${turned}`,
    );
  } else if (auc.value < leastArea) {
    warnings.push(
      `the scores separate these pictures weakly: ${percent(crossValidated.balancedError)} of them are judged wrongly`,
    );
  }
  if (Math.min(good, bad) < enough)
    warnings.push(
      `${good} good and ${bad} bad pictures are few; with ${enough} or more of each the errors are known better`,
    );
  return warnings;
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const range = ({ low, high }: { readonly low: number; readonly high: number }) =>
  `${low.toFixed(3)} to ${high.toFixed(3)}`;

function commandOf({ model, tiles }: CalibrateFlags, threshold: number): string {
  const words = modelWords(model);
  const named = words === "livec-v2" ? "" : ` --model ${words === "livec-v2-fast" ? "fast" : words}`;
  return `acutance score photos${named}${tiles === undefined ? "" : ` --tiles ${tiles}`} --fail-below ${threshold}`;
}

function report({ threshold, good, bad, auc, own, crossValidated }: Threshold, command: string): string {
  const { falseAlarms, misses, balancedError, folds } = crossValidated;
  return `${[
    `threshold ${threshold}, from ${good} good and ${bad} bad pictures`,
    `AUC ${auc.value.toFixed(3)} (95 %: ${range(auc)})`,
    `cross-validated (${folds} folds): ${percent(falseAlarms)} of the good below it, ${percent(misses)} of the bad not below it, balanced error ${percent(balancedError)}`,
    `of these pictures themselves: ${percent(own.falseAlarms)} and ${percent(own.misses)}`,
    "",
    command,
  ].join("\n")}\n`;
}
