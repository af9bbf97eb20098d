import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { loadDataset, ratedRows, split } from "../models/data/index.ts";
import { makeDemoDataset } from "../models/demo.ts";
import { trainCpl } from "../models/methods/cpl/index.ts";
import type { CplOptionsInput } from "../models/methods/cpl/options.ts";
import { FolderLock } from "../models/training/folder-lock.ts";
import { expectFreeFolder } from "../models/training/run-folder.ts";
import { wholeNumber } from "./data-options.ts";
import { openCommandDevice } from "./device.ts";
import { outputFolder } from "./output.ts";
import { formatSeconds, progress } from "./terminal.ts";
import { finish } from "./training-results.ts";

/** A short backbone on small pictures, from scratch: minutes on a software adapter. */
const method: CplOptionsInput = {
  stages: 1,
  embedding: 64,
  levels: 20,
  optimiser: "adamw",
  schedule: "cosine",
  freshRate: 2e-3,
  resize: 72,
  crop: 64,
  stageOneEpochs: 20,
  stageOneBatch: 16,
  stageTwoEpochs: 4,
  labelledBatch: 16,
  unlabelledBatch: 24,
  gamma: 0.8,
};

export function register(program: Command): void {
  program
    .command("demo")
    .description("degrade real photographs, train CPL-IQA on few labels and the rest unlabelled, test on unseen scenes")
    .option("--out <folder>", "where pictures, models and report are written", "acutance-demo")
    .option("--seed <n>", "seed of scenes, split and training", wholeNumber(0), 1)
    .action(run);
}

async function run({ out, seed }: { out: string; seed: number }): Promise<void> {
  outputFolder(out, "--out");
  const start = performance.now();
  const folder = join(out, "pictures");
  // An earlier demo is replaced, a training of one's own is not.
  const overwrite = existsSync(join(folder, "scores.csv"));
  await expectFreeFolder(out, { overwrite });
  await makePictures(folder, seed);
  const range = [0, 100] as const;
  const dataset = await loadDataset({ folder, csv: join(folder, "scores.csv"), range, columns: { group: "scene" } });
  const parts = split(ratedRows(dataset.rows), { parts: { labelled: 1, unlabelled: 3, test: 1 }, seed, by: "group" });
  const scenes = (rows: readonly { group?: string }[]) => new Set(rows.map(({ group }) => group)).size;
  console.log(
    `${dataset.rows.length} pictures of ${scenes(dataset.rows)} scenes; the label is 100 · SSIM to the clean scene.\n` +
      `${parts.labelled.length} labelled (${scenes(parts.labelled)} scenes), ${parts.unlabelled.length} unlabelled ` +
      `(${scenes(parts.unlabelled)}), ${parts.test.length} for test (${scenes(parts.test)} scenes never trained on)\n`,
  );
  await using lock = await FolderLock.take(out);
  const hooks = {
    folder: out,
    lock,
    overwrite,
    progress,
    log: (line: string) => console.error(line),
    command: "acutance demo",
  };
  const result = await trainCpl(openCommandDevice, { ...parts, range }, { ...method, seed }, hooks);
  using _device = result.model.device;
  await finish(result, out, "Acutance demo: CPL-IQA on degraded photographs");
  console.log(`\n${formatSeconds((performance.now() - start) / 1000)} in all`);
}

async function makePictures(folder: string, seed: number): Promise<void> {
  using device = await openCommandDevice();
  console.log(`running on ${device.info.description || device.info.vendor} through ${device.info.provider}`);
  const bar = progress("degrading scenes", 1);
  let shown = 0;
  await makeDemoDataset(device, folder, {
    seed,
    onProgress: (done, total) => {
      bar.advance(done / total - shown);
      shown = done / total;
    },
  });
  bar.stop();
}
