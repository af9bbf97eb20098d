import { type Command, Option } from "commander";
import { printable } from "../models/data/files/file-name.ts";
import { addClassicOptions, type ChosenClassic, classicOf } from "./classic-options.ts";
import { addDecodingOptions, tilesOption } from "./data-options.ts";
import { addTuningOptions, checkNumbersOption, memoryOption } from "./device.ts";
import { beforeEnd } from "./interrupt.ts";
import { modelOption, modelWords } from "./model-option.ts";
import { type Output, outputFile, standardOutput } from "./output.ts";
import { reasonsOptions } from "./reasons-option.ts";
import { addGateOptions, belowGate, Gate, type GateFlags } from "./score-gate.ts";
import { type ScoreForm, ScoreOutput } from "./score-output.ts";
import { askedPictures } from "./score-pictures.ts";
import type { ScoreRow } from "./score-row.ts";
import { addSelectionOptions, type SelectionFlags, selectionOf } from "./score-select.ts";
import { openRowSource, type SourceFlags } from "./score-source.ts";
import { watchedFolders, watchFolders } from "./score-watch.ts";
import type { ScoreScale } from "./score-words.ts";
import { progress } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";
import { addXmpOptions, type XmpFlags, XmpRatings } from "./xmp-option.ts";

interface ScoreFlags extends SourceFlags, SelectionFlags, GateFlags, XmpFlags {
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly out?: string;
  readonly sort?: boolean;
  readonly percentiles?: boolean;
  readonly details?: boolean;
  readonly watch?: boolean;
}

export function register(program: Command): void {
  const score = program
    .command("score")
    .description("score pictures; higher is better, but for some formulas")
    .argument("<pictures...>", "files, folders (searched with their subfolders) or globs; - for standard input")
    .addOption(modelOption())
    .option("--json", "print one JSON document; with --watch a line for each picture")
    .option("--csv", "print CSV")
    .option("--out <file>", "write the JSON or CSV to a file instead")
    .option("--sort", "best first, instead of the order given")
    .option(
      "--percentiles",
      "also the place of each picture among all of the run, and among those that the model carries",
    )
    .option("--details", "also bytes, width, height and sharpness")
    .addOption(
      new Option("--store <file>", "keep scores in a file of SQLite and score only what is new or changed, see below"),
    )
    .addOption(
      new Option("--watch", "go on with pictures as they come to the folders, until Ctrl-C").conflicts(atTheEnd),
    )
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
  addTuningOptions(addDecodingOptions(addClassicOptions(addXmpOptions(addGateOptions(addSelectionOptions(score))))));
}

/** What is known when all pictures are there alone. */
const atTheEnd = ["sort", "percentiles", "best", "worst", "junit", "failBelow"];

const notes = `
Pictures that cannot be read become rows with an error, and so does what a folder holds that might be a picture and is left
out, such as a folder without permission; the exit code is then 1. Files of any name in a folder count when they begin as a
picture does; others, and those whose names begin with a dot, are passed over and counted.

CSV is written a row at a time, in place of an older file from the first row on; JSON, a table and what is sorted at the end. Ctrl-C,
SIGTERM and a closed terminal write what is scored by then; the exit code is 130, 143 or 129. A picture below --fail-below makes it 3.

--store FILE: a file is taken from the store when its size and time of change are as they were, or else when its content is (SHA-256), so that moved and
copied files are not scored again. Results of another model, other --tiles, --reasons, --strictness or --max-pixels, and of other parameters of a --method, are kept apart. What is
scored is in the store at once, whatever ends the run; several runs may use one store. SQL reads its view "pictures".

--watch takes folders. A file is scored once its size and time have rested for a second; one that changes is scored again.`;

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

interface Chosen {
  readonly form: ScoreForm;
  readonly classic: ChosenClassic | undefined;
  readonly xmp: XmpRatings | undefined;
}

async function run(words: string[], flags: ScoreFlags, { form, classic, xmp }: Chosen): Promise<void> {
  const out = flags.out === undefined ? standardOutput : outputFile(flags.out, "--out");
  const select = selectionOf(flags);
  if (flags.watch) {
    await watch(words, flags, { form, out, select, classic, xmp });
    return;
  }
  const gate = new Gate(flags);
  const asked = await askedPictures(words, (text) => console.error(`note: ${text}`));
  if (asked.length === 0) throw new Error("there is no picture to score");
  const { sort = false, percentiles = false, details = false } = flags;
  const model = classic?.method ?? modelWords(flags.model);
  const output = new ScoreOutput({
    form,
    out,
    sort,
    model,
    percentiles,
    details,
    select,
    tellsSidecars: xmp !== undefined,
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
  let below = 0;
  {
    using _ = beforeEnd(finish);
    await scoreAll().finally(() => bar.stop());
    below = gate.judge(output.rows);
  }
  const failed = output.rows.filter((row) => "error" in row).length;
  if (failed > 0) {
    if (select)
      for (const row of output.rows)
        if ("error" in row) console.error(`left out: ${printable(row.path)}: ${row.error}`);
    console.error(`${failed} of ${asked.length} pictures could not be scored`);
    process.exitCode = 1;
  }
  if (xmp) console.error(xmp.summary);
  if (xmp && xmp.failed > 0) process.exitCode = 1;
  if (below > 0) process.exitCode = belowGate;

  async function scoreAll(): Promise<void> {
    await using source = await openRowSource(flags, classic, details || select !== undefined);
    expectGate(flags, source.scale);
    output.scale = source.scale;
    xmp?.expectScale(source.scale);
    try {
      await source.score(asked, (row, place) => {
        const set = (sidecar?: string) => {
          output.set(place, { ...row, ...(sidecar && { sidecar }) });
          bar.advance();
        };
        // What is chosen is known when all are there.
        if (!xmp || select || asked[place]!.piped || "error" in row) set();
        else xmp.begin(row.path, { ...row, model }, source.scale, set);
      });
      if (xmp && select) rateChosen(xmp, source.scale);
    } finally {
      // Before anything waits for a device that may be gone.
      await xmp?.done();
      finish(false);
    }
    if (flags.store !== undefined) console.error(`${source.stored} of ${asked.length} pictures were in the store`);
    if (select) console.error(`${output.written} of ${asked.length} pictures are chosen`);
  }

  /** Begins the sidecars of the pictures that are chosen. */
  function rateChosen(xmp: XmpRatings, scale: ScoreScale): void {
    const places = new Map(asked.map(({ path, piped }, place) => [path, piped ? undefined : place]));
    const { rows } = output;
    const chosen = new Set(output.chosen.map(({ path }) => path));
    for (const row of rows) {
      const place = places.get(row.path);
      if (place === undefined || "error" in row || !chosen.has(row.path)) continue;
      xmp.begin(row.path, { ...row, model }, scale, (sidecar) => output.set(place, { ...row, sidecar }));
    }
  }
}

/** @throws UsageError where no score is too low */
function expectGate({ failBelow }: ScoreFlags, { lowerIsBetter, range }: ScoreScale): void {
  if (failBelow === undefined) return;
  if (lowerIsBetter)
    throw new UsageError("--fail-below is for scores of which higher is better, and of this method lower is");
  const [low, high] = range;
  if (failBelow <= low || failBelow > high)
    throw new UsageError(
      `--fail-below ${failBelow} is not within the range of scores, ${low} to ${high}: it would fail ${failBelow <= low ? "none" : "all"}`,
    );
}

interface Watch extends Chosen {
  readonly out: Output;
  readonly select: ReturnType<typeof selectionOf>;
}

async function watch(words: string[], flags: ScoreFlags, { form, out, select, classic, xmp }: Watch): Promise<void> {
  if (flags.query?.names.has("percentile"))
    throw new UsageError("--query with percentile and --watch: a place among the pictures is known when all are there");
  const folders = await watchedFolders(words);
  const { details = false } = flags;
  const gate = new Gate(flags);
  await using source = await openRowSource(flags, classic, details || select !== undefined);
  const model = classic?.method ?? modelWords(flags.model);
  xmp?.expectScale(source.scale);
  const onRow = (row: ScoreRow) => {
    gate.judge([row]);
    const told = (words: string) => console.error(`note: ${printable(row.path)}: sidecar ${words}`);
    const isChosen = !select || select([row], source.scale.lowerIsBetter === true).length > 0;
    if (xmp && isChosen && !("error" in row)) xmp.begin(row.path, { ...row, model }, source.scale, told);
  };
  await watchFolders(folders, source, { form, out, model, details, select, onRow });
}
