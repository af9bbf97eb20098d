import type { Command } from "commander";
import type { ClassicScored } from "../models/classic/index.ts";
import type { PictureSource } from "../models/scoring/picture-source.ts";
import { openScorer, type ScoredPicture } from "../models/scoring/scorer.ts";
import { addClassicOptions, type ChosenClassic, type ClassicFlags, classicOf, openClassic } from "./classic-options.ts";
import { addDecodingOptions, type DecodingOptions, decodingOf, tilesOption } from "./data-options.ts";
import { addTuningOptions, checkNumbersOption, deviceSource, memoryOption, type TuningFlags } from "./device.ts";
import { beforeEnd } from "./interrupt.ts";
import { modelOption, modelWords } from "./model-option.ts";
import { outputFile, standardOutput } from "./output.ts";
import { reasonsOptions } from "./reasons-option.ts";
import { rowOf, type ScoreForm, ScoreOutput } from "./score-output.ts";
import { askedPictures } from "./score-pictures.ts";
import { progress } from "./terminal.ts";
import { addXmpOptions, type XmpFlags, XmpRatings } from "./xmp-option.ts";

interface ScoreFlags extends TuningFlags, DecodingOptions, ClassicFlags, XmpFlags {
  readonly model: string;
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly out?: string;
  readonly sort?: boolean;
  readonly tiles?: number;
  readonly checkNumbers?: boolean;
  readonly reasons: boolean | string;
  readonly memory?: number;
}

export function register(program: Command): void {
  const score = program
    .command("score")
    .description("score pictures; higher is better, but for some formulas")
    .argument("<pictures...>", "files, folders (searched with their subfolders) or globs; - for standard input")
    .addOption(modelOption())
    .option("--json", "print one JSON document")
    .option("--csv", "print CSV")
    .option("--out <file>", "write the JSON or CSV to a file instead")
    .option("--sort", "best first, instead of the order given")
    .option(...tilesOption)
    .option(...reasonsOptions.file)
    .option(...reasonsOptions.none)
    .option(...checkNumbersOption)
    .option(...memoryOption)
    .addHelpText("after", notes)
    .action((words: string[], flags: ScoreFlags) =>
      run(words, flags, {
        form: formOf(flags, score),
        classic: classicOf(flags, score),
        xmp: XmpRatings.of(flags, score),
      }),
    );
  addTuningOptions(addDecodingOptions(addClassicOptions(addXmpOptions(score))));
}

const notes = `
Pictures that cannot be read become rows with an error, and so does what a folder holds that might be a picture and is left
out, such as a folder without permission; the exit code is then 1. Files of any name in a folder count when they begin as a
picture does; others, and those whose names begin with a dot, are passed over and counted.

CSV is written a row at a time, in place of an older file from the first row on; JSON, a table and what is sorted at the end. Ctrl-C,
SIGTERM and a closed terminal write what is scored by then; the exit code is 130, 143 or 129.`;

/** The form that the flags ask for; the name of the file decides where they do not. */
function formOf({ json, csv, out }: ScoreFlags, command: Command): ScoreForm {
  const wrong = (message: string) => command.error(`error: ${message}`, { exitCode: 2 });
  if (json && csv) wrong("--json and --csv: choose one of them");
  const named = /\.(json|csv)$/i.exec(out ?? "")?.[1]?.toLowerCase();
  const asked = json ? "json" : csv ? "csv" : undefined;
  if (asked && named && asked !== named) {
    wrong(`--${asked} --out ${out}: the name of the file says ${named}; leave out --${asked} or give another name`);
  }
  return asked ?? (named as ScoreForm | undefined) ?? (out === undefined ? "table" : "csv");
}

interface Asked {
  readonly form: ScoreForm;
  readonly classic: ChosenClassic | undefined;
  readonly xmp: XmpRatings | undefined;
}

async function run(words: string[], flags: ScoreFlags, { form, classic, xmp }: Asked): Promise<void> {
  const out = flags.out === undefined ? standardOutput : outputFile(flags.out, "--out");
  const asked = await askedPictures(words, (text) => console.error(`note: ${text}`));
  if (asked.length === 0) throw new Error("there is no picture to score");
  const output = new ScoreOutput({
    form,
    out,
    sort: flags.sort === true,
    model: classic?.method ?? modelWords(flags.model),
    ...(xmp && { tellsSidecars: true }),
  });
  const bar = progress("scoring", asked.length);
  const finish = (interrupted: boolean) => {
    bar.stop();
    output.finish(interrupted);
    if (interrupted) {
      console.error(
        `interrupted: ${output.rows.length} of ${asked.length} rows are written${flags.out ? ` to ${flags.out}` : ""}`,
      );
    }
  };
  using _ = beforeEnd(finish);
  await scoreAll().finally(() => bar.stop());
  const failed = output.rows.filter((row) => "error" in row).length;
  if (failed > 0) {
    console.error(`${failed} of ${asked.length} pictures could not be scored`);
    process.exitCode = 1;
  }
  if (xmp) console.error(xmp.summary);
  if (xmp && xmp.failed > 0) process.exitCode = 1;

  async function scoreAll(): Promise<void> {
    await using scorer = await opened(flags, classic);
    output.scale = scorer.scale;
    xmp?.expectScale(scorer.scale);
    const places: number[] = [];
    asked.forEach(({ path, leftOut }, place) => {
      if (leftOut === undefined) places.push(place);
      else {
        output.set(place, { path, error: leftOut });
        bar.advance();
      }
    });
    const sources = places.map((place) => (asked[place]!.piped ? process.stdin : asked[place]!.path));
    const onResult = (result: ScoredPicture | ClassicScored) => {
      const place = places[result.index]!;
      const { path, piped } = asked[place]!;
      const row = rowOf(path, result);
      const set = (sidecar?: string) => {
        output.set(place, { ...row, ...(sidecar && { sidecar }) });
        bar.advance();
      };
      if (!xmp || piped || "error" in row) return set();
      const model = classic?.method ?? modelWords(flags.model);
      xmp.begin(path, { ...row, model }, scorer.scale, set);
    };
    try {
      for await (const _ of scorer.scoreMany(sources, onResult));
    } finally {
      // Before anything waits for a device that may be gone.
      await xmp?.done();
      finish(false);
    }
  }
}

/** What scores pictures: a model, or a formula. */
async function opened(flags: ScoreFlags, classic: ChosenClassic | undefined) {
  const device = deviceSource(flags);
  if (classic) return openClassic({ ...flags, ...classic }, device);
  const scorer = await openScorer({
    model: flags.model,
    device,
    ...decodingOf(flags),
    onNote: (note) => console.error(`note: ${note}`),
    ...(flags.tiles !== undefined && { tiles: flags.tiles }),
    reasons: flags.reasons,
  });
  return {
    scale: { ...scorer.card, trust: scorer.companions.trust, tellsReasons: scorer.tellsReasons },
    scoreMany: (sources: Iterable<PictureSource>, onResult: (result: ScoredPicture) => void) =>
      scorer.scoreMany(sources, { onResult }),
    [Symbol.asyncDispose]: () => scorer.close(),
  };
}
