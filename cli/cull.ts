import { statSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import { partsOf } from "../models/culling/files/companions.ts";
import { groupDefaults } from "../models/culling/group.ts";
import { type CullDecision, cullPictures, type SeenPicture } from "../models/culling/index.ts";
import type { SeeOptions } from "../models/culling/see.ts";
import { seeMany } from "../models/culling/see-many.ts";
import { rawExtensions } from "../models/data/files/container.ts";
import { onDisk, printable } from "../models/data/files/file-name.ts";
import type { Picture } from "../models/data/index.ts";
import { contactSheet } from "../models/report/cull/contact-sheet.ts";
import { Thumbnails } from "../models/report/cull/thumbnails.ts";
import { openStore, type Store } from "../models/store/index.ts";
import { lookStored } from "../models/store/look-stored.ts";
import { applyChoices, type PlaceFlags, placeChoices, placeOf, tryPlace, undo } from "./cull-files.ts";
import { type CullRow, capturedWords, cullCsv, cullJson, cullSummary, cullTable } from "./cull-output.ts";
import { type CullScoreFlags, openCullScores } from "./cull-scores.ts";
import { addDecodingOptions, type DecodingOptions, decodingOf, share, wholeNumber } from "./data-options.ts";
import { addTuningOptions, checkNumbersOption, memoryOption } from "./device.ts";
import { beforeEnd } from "./interrupt.ts";
import { modelOption, modelWords } from "./model-option.ts";
import { type Output, outputFile, standardOutput } from "./output.ts";
import { reasonsOptions } from "./reasons-option.ts";
import type { ScoreForm } from "./score-output.ts";
import { type Asked, askedPictures } from "./score-pictures.ts";
import { errorWords } from "./score-words.ts";
import { progress } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";

interface CullFlags extends CullScoreFlags, DecodingOptions, PlaceFlags {
  readonly score: boolean;
  readonly keep: number;
  readonly burstGap: number;
  readonly similarity: number;
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly out?: string;
  readonly html?: string;
  readonly choices?: string;
  readonly undo?: string;
  readonly checkNumbers?: boolean;
  readonly memory?: number;
}

export function register(program: Command): void {
  const place = (mode: string, words: string) =>
    new Option(`--${mode} <folder>`, words).conflicts(["move", "link", "copy"].filter((other) => other !== mode));
  const cull = program
    .command("cull")
    .description("group bursts and near-duplicates, and keep the best of each")
    .argument("[pictures...]", "files, folders (searched with their subfolders) or globs")
    .option("--keep <n>", "pictures kept of each group", wholeNumber(1), 1)
    .option(
      "--burst-gap <time>",
      "longest pause within a burst of one camera, such as 3s or 500ms",
      parseSeconds,
      groupDefaults.burstGapSeconds,
    )
    .option(
      "--similarity <n>",
      "likeness from which on pictures of a burst belong together, 0 to 1",
      share("to 1"),
      groupDefaults.similarity,
    )
    .addOption(modelOption())
    .option("--no-score", "compare sharpness and exposure alone, without a model: many times faster")
    .option(
      "--store <file>",
      "take scores, as acutance score makes them, and what is compared from a store and keep them there: a second run reads no picture",
    )
    .option("--json", "print one JSON document")
    .option("--csv", "print CSV")
    .option("--out <file>", "write the JSON or CSV to a file instead")
    .option("--html <file>", "write a contact sheet: one page on which choices can be changed and exported")
    .addOption(
      place("move", "move pictures into its folders keep and reject, with sidecars and raw files; needs --yes"),
    )
    .addOption(place("link", "make symbolic links there instead"))
    .addOption(place("copy", "copy them there instead"))
    .option("--yes", "do what --move, --link or --copy would do; without it they only say so")
    .option(
      "--choices <file>",
      "take the choices of a file, as the contact sheet exports them, instead of looking at pictures",
    )
    .option("--undo <file>", "put back what --move, --link or --copy did, by the undo file that they left")
    .option(...reasonsOptions.file)
    .option(...reasonsOptions.none)
    .option(...checkNumbersOption)
    .option(...memoryOption)
    .addHelpText("after", notes)
    .action((words: string[], flags: CullFlags) => run(words, flags));
  addTuningOptions(addDecodingOptions(cull));
}

const notes = `
Nothing is ever written to a picture. Pictures of a group are compared with each other: sharpness of the sharpest parts at one scale, exposure, noise,
compression, size, and score; the table says what decided. A picture that is like no other is kept.

Pictures that cannot be read become rows with an error; the exit code is then 1. Ctrl-C writes what is known by then. Raw files, sidecars
(.xmp, .pp3, .dop, …), sound and film of the same name go where their picture goes. --move, --link and --copy leave an undo file in their folder.`;

function parseSeconds(text: string): number {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|min|)\s*$/.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError("expected a time such as 3s, 500ms or 1min");
  return Number(number) * { ms: 0.001, s: 1, min: 60, "": 1 }[unit as "ms" | "s" | "min" | ""];
}

function formOf({ json, csv, out }: CullFlags): ScoreForm {
  if (json && csv) throw new UsageError("--json and --csv: choose one of them");
  const named = /\.(json|csv)$/i.exec(out ?? "")?.[1]?.toLowerCase() as ScoreForm | undefined;
  const asked = json ? "json" : csv ? "csv" : undefined;
  if (asked && named && asked !== named) {
    throw new UsageError(
      `--${asked} --out ${out}: the name of the file says ${named}; leave out --${asked} or give another name`,
    );
  }
  return asked ?? named ?? (out === undefined ? "table" : "csv");
}

async function run(words: string[], flags: CullFlags): Promise<void> {
  if (flags.undo !== undefined) {
    if (words.length > 0 || flags.choices !== undefined || placeOf(flags)) {
      throw new UsageError("--undo puts files back and does nothing else; leave out the pictures and other options");
    }
    return undo(flags.undo);
  }
  if (flags.yes && !placeOf(flags)) throw new UsageError("--yes: name what to do with --move, --link or --copy");
  tryPlace(flags);
  const roots = words.filter((word) => statSync(onDisk(word), { throwIfNoEntry: false })?.isDirectory());
  if (flags.choices !== undefined) {
    if (!placeOf(flags)) throw new UsageError("--choices: name where the pictures go with --move, --link or --copy");
    return applyChoices(flags.choices, roots, flags);
  }
  if (words.length === 0) throw new UsageError("name pictures, or a folder of pictures");
  const form = formOf(flags);
  const outputs: Outputs = {
    form,
    out: flags.out === undefined ? standardOutput : outputFile(flags.out, "--out"),
    ...(flags.html !== undefined && { html: outputFile(flags.html, "--html") }),
  };
  const asked = withoutCompanions(await askedPictures(words, (text) => console.error(`note: ${text}`)));
  if (asked.length === 0) throw new Error("there is no picture to look at");
  await cullAsked(asked, roots, flags, outputs);
}

/** Without raw files beside a picture of the same name, which go where it goes. */
function withoutCompanions(asked: readonly Asked[]): Asked[] {
  const stem = (path: string) => partsOf(path).stem.toLowerCase();
  const isRaw = (path: string) => rawExtensions.has(partsOf(path).extension);
  const others = asked.filter(({ path, leftOut }) => leftOut === undefined && !isRaw(path));
  const judged = new Set(others.map(({ path }) => stem(path)));
  return asked.filter(({ path }) => !isRaw(path) || !judged.has(stem(path)));
}

interface Outputs {
  readonly form: ScoreForm;
  readonly out: Output;
  readonly html?: Output;
}

async function cullAsked(
  asked: readonly Asked[],
  roots: readonly string[],
  flags: CullFlags,
  outputs: Outputs,
): Promise<void> {
  const seen: (SeenPicture | undefined)[] = [];
  const errors = new Map<number, string>();
  using thumbnails = outputs.html && new Thumbnails(asked.length);
  const bar = progress("looking", asked.length);
  let rows: CullRow[] = [];
  let isWritten = false;
  const finish = (interrupted: boolean) => {
    if (isWritten) return;
    isWritten = true;
    bar.stop();
    rows = rowsOf(asked, seen, errors, flags);
    if (rows.length === 0) return;
    write(rows, asked, flags, { ...outputs, thumbnails, interrupted });
    console.error(cullSummary(rows));
    if (interrupted) console.error(`interrupted: ${rows.length} of ${asked.length} pictures were looked at`);
  };
  using _ = beforeEnd(finish);
  try {
    await look();
  } finally {
    finish(false);
  }
  if (errors.size > 0) {
    console.error(`${errors.size} of ${asked.length} pictures could not be looked at`);
    process.exitCode = 1;
  }
  const choices = rows.flatMap((row) =>
    "decision" in row ? [{ path: row.path, decision: row.decision.decision }] : [],
  );
  await placeChoices(choices, roots, flags);

  async function look(): Promise<void> {
    const places: number[] = [];
    asked.forEach(({ leftOut, piped }, place) => {
      const why = piped ? "Standard input has no place in a group; name files." : leftOut;
      if (why === undefined) places.push(place);
      else {
        errors.set(place, why);
        bar.advance();
      }
    });
    // Before a device is opened for a run that cannot be.
    using store = flags.store === undefined ? undefined : await openStore(flags.store);
    await using scores = flags.score ? await openCullScores(flags, decodingOf(flags), store) : undefined;
    let known = 0;
    const lookIn = async (store: Store, path: string, { onPicture: _, ...options }: SeeOptions, index: number) => {
      const copies = thumbnails && {
        kind: thumbnails.kind,
        make: (picture: Picture) => thumbnails.make(picture),
        take: (image: Uint8Array) => thumbnails.put(places[index]!, image),
      };
      const { seen, stored } = await lookStored(store, path, options, copies);
      if (stored) known++;
      return seen;
    };
    const paths = places.map((place) => asked[place]!.path);
    await seeMany(paths, {
      ...decodingOf(flags),
      ...scores?.of(paths),
      ...(store && { look: (path, options, index) => lookIn(store, path, options, index) }),
      ...(thumbnails && { onPicture: (picture, index) => thumbnails.add(places[index]!, picture) }),
      onResult: ({ index, ...result }) => {
        const place = places[index]!;
        if ("error" in result) errors.set(place, errorWords(result.error));
        else seen[place] = result;
        bar.advance();
      },
    });
    if (scores?.stored) console.error(`scores from the store: ${scores.stored}`);
    if (known) console.error(`looked at before: ${known}`);
  }
}

/** Decisions by group, then what could not be seen. */
function rowsOf(
  asked: readonly Asked[],
  seen: readonly (SeenPicture | undefined)[],
  errors: ReadonlyMap<number, string>,
  { keep, burstGap, similarity }: CullFlags,
): CullRow[] {
  const places = asked.flatMap((_, place) => (seen[place] ? [place] : []));
  const pictures = places.map((place) => seen[place]!);
  const decisions = cullPictures(pictures, { keep, burstGapSeconds: burstGap, similarity });
  const failed = asked.flatMap(({ path }, place) => {
    const error = errors.get(place);
    return error === undefined ? [] : [{ path, error }];
  });
  return [
    ...decisions.map((decision) => ({
      path: pictures[decision.index]!.name,
      seen: pictures[decision.index]!,
      decision,
    })),
    ...failed,
  ];
}

function write(
  rows: readonly CullRow[],
  asked: readonly Asked[],
  flags: CullFlags,
  { form, out, html, thumbnails, interrupted }: Outputs & { thumbnails: Thumbnails | undefined; interrupted: boolean },
): void {
  const { keep, burstGap, similarity, score, model } = flags;
  const facts = {
    ...(score && { model: modelWords(model) }),
    options: { keep, burstGapSeconds: burstGap, similarity },
    ...(interrupted && { interrupted: true as const }),
  };
  if (form === "csv") out.replace(cullCsv(rows));
  else if (form === "json") out.replace(cullJson(rows, facts));
  else out.replace(cullTable(rows));
  if (!html || !thumbnails) return;
  const placeOfPath = new Map(asked.map(({ path }, place) => [path, place]));
  for (const piece of contactSheet(
    rows.map((row) => sheetRow(row)),
    (index) => thumbnails.get(placeOfPath.get(rows[index]!.path)!),
  )) {
    html.append(piece);
  }
  console.error(`the contact sheet is ${printable(flags.html!)}`);
}

function sheetRow(row: CullRow) {
  if ("error" in row) return { path: row.path, error: row.error };
  const { group, rank, decision, words, sharpness }: CullDecision = row.decision;
  const { look, scored } = row.seen;
  const captured = capturedWords(row.seen);
  return {
    path: row.path,
    ...{ group, rank, decision, words, sharpness, width: look.width, height: look.height },
    ...(scored && { score: scored.score }),
    ...(captured && { captured }),
  };
}
