import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { stringify } from "csv-stringify/sync";
import { glob, isDynamicPattern } from "tinyglobby";
import { writeFileAtomically } from "../engine/weights/atomic.ts";
import { loadFolder } from "../models/data/index.ts";
import { openScorer, type ScoredPicture, type Scorer } from "../models/scorer.ts";
import { tilesOption } from "./data-options.ts";
import { addTuningOptions, checkNumbersOption, deviceSource, memoryOption, type TuningFlags } from "./device.ts";
import { modelOption } from "./model-option.ts";
import { progress, table } from "./terminal.ts";

interface ScoreFlags extends TuningFlags {
  readonly model: string;
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly out?: string;
  readonly sort?: boolean;
  readonly tiles?: number;
  readonly checkNumbers?: boolean;
  readonly memory?: number;
}

export function register(program: Command): void {
  const score = program
    .command("score")
    .description("score pictures; higher is better")
    .argument("<pictures...>", "files, folders (searched with their subfolders) or globs")
    .addOption(modelOption())
    .option("--json", "print one JSON document")
    .option("--csv", "print CSV")
    .option("--out <file>", "write the JSON or CSV to a file instead")
    .option("--sort", "best first, instead of the order given")
    .option(...tilesOption)
    .option(...checkNumbersOption)
    .option(...memoryOption)
    .addHelpText("after", "\nPictures that cannot be read become rows with an error; the exit code is then 1.")
    .action(run);
  addTuningOptions(score);
}

async function run(arguments_: string[], flags: ScoreFlags): Promise<void> {
  const paths = await pictures(arguments_);
  await using scorer = await openScorer({
    model: flags.model,
    device: deviceSource(flags),
    ...(flags.tiles !== undefined && { tiles: flags.tiles }),
  });
  const bar = progress("scoring", paths.length);
  const results: ScoredPicture<string>[] = [];
  for await (const result of scorer.scoreMany(paths)) {
    results.push(result);
    bar.advance();
  }
  bar.stop();
  const rank = (result: ScoredPicture<string>) => ("error" in result ? Number.NEGATIVE_INFINITY : result.score);
  if (flags.sort) results.sort((a, b) => rank(b) - rank(a));
  const text = format(results, scorer, flags);
  if (flags.out) await writeFileAtomically(flags.out, text);
  else process.stdout.write(text);
  const failed = results.filter((result) => "error" in result).length;
  if (failed > 0) {
    console.error(`${failed} of ${results.length} pictures could not be scored`);
    process.exitCode = 1;
  }
}

/** Files behind the arguments, each once. A named file that does not exist stays, to become a row with an error. */
async function pictures(patterns: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const pattern of patterns) {
    const kind = await stat(pattern).catch(() => undefined);
    if (kind?.isDirectory()) found.push(...(await loadFolder(pattern)).rows.map(({ path }) => path));
    else if (kind || !isDynamicPattern(pattern)) found.push(pattern);
    else {
      const matches = (await glob(pattern, { absolute: false })).sort();
      if (matches.length === 0) console.error(`note: nothing matches ${pattern}`);
      found.push(...matches.map((match) => join(match)));
    }
  }
  const unique = [...new Set(found)];
  if (unique.length === 0) throw new Error("there is no picture to score");
  return unique;
}

/** A result as JSON and CSV tell it. */
function row(result: ScoredPicture<string>): Record<string, string | number> {
  if ("error" in result) return { path: result.picture, error: result.error.message };
  const { picture: path, score, standardDeviation, confidence } = result;
  return { path, score, standardDeviation, confidence };
}

function format(results: readonly ScoredPicture<string>[], scorer: Scorer, flags: ScoreFlags): string {
  const { json, csv, model, out } = flags;
  const [low, high] = scorer.card.range;
  if (json || out?.endsWith(".json")) {
    const pictures = results.map(row);
    return `${JSON.stringify({ model, range: [low, high], direction: "higher is better", pictures }, null, 2)}\n`;
  }
  if (csv || out) {
    const columns = ["path", "score", "low", "high", "standardDeviation", "confidence", "error"];
    return stringify(
      results.map((result) => ({ low, high, ...row(result) })),
      { header: true, columns },
    );
  }
  const rows = results.map((result) =>
    "error" in result
      ? [result.picture, "", "", "", result.error.message]
      : [
          result.picture,
          result.score.toFixed(2),
          result.standardDeviation.toFixed(2),
          result.confidence.toFixed(3),
          "",
        ],
  );
  const withErrors = rows.some((row) => row[4]);
  const headers = ["picture", `score (${low}-${high})`, "sd", "confidence", ...(withErrors ? ["error"] : [])];
  return `${table(
    headers,
    rows.map((row) => row.slice(0, headers.length)),
  )}\n`;
}
