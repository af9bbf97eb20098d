import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import type { Device } from "../../engine/device/device.ts";
import { decode, prefetch, upload } from "../data/index.ts";
import { photographPath } from "../demo.ts";
import { answersOf, centrePass, Forward } from "../networks/forward.ts";
import { QualityNetwork, saveModel } from "../networks/model.ts";
import { type ModelOptions, modelOptions } from "../networks/options.ts";
import { openScorer } from "../scoring/scorer.ts";

/** What scoring a folder reached. */
export interface ScoringResult {
  readonly pictures: number;
  readonly batch: number;
  /** Pictures a second: files to scores, decoding alone, and scores of pictures that are on the device already. */
  readonly rates: { readonly files: number; readonly decoding: number; readonly network: number };
  /** Share of the time from files to scores in which the adapter had work, 0..1. */
  readonly busy: number;
}

/** Milliseconds of the parts of a fresh process's first score; `scoreMs` is upload, compilation and run. */
export interface FirstScore {
  /** Start of the process until its modules are loaded. */
  readonly importMs: number;
  readonly openMs: number;
  readonly loadMs: number;
  readonly decodeMs: number;
  readonly scoreMs: number;
}

const side = 500;

/** Runs `work` with a folder of `count` JPEG files of 500 x 500, cut from a photograph, that is gone afterwards. */
export async function withPictures<T>(
  count: number,
  work: (folder: string, paths: string[]) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "acutance-bench-"));
  try {
    const whole = await sharp(photographPath("acanthus-mollis"))
      .resize(side + 64, side + 64, { fit: "fill" })
      .png()
      .toBuffer();
    const paths = Array.from({ length: count }, (_, i) => join(folder, `${i}.jpg`));
    for (const [i, path] of paths.entries()) {
      const [left, top] = [i % 64, (i * 7) % 64];
      await sharp(whole).extract({ left, top, width: side, height: side }).jpeg({ quality: 90 }).toFile(path);
    }
    return await work(folder, paths);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Scores files with a fresh ResNet-18 and measures what bounds it. */
export async function scoringBenchmark(device: Device, paths: readonly string[]): Promise<ScoringResult> {
  const folder = await mkdtemp(join(tmpdir(), "acutance-bench-"));
  try {
    await using scorer = await openScorer({ device, model: await freshModel(device, folder) });
    const walk = async () => {
      for await (const picture of scorer.scoreMany(paths)) if ("error" in picture) throw picture.error;
    };
    await walk(); // kernels are compiled
    const decodingMs = await milliseconds(async () => {
      const read = prefetch(paths, (path) => decode(path), { ahead: 16, concurrency: 4 });
      for await (const picture of read) if (!picture.ok) throw picture.error;
    });
    const networkMs = await networkMilliseconds(device, scorer.card.options, paths[0]!, scorer.batch);
    let busyMs = 0;
    const filesMs = await milliseconds(async () => {
      busyMs = await whileBusy(device, walk);
    });
    return {
      pictures: paths.length,
      batch: scorer.batch,
      rates: {
        files: (1000 * paths.length) / filesMs,
        decoding: (1000 * paths.length) / decodingMs,
        network: 1000 / networkMs,
      },
      busy: busyMs / filesMs,
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Milliseconds a picture of full batches that are on the device already. */
export async function networkMilliseconds(
  device: Device,
  options: ModelOptions,
  path: string,
  batch: number,
): Promise<number> {
  const model = new QualityNetwork(device, options);
  const picture = upload(device, await decode(path), options.resize);
  using forward = new Forward(model.device, batch, centrePass(model, answersOf(model)));
  const run = () => forward.run(Array(batch).fill(picture), (output) => output.read());
  const runs = 2;
  try {
    for (let i = 0; i < 2; i++) await run(); // recorded, traced
    return (
      (await milliseconds(async () => void (await Promise.all(Array.from({ length: runs }, run))))) / (runs * batch)
    );
  } finally {
    picture.dispose();
    model.dispose();
  }
}

/** Writes a model with drawn weights, a ResNet-18 unless told otherwise, and returns the path. */
export async function freshModel(
  device: Device,
  folder: string,
  options: ModelOptions = modelOptions({}),
): Promise<string> {
  const path = join(folder, "model.safetensors");
  const model = new QualityNetwork(device, options);
  await saveModel(path, model, { options, range: [0, 100], history: ["fresh weights, for a benchmark"], fresh: [] });
  model.dispose();
  return path;
}

async function milliseconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Milliseconds during `work` in which something handed to the adapter was not done, by the host's clock. */
async function whileBusy(device: Device, work: () => Promise<void>): Promise<number> {
  let [outstanding, since, total] = [0, 0, 0];
  device.stream.onSubmit = () => {
    if (outstanding++ === 0) since = performance.now();
    const done = () => {
      if (--outstanding === 0) total += performance.now() - since;
    };
    device.gpu.queue.onSubmittedWorkDone().then(done, done);
  };
  try {
    await work();
    await device.finish();
  } finally {
    device.stream.onSubmit = undefined;
  }
  return total;
}

/**
 * The first score of a fresh process with a fresh ResNet-18.
 * @param cold without the shader cache of Mesa's drivers; other drivers keep theirs
 * @throws Error with what the process printed when it fails
 */
export async function firstScore(device: Device, folder: string, picture: string, cold: boolean): Promise<FirstScore> {
  const path = await freshModel(device, folder);
  const program = fileURLToPath(new URL("first-score-process.ts", import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, path, picture], {
    encoding: "utf8",
    env: { ...process.env, ...(cold && { MESA_SHADER_CACHE_DISABLE: "true" }) },
  });
  if (status !== 0) throw new Error(`the process of the first score ended with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}
