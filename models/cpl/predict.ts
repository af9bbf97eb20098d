import { withoutGradients } from "../../engine/autograd.ts";
import type { Device } from "../../engine/device/device.ts";
import { largestFit } from "../../engine/memory/largest-fit.ts";
import { type CropWindow, centerCrop, cropAndFlip, stack, unpackRgb } from "../../engine/ops/image.ts";
import { softmax } from "../../engine/ops/softmax.ts";
import { Random } from "../../engine/random.ts";
import { Tensor } from "../../engine/tensor.ts";
import { decode, type Loaded, type MosRange, type Picture, prefetch, upload } from "../data/index.ts";
import { Forward, type Pass } from "./forward.ts";
import { type InputItem, type Inputs, inputPass } from "./inputs.ts";
import { confidence, denormaliseScore, expectation, HIGHEST, LOWEST, standardDeviation } from "./labels.ts";
import type { CplModel, Outputs } from "./model.ts";
import type { CplOptions } from "./options.ts";

/** A quality score with its uncertainty. */
export interface Score {
  /** On the scale of the model's range; higher is better. */
  readonly score: number;
  /** Standard deviation of the predicted distribution, same units. */
  readonly standardDeviation: number;
  /** 1 − H / ln m of the predicted distribution (Eq. 8), 0 … 1. */
  readonly confidence: number;
}

/** Score of a predicted distribution over the score set: expectation mapped back through Eq. 1. */
export function scoreOf(distribution: ArrayLike<number>, range: MosRange): Score {
  return {
    score: denormaliseScore(expectation(distribution), range),
    standardDeviation: (standardDeviation(distribution) * (range[1] - range[0])) / (HIGHEST - LOWEST),
    confidence: confidence(distribution),
  };
}

/** Pictures taken through the network at once in evaluation, where memory suffices. */
export const evaluationBatch = 32;

/**
 * Items taken through a network at once on the device as it is now: {@link evaluationBatch}, or fewer that fit.
 * @param item makes one on the device
 * @throws OutOfMemoryError when not even one fits
 */
export function fittingBatch<Item>(device: Device, item: () => Item, pass: Pass<Item>): number {
  const work = (batch: number) => {
    const items = device.owned("pictures", () => Array.from({ length: batch }, item));
    using forward = new Forward(device, batch, pass);
    // The first is recorded, the second makes a plan, the third replays it.
    for (let time = 0; time < 3; time++) forward.run(items, () => {});
  };
  const batch = largestFit(device, 1, evaluationBatch, work);
  if (batch === 0) device.rehearse(() => work(1));
  return batch;
}

/** Logits → distributions over the score set, [N, m]. */
export const distributions = ({ logits }: { readonly logits: Tensor }) => softmax(logits);

type Outcome<Row, Value> =
  | { readonly row: Row; readonly value: Value }
  | { readonly row: Row; readonly error: unknown };

/**
 * Distributions over the score set for pictures in the order of `rows`; a picture that cannot be decoded comes with its
 * error. With `testCrops` above 1 a distribution is the mean over crops at original size, else it is the centre crop's.
 */
export async function* predict<Row extends { readonly path: string }>(
  model: CplModel,
  rows: Iterable<Row>,
  inputs: Inputs,
  options: CplOptions,
): AsyncGenerator<Outcome<Row, Float32Array>, void, undefined> {
  if (options.testCrops > 1) return yield* predictCrops(model, rows);
  const { most, pass } = fittingPass(model, inputs, distributions);
  using forward = new Forward(model.device, most, pass);
  const { levels } = options;
  /** What was loaded since the last batch, and its pictures. */
  let entries: Loaded<Row>[] = [];
  let pictures: InputItem[] = [];
  const start = (): Promise<Outcome<Row, Float32Array>[]> => {
    const loaded = entries;
    const read =
      pictures.length > 0 ? forward.run(pictures, (output) => output.read()) : Promise.resolve(new Float32Array());
    entries = [];
    pictures = [];
    return handled(
      read.then((all) => {
        let at = 0;
        return loaded.map((entry) => {
          if ("error" in entry) return entry;
          at += levels;
          return { row: entry.row, value: all.slice(at - levels, at) };
        });
      }),
    );
  };
  // The adapter works on one batch while the next is decoded, uploaded and handed over.
  let running: Promise<Outcome<Row, Float32Array>[]> | undefined;
  for await (const loaded of inputs.load(rows)) {
    entries.push(loaded);
    if ("tensor" in loaded) pictures.push({ tensor: loaded.tensor });
    if (pictures.length < most) continue;
    const next = start();
    if (running) yield* await running;
    running = next;
  }
  const last = start();
  if (running) yield* await running;
  yield* await last;
}

/** A pass over inputs in evaluation mode, and the batch that fits the memory. */
function fittingPass(model: CplModel, inputs: Inputs, output: (outputs: Outputs) => Tensor) {
  const { device } = model;
  const pass = inputPass(inputs, output);
  return { most: fittingBatch(device, () => ({ tensor: Tensor.empty(device, inputs.shape) }), pass), pass };
}

/** The promise, whose rejection is no failure of the process when nobody comes to wait for it. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** Features [N, 256] of pictures by centre crop in evaluation mode; pictures that cannot be decoded are left out. */
export async function features<Row extends { readonly path: string }>(
  model: CplModel,
  rows: readonly Row[],
  inputs: Inputs,
  onProgress: (done: number) => void = () => {},
): Promise<{ features: Tensor; rows: Row[] }> {
  const { device, options } = model;
  const all = device.owned("graph", () => Tensor.empty(device, [rows.length, options.embedding]).keep());
  const { most, pass } = fittingPass(model, inputs, ({ embedding }) => embedding);
  using forward = new Forward(device, most, pass);
  const kept: Row[] = [];
  let batch: InputItem[] = [];
  let running: { readonly done: Promise<void>; readonly count: number } | undefined;
  const start = () => {
    const at = (kept.length - batch.length) * options.embedding * 4;
    forward.run(batch, ({ allocation, sizeBytes }) => {
      device.stream.copy(allocation, 0, all.allocation, at, sizeBytes);
    });
    batch = [];
    return { done: handled(device.finish()), count: kept.length };
  };
  for await (const loaded of inputs.load(rows)) {
    if ("error" in loaded) continue;
    kept.push(loaded.row);
    batch.push({ tensor: loaded.tensor });
    if (batch.length < most) continue;
    const next = start();
    await running?.done;
    if (running) onProgress(running.count);
    running = next;
  }
  if (batch.length > 0) start();
  await device.finish();
  onProgress(kept.length);
  if (kept.length === rows.length) return { features: all, rows: kept };
  const fewer = device.owned("graph", () => Tensor.empty(device, [kept.length, options.embedding]).keep());
  device.stream.copy(all.allocation, 0, fewer.allocation, 0, fewer.sizeBytes);
  all.dispose();
  return { features: fewer, rows: kept };
}

/** Mean distribution over `testCrops` crops of the picture at original size, at places drawn from the seed alone. */
async function* predictCrops<Row extends { readonly path: string }>(
  model: CplModel,
  rows: Iterable<Row>,
): AsyncGenerator<Outcome<Row, Float32Array>, void, undefined> {
  for await (const decoded of prefetch(rows, (row) => decode(row.path))) {
    const { item: row } = decoded;
    if (decoded.ok) yield { row, value: await meanOverCrops(model, decoded.value) };
    else yield { row, error: decoded.error };
  }
}

async function meanOverCrops(model: CplModel, picture: Picture): Promise<Float32Array> {
  const { device } = model;
  const { read } = device.scope(() =>
    withoutGradients(() => {
      const crops = evaluationViews(model, picture);
      const output = distributions(model.forward(stack(crops), false));
      for (const crop of crops) crop.dispose();
      return { read: output.read() };
    }),
  );
  const all = await read;
  const { testCrops, levels } = model.options;
  return meanOf(Array.from({ length: testCrops }, (_, i) => all.subarray(i * levels, (i + 1) * levels)));
}

/**
 * What the network sees of a picture in evaluation, [1, crop, crop, 3] in [0, 1] each: the centre of the resized picture, or
 * with `testCrops` above 1 so many parts at original size, at places drawn from the seed alone. They are in no scope.
 */
export function evaluationViews(model: CplModel, picture: Picture): Tensor[] {
  const { device, options } = model;
  const { crop, testCrops } = options;
  if (testCrops === 1) {
    using resized = upload(device, picture, options.resize);
    return [device.owned("pictures", () => centerCrop(resized, crop, crop)).keep()];
  }
  const random = new Random(options.seed, "test crops");
  return cutViews(model, picture, ({ height, width }) =>
    Array.from({ length: testCrops }, () => ({
      top: random.integer(height - crop + 1),
      left: random.integer(width - crop + 1),
    })),
  );
}

/**
 * Parts of crop x crop pixels of a picture at original size, in no scope. A picture that is smaller than one is enlarged to one.
 * @param places of the parts, for the size of the picture that they are cut from
 */
export function cutViews(
  model: CplModel,
  picture: Picture,
  places: (size: { readonly height: number; readonly width: number }) => readonly CropWindow[],
): Tensor[] {
  const { device, options } = model;
  const { crop } = options;
  const isSmall = Math.min(picture.width, picture.height) < crop;
  const cut = () => {
    using whole = isSmall
      ? upload(device, picture, crop)
      : unpackRgb(device, picture.pixels, picture.height, picture.width);
    const [, height, width] = whole.shape as [number, number, number, number];
    return places({ height, width }).map((place) => cropAndFlip(whole, [place], crop, crop));
  };
  return device.owned("pictures", () => device.scope(cut)).map((view) => view.keep());
}

/** Mean of distributions, element by element. */
export function meanOf(distributions: readonly Float32Array[]): Float32Array {
  return Float32Array.from(distributions[0]!, (_, j) => {
    let sum = 0;
    for (const distribution of distributions) sum += distribution[j]!;
    return sum / distributions.length;
  });
}
