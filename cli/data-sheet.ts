import { type Command, Option } from "commander";
import sharp from "sharp";
import { writeFileAtomically } from "../engine/weights/atomic.ts";
import { type DistortionName, distortionNames, type LevelSet, levelSets } from "../models/data/degraded/distortions.ts";
import { distortionSheet, type Tile } from "../models/data/degraded/sheet.ts";
import { decode } from "../models/data/index.ts";
import { reduced } from "../models/data/pictures/resample.ts";
import { demoScenes } from "../models/demo.ts";
import { wholeNumber } from "./data-options.ts";
import { memoryOption, openCommandDevice } from "./device.ts";
import { outputFile } from "./output.ts";
import { progress } from "./terminal.ts";

interface SheetFlags {
  readonly out: string;
  readonly kinds?: DistortionName[];
  readonly levels: LevelSet;
  readonly side: number;
  readonly seed: number;
  readonly stretch?: boolean;
  readonly memory?: number;
}

export function register(data: Command): void {
  data
    .command("sheet")
    .description("show distortions at all levels in one picture, on parts of photographs")
    .argument("[pictures...]", "photographs, of which the middle is shown; without them parts of the demo's")
    .requiredOption("--out <file>", "a picture by its name: .webp, .png, .jpg")
    .addOption(new Option("--kinds <name...>", "distortions (default: all 25)").choices(distortionNames))
    .addOption(
      new Option("--levels <set>", "KADID-10k's, those from the mildest on, or the distortions' own")
        .choices(levelSets)
        .default("kadid"),
    )
    .option("--side <pixels>", "side of a part", wholeNumber(32), 96)
    .option("--seed <n>", "seed of noise, places and of the demo's parts", wholeNumber(0), 1)
    .option("--stretch", "stretch pictures and results to all of black to white, as KADID-10k's generator does")
    .option(...memoryOption)
    .action(run);
}

async function run(pictures: readonly string[], flags: SheetFlags): Promise<void> {
  const { kinds = distortionNames, levels, side, seed, stretch = false, memory } = flags;
  outputFile(flags.out, "--out");
  const tiles =
    pictures.length > 0 ? await Promise.all(pictures.map((path) => middle(path, side))) : await demo(side, seed);
  using device = await openCommandDevice(memory === undefined ? {} : { memoryLimitBytes: memory });
  const bar = progress("degrading", kinds.length);
  try {
    const onProgress = () => bar.advance(1);
    const sheet = await distortionSheet(device, tiles, { kinds, levels, seed, stretch, onProgress });
    const end = flags.out.toLowerCase().replace(/^.*\./, "");
    const image =
      end === "png" ? sheet.png() : end === "webp" ? sheet.webp({ quality: 70 }) : sheet.jpeg({ quality: 85 });
    await writeFileAtomically(flags.out, await image.toBuffer());
  } finally {
    bar.stop();
  }
  console.log(`${kinds.length} distortions at five levels: ${flags.out}`);
}

/** The middle of a picture whose shorter side is reduced to twice that of a part. */
async function middle(path: string, side: number): Promise<Tile> {
  const { pixels, width, height } = await reducedTo(path, 2 * side);
  if (Math.min(width, height) < side)
    throw new Error(
      `${path} has ${width} x ${height} pixels: give a larger picture, or --side ${Math.min(width, height)}`,
    );
  const part = { left: (width - side) >> 1, top: (height - side) >> 1, width: side, height: side };
  const image = sharp(pixels, { raw: { width, height, channels: 3 } }).extract(part);
  return { pixels: await image.raw().toBuffer(), side };
}

async function reducedTo(path: string, shorter: number) {
  const picture = await decode(path);
  const { width, height } = picture;
  return reduced(picture, Math.round((shorter * Math.max(width, height)) / Math.min(width, height)));
}

async function demo(side: number, seed: number): Promise<Tile[]> {
  const scenes = await demoScenes({ seed, side, perPhotograph: 1 });
  return scenes.map(({ bytes }) => ({ pixels: bytes, side }));
}
