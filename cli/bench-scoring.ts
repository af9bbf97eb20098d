import type { Command } from "commander";
import { firstScore, scoringBenchmark, withPictures } from "../models/bench/scoring.ts";
import { machineText } from "./bench-roofs.ts";
import { wholeNumber } from "./data-options.ts";
import { openCommandDevice } from "./device.ts";
import { table } from "./terminal.ts";

/** Adds `scoring` to the command `bench`. */
export function registerScoring(bench: Command): void {
  bench
    .command("scoring")
    .description("measure scoring a folder of JPEG files with a ResNet-18, and the first score of a fresh process")
    .option("--pictures <n>", "pictures in the folder", wholeNumber(1), 64)
    .option("--json", "print one JSON document")
    .configureHelp({ showGlobalOptions: false })
    .action(run);
}

async function run({ pictures, json }: { pictures: number; json?: boolean }): Promise<void> {
  using device = await openCommandDevice();
  const machine = machineText(device);
  const result = await withPictures(pictures, async (folder, paths) => {
    const scoring = await scoringBenchmark(device, paths);
    const cold = await firstScore(device, folder, paths[0]!, true);
    await firstScore(device, folder, paths[0]!, false); // fills the driver's cache
    return { scoring, cold, warm: await firstScore(device, folder, paths[0]!, false) };
  });
  if (json) {
    console.log(JSON.stringify({ machine, ...result }, null, 2));
    return;
  }
  const { rates, busy, batch } = result.scoring;
  const shares = [
    ["files to scores, pictures/s", rates.files.toFixed(1)],
    ["decoding alone, pictures/s", rates.decoding.toFixed(1)],
    ["pictures on the device to scores, pictures/s", rates.network.toFixed(1)],
    ["time in which the adapter had work", `${(100 * busy).toFixed(0)} %`],
  ];
  console.log(table([`${pictures} JPEG files of 500 x 500, batch ${batch}`, ""], shares));
  const parts = (["importMs", "openMs", "loadMs", "decodeMs", "scoreMs"] as const).map((part) => [
    part.replace("Ms", ""),
    result.cold[part].toFixed(0),
    result.warm[part].toFixed(0),
  ]);
  console.log(`\n${table(["first score of a process, ms", "cold driver cache", "warm"], parts)}\n\n${machine}`);
}
