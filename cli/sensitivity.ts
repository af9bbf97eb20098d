import { type Command, Option } from "commander";
import {
  amountsOf,
  type DistortionName,
  distortionNames,
  usualDistortions,
} from "../models/data/degraded/distortions.ts";
import { decode, loadFolder, type MosRange } from "../models/data/index.ts";
import { reduced } from "../models/data/pictures/resample.ts";
import { demoScenes } from "../models/demo.ts";
import { openScorer } from "../models/scoring/scorer.ts";
import { type NamedPicture, type Sensitivity, sensitivity } from "../models/scoring/sensitivity.ts";
import { reportLeftOut, wholeNumber } from "./data-options.ts";
import { deviceSource, memoryOption } from "./device.ts";
import { modelOption } from "./model-option.ts";
import { progress, table } from "./terminal.ts";

interface SensitivityFlags {
  readonly model: string;
  readonly data?: string;
  readonly scenes: number;
  readonly side: number;
  readonly kinds?: DistortionName[];
  readonly kadid?: boolean;
  readonly seed: number;
  readonly json?: boolean;
  readonly memory?: number;
}

export function register(program: Command): void {
  program
    .command("sensitivity")
    .description("degrade pictures more and more and show whether their scores fall")
    .addOption(modelOption())
    .option("--data <folder>", "pictures; without it scenes of the demo's photographs")
    .option("--scenes <n>", "scenes of each of the six photographs", wholeNumber(1), 3)
    .option("--side <pixels>", "longer side that larger pictures are reduced to; side of a scene", wholeNumber(16), 240)
    .addOption(
      new Option("--kinds <name...>", `distortions (default: ${usualDistortions.join(", ")})`).choices(distortionNames),
    )
    .option(
      "--kadid",
      "at the levels of KADID-10k, the mildest first; all of its 25 distortions unless --kinds says which",
    )
    .option("--seed <n>", "seed of scenes, noise and angles", wholeNumber(0), 1)
    .option("--json", "print one JSON document")
    .option(...memoryOption)
    .addHelpText(
      "after",
      `
Exit code: 1 when a mean score rises from one level to the next in the same direction; mean-shift and contrast-change of KADID-10k
have two. Noise, angles and places are the same at all levels of a picture.`,
    )
    .action(run);
}

async function run(flags: SensitivityFlags): Promise<void> {
  const source = deviceSource(flags);
  using device = typeof source === "function" ? await source() : source;
  await using scorer = await openScorer({
    model: flags.model,
    device,
    onNote: (note) => console.error(`note: ${note}`),
  });
  const pictures = flags.data ? await picturesOf(flags.data, flags.side) : await scenes(flags);
  const kinds = flags.kinds ?? (flags.kadid ? distortionNames : usualDistortions);
  const levels = flags.kadid ? "severity" : "own";
  const bar = progress("scoring", pictures.length * (1 + 5 * kinds.length));
  let shown = 0;
  const onProgress = (done: number) => {
    bar.advance(done - shown);
    shown = done;
  };
  const found = await sensitivity(device, scorer, pictures, { kinds, levels, seed: flags.seed, onProgress });
  bar.stop();
  const inverted = found.filter(({ inversions }) => inversions.length > 0);
  if (flags.json) {
    const { range } = scorer.card;
    console.log(JSON.stringify({ model: scorer.name, range, pictures: pictures.length, distortions: found }, null, 2));
  } else print(found, pictures.length, scorer.card.range, levels);
  if (inverted.length > 0) process.exitCode = 1;
}

function print(
  found: readonly Sensitivity[],
  count: number,
  [low, high]: MosRange,
  levelSet: "own" | "severity",
): void {
  const digits = high - low > 20 ? 1 : 2;
  const row = ({ distortion, meanScores, inversions, fallen }: Sensitivity) => [
    distortion,
    amountsOf(distortion, levelSet)
      .map((amount) => Number(amount.toPrecision(3)))
      .join(", "),
    ...meanScores.map((score, level) => `${score.toFixed(digits)}${inversions.includes(level) ? " ^" : ""}`),
    `${Math.round(100 * fallen)} %`,
  ];
  const levels = [1, 2, 3, 4, 5].map((level) => `level ${level}`);
  console.log(table(["distortion", "amounts", "clean", ...levels, "lower at 5"], found.map(row)));
  console.log(
    `\nmean scores of ${count} pictures on [${low}, ${high}], higher is better; ^ marks a mean above that of the level below in its direction`,
  );
}

async function picturesOf(folder: string, side: number): Promise<NamedPicture[]> {
  const dataset = await loadFolder(folder);
  const { rows } = dataset;
  reportLeftOut(dataset);
  const pictures: NamedPicture[] = [];
  for (const { name, path } of rows) {
    try {
      pictures.push({ name, picture: await reduced(await decode(path), side) });
    } catch (error) {
      console.error(`left out: ${name}: ${(error as Error).message}`);
    }
  }
  if (pictures.length === 0) throw new Error(`there is no picture in ${folder} that can be read`);
  return pictures;
}

async function scenes({ seed, scenes: count, side }: SensitivityFlags): Promise<NamedPicture[]> {
  const found = await demoScenes({ seed, side, perPhotograph: count });
  return found.map(({ scene, bytes }) => ({ name: scene, picture: { pixels: bytes, width: side, height: side } }));
}
