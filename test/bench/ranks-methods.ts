// `bun test/bench/ranks-methods.ts [RANKS] [METHOD…]`: a few steps of every method in one process and in so many ranks (2 unless given), on
// small networks and pictures of noise; how far the weights are apart, ‖a − b‖ / ‖a‖, with SGD where a method has it. Variants that the README
// of training names (frozen sections, f16, ctaugment, logit interpolation, teachers) are rows of their own. Ends with 1 when a row is apart by more than
// 1e-2 or fails.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDevice } from "../../engine/device/open.ts";
import { methods } from "../../models/methods/index.ts";
import { reIqa } from "../../models/methods/reiqa/index.ts";
import { QualityNetwork, saveModel } from "../../models/networks/model.ts";
import { startTraining } from "../../models/training/train.ts";
import type { TrainingData } from "../../models/training/training.ts";
import { blurredPictures, divided } from "../models/training/pictures.ts";
import { inRanks, weightDifference, withoutMpi } from "../models/training/with-ranks.ts";

if (withoutMpi) throw new Error(withoutMpi);
const [count = "2", ...only] = process.argv.slice(2);
const ranks = Number(count);
const folder = await mkdtemp(join(tmpdir(), "acutance-ranks-methods-"));
const device = await openDevice();

const rated = divided(await blurredPictures(join(folder, "rated"), 40));
const unrated = (await blurredPictures(join(folder, "unrated"), 8, 100)).map(({ name, path }) => ({ name, path }));
const unlabelled: TrainingData = { labelled: [], unlabelled: unrated, test: [], range: [0, 100] };

/** The backbone that frozen sections and Re-IQA start from. */
const init = join(folder, "resnet.safetensors");
const encoders = join(folder, "encoders.safetensors");
for (const [path, options] of [
  [init, reIqa.options({ backbone: "resnet18", stages: 1, resize: 36, crop: 32, network: "standard" })],
  [encoders, reIqa.options({ backbone: "resnet18", stages: 1, resize: 40, crop: 40 })],
] as const) {
  const network = new QualityNetwork(device, options);
  await saveModel(path, network, { options, range: [0, 100], history: [], fresh: [] });
  network.dispose();
}

const size = { stages: 1, resize: 36, crop: 32 };
const sgd = { optimiser: "sgd", rate: 1e-3, freshRate: 1e-3 };
const both = { ...size, ...sgd, embedding: 16, labelledBatch: 4, unlabelledBatch: 4, epochs: 1 };
const one = { ...size, ...sgd, embedding: 16, levels: 20, batch: 8, epochs: 3 };
interface Row {
  readonly method: string;
  readonly title?: string;
  readonly options: object;
  readonly data?: TrainingData;
  readonly start?: { readonly init: string };
}
const resnet = { backbone: "resnet18" };
const rows: Row[] = [
  ...["fixmatch", "freematch", "softmatch", "flexmatch", "defixmatch", "adamatch", "comatch", "simmatch"].map(
    (method) => ({
      method,
      options: both,
    }),
  ),
  ...["crmatch", "rankup", "kernelridge"].map((method) => ({ method, options: both })),
  {
    method: "cpl",
    options: {
      ...size,
      ...sgd,
      embedding: 16,
      levels: 20,
      neighbours: 5,
      stageOneBatch: 8,
      labelledBatch: 4,
      unlabelledBatch: 8,
      stageOneEpochs: 2,
      stageTwoEpochs: 2,
    },
  },
  { method: "supervised", options: one },
  { method: "supervised", title: "supervised, frozen stem", options: { ...one, frozen: 1 }, start: { init } },
  { method: "supervised", title: "supervised, f16", options: { ...one, precision: "f16" } },
  { method: "supervised", title: "supervised, averaged weights, clipped", options: { ...one, ema: 0.9, clipNorm: 1 } },
  { method: "fixmatch", title: "fixmatch, ctaugment", options: { ...both, strong: "ctaugment" } },
  { method: "adamatch", title: "adamatch, logit interpolation", options: { ...both, logitInterpolation: true } },
  { method: "comatch", title: "comatch, teacher", options: { ...both, teacher: 0.9 } },
  { method: "simmatch", title: "simmatch, teacher", options: { ...both, teacher: 0.9 } },
  { method: "nima", options: { ...resnet, ...size, batch: 8, headEpochs: 1, epochs: 2, testResize: 32, ...sgd } },
  {
    method: "dbcnn",
    options: { ...resnet, ...size, batch: 4, headEpochs: 1, epochs: 2, rate: 1e-3, freshRate: 1e-3, headRate: 0.02 },
  },
  {
    method: "dbcnn-scnn",
    options: { crop: 32, region: 40, batch: 4, degraded: 2, kinds: ["white-noise", "mean-shift"], epochs: 1 },
    data: unlabelled,
  },
  {
    method: "hyperiqa",
    options: {
      ...resnet,
      ...size,
      stages: 2,
      cropFrom: "resized",
      trainCrops: 1,
      testTiles: 0,
      batch: 4,
      epochs: 1,
      rate: 1e-4,
      freshRate: 1e-3,
    },
  },
  { method: "reiqa", options: { ...resnet, stages: 1, resize: 40, crop: 40 }, start: { init: encoders } },
  {
    method: "reiqa-quality",
    options: { ...resnet, stages: 1, crop: 32, region: 96, batch: 4, degraded: 2, queue: 30, projection: 8, epochs: 1 },
    data: unlabelled,
  },
  { method: "semi-iqa", options: { ...size, levels: 3, labelledBatch: 8, unlabelledBatch: 6, epochs: 1, ...sgd } },
  { method: "ssliqa-like", options: { ...both, teacher: 0.5 } },
];

let failed = 0;
for (const [i, row] of rows.entries()) {
  const { method: name, title = name, data = rated, start = {} } = row;
  if (only.length > 0 && !only.includes(name)) continue;
  const method = methods.find((each) => each.name === name)!;
  let said: string;
  try {
    const place = join(folder, String(i));
    await mkdir(place);
    const alone = { folder: join(place, "alone") };
    const result = await startTraining(method, device, data, row.options as never, alone, start);
    result.model.dispose();
    const steps = result.progress.losses.length;
    const [outcome] = await inRanks(
      ranks,
      [{ method: name, data, options: row.options, folder: join(place, "ranks"), start }],
      place,
    );
    if (outcome!.error) throw new Error(outcome!.error);
    const file = result.files.at(-1)!;
    const apart = await weightDifference(join(alone.folder, file), join(place, "ranks", file));
    if (!(apart < 1e-2)) failed++;
    said = `${String(steps).padStart(3)} steps  ${apart.toExponential(1)}`;
  } catch (error) {
    failed++;
    said = `FAILED: ${String((error as Error).message).slice(0, 600)}`;
  }
  console.log(`${title.padEnd(40)} ${said}`);
}
device.close();
await rm(folder, { recursive: true });
process.exitCode = failed > 0 ? 1 : 0;
