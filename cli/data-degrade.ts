import { type Command, InvalidArgumentError, Option } from "commander";
import { type Degraded, degradedTable, degradeFolder } from "../models/data/degraded/degrade.ts";
import { type DistortionName, distortionNames, usualDistortions } from "../models/data/degraded/distortions.ts";
import { wholeNumber } from "./data-options.ts";
import { memoryOption, openCommandDevice } from "./device.ts";
import { interruptible } from "./interrupt.ts";
import { outputFolder } from "./output.ts";
import { progress } from "./terminal.ts";

interface DegradeFlags {
  readonly out: string;
  readonly kinds?: readonly DistortionName[];
  readonly levels?: readonly number[];
  readonly perPicture?: number;
  readonly ranked?: boolean;
  readonly kadid?: boolean;
  readonly kadis?: boolean;
  readonly stretch?: boolean;
  readonly toned: number;
  readonly seed: number;
  readonly longerSide: number;
  readonly webp?: boolean;
  readonly memory?: number;
}

export function register(data: Command): void {
  data
    .command("degrade")
    .description("write degraded copies of pictures, to train with their ranks or as unlabelled ones")
    .argument("<folder>", "pictures, also in subfolders")
    .requiredOption("--out <folder>", "where the copies and their table are written")
    .option(
      "--kinds <names>",
      `kinds of distortion, by commas, of ${distortionNames.join(", ")} (default: ${usualDistortions.join(", ")})`,
      parseKinds,
    )
    .option("--levels <levels>", "levels from 1 (mild) to 5 (strong), by commas (default: all)", parseLevels)
    .option(
      "--per-picture <n>",
      "copies of each picture, or all: pairs of kind and level drawn from the seed (default: 5); with --ranked kinds (default: 1)",
      parseCount,
    )
    .option("--ranked", "for train --ranked: each kind at two levels that follow one another, and the picture as it is")
    .addOption(
      new Option(
        "--kadid",
        "a set like KADID-10k: pictures and all 25 distortions at its levels, images/ and kadid.csv",
      ).conflicts(["kadis", "ranked", "perPicture"]),
    )
    .addOption(
      new Option(
        "--kadis",
        "a set like KADIS-700k: of each picture one distortion at five levels, ref_imgs/, dist_imgs/ and its table",
      ).conflicts(["ranked", "perPicture"]),
    )
    .option("--stretch", "stretch pictures and copies to all of black to white, as KADID-10k's generator does")
    .option("--toned <share>", "share of the pictures first made to look like faded, mostly grey prints", parseShare, 0)
    .option("--seed <n>", "seed of the draws and of noise", wholeNumber(0), 1)
    .option(
      "--longer-side <n>",
      "larger pictures are first reduced to so many pixels, as distortions are measured in pixels; 0 keeps their size",
      wholeNumber(0),
      512,
    )
    .option("--webp", "lossless WebP instead of PNG: smaller, slower to write")
    .option(...memoryOption)
    .addHelpText("after", notes)
    .action(run);
}

const notes = `
Files that are there are not made again: the same command finishes a run that was interrupted. A copy of a.jpg is called
a-<kind>-<level>.png; ${degradedTable} lists name, source, kind and level. Exit code: 1 when a picture could not be degraded.

Examples:
  acutance data degrade photos --out degraded --per-picture 3
  acutance data degrade photos --out degraded --kinds gaussian-blur,jpeg --levels 2,4 --per-picture all
  acutance data degrade photos --out made --kadid
  acutance data degrade snapshots --out many --kadis
  acutance train cpl --data photos --csv scores.csv --range 0:100 --unlabelled many --unlabelled-set kadis --ranked many
  acutance data degrade snapshots --out ranked --ranked --toned 0.5 --longer-side 360
  acutance train cpl --data photos --csv scores.csv --range 0:100 --ranked ranked

Levels 1 to 5 are the distortions' own, or KADID-10k's where they have none. --kadid and --kadis have those of KADID-10k, of which the
third is the mildest of mean-shift and contrast-change; training by ranks knows. The distortions at all levels in one picture:
acutance data sheet.

--ranked leaves the copies of validation and test pictures out; --unlabelled would take those too.`;

async function run(folder: string, flags: DegradeFlags): Promise<void> {
  const { out, kinds, levels, perPicture, ranked, toned, seed, longerSide } = flags;
  outputFolder(out, "--out");
  using device = await openCommandDevice(flags.memory === undefined ? {} : { memoryLimitBytes: flags.memory });
  using stop = interruptible("interrupted; the same command goes on from here");
  let bar: ReturnType<typeof progress> | undefined;
  let shown = 0;
  let result: Degraded;
  try {
    result = await degradeFolder(device, folder, out, {
      ...(kinds && { kinds }),
      ...(levels && { levels }),
      ...(perPicture !== undefined && { perPicture }),
      ...(ranked && { ranked }),
      layout: flags.kadid ? "kadid" : flags.kadis ? "kadis" : "copies",
      ...(flags.stretch && { stretch: true }),
      toned,
      seed,
      longerSide,
      format: flags.webp ? "webp" : "png",
      signal: stop.signal,
      onProgress: (done, total) => {
        bar ??= progress("degrading", total);
        bar.advance(done - shown);
        shown = done;
      },
    });
  } finally {
    bar?.stop();
  }
  const { pictures, kept, problems } = result;
  for (const { name, detail } of problems) console.error(`left out: ${name}: ${detail}`);
  console.log(
    `${pictures.length} degraded pictures in ${out}, ${kept} of them from before; table: ${out}/${degradedTable}`,
  );
  if (problems.length > 0) process.exitCode = 1;
}

function parseKinds(text: string): DistortionName[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !(distortionNames as string[]).includes(name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`there is no kind "${unknown}"; choose of ${distortionNames.join(", ")}`);
  return names as DistortionName[];
}

function parseLevels(text: string): number[] {
  const levels = text.split(",").map(Number);
  if (!levels.every((level) => [1, 2, 3, 4, 5].includes(level)))
    throw new InvalidArgumentError("expected levels from 1 to 5, such as 2,4");
  return levels;
}

function parseShare(text: string): number {
  const share = Number(text);
  if (!(text.trim() !== "" && share >= 0 && share <= 1))
    throw new InvalidArgumentError("expected a number from 0 to 1");
  return share;
}

function parseCount(text: string): number {
  return text === "all" ? Number.POSITIVE_INFINITY : wholeNumber(1)(text);
}
