import { withoutGradients } from "../../engine/autograd.ts";
import type { Device } from "../../engine/device/device.ts";
import { concat, slice } from "../../engine/ops/join.ts";
import { Tensor } from "../../engine/tensor.ts";
import { type Decoding, decode, prefetch } from "../data/index.ts";
import { answersOf, centrePass, Forward, fittingBatch, type NetworkWork } from "../networks/forward.ts";
import { checked, type Head, meanOf } from "../networks/heads.ts";
import type { Outputs, QualityNetwork } from "../networks/model.ts";
import type { ModelOptions } from "../networks/options.ts";
import { evaluationViews, showsCentre, uploadView } from "./crops.ts";
import { type InputItem, type Inputs, inputPass } from "./inputs.ts";
import { numbersOfAll, outcomesOfAll, ownPart } from "./rank-predict.ts";
import { type Outcome, type Shown, throughBatches } from "./view-batches.ts";

/**
 * Answers of a network for pictures in the order of `rows`; a picture that cannot be decoded comes with its error. An
 * answer is the mean over the views that the options show of a picture. Where the device works in step with other ranks, each
 * takes a part of the rows through the network, and all get all answers.
 */
export async function* predict<Row extends { readonly path: string }>(
  model: QualityNetwork,
  rows: Iterable<Row>,
  inputs: Inputs,
  options: ModelOptions,
): AsyncGenerator<Outcome<Row, Float32Array>, void, undefined> {
  const { ranks } = model.device;
  if (!ranks) return yield* predicted(model, rows, inputs, options);
  const all = [...rows];
  const own: Outcome<Row, Float32Array>[] = [];
  for await (const outcome of predicted(model, ownPart(all, ranks), inputs, options)) own.push(outcome);
  yield* await outcomesOfAll(all, own, model.answerLength, ranks);
}

function predicted<Row extends { readonly path: string }>(
  model: QualityNetwork,
  rows: Iterable<Row>,
  inputs: Inputs,
  options: ModelOptions,
): AsyncGenerator<Outcome<Row, Float32Array>, void, undefined> {
  const { device } = model;
  const { crop } = options;
  if (showsCentre(options)) {
    const item = () => ({ tensor: Tensor.empty(device, inputs.shape) });
    return meansOverViews(model, centresOf(rows, inputs), item, inputPass(inputs, answersOf(model)));
  }
  const item = () => Tensor.empty(device, [1, crop, crop, 3]);
  return meansOverViews(
    model,
    partsOf(device, rows, options, inputs.decoding),
    item,
    centrePass(model, answersOf(model)),
  );
}

async function* meansOverViews<Row extends { readonly path: string }, Item>(
  { device, head, answerLength: length }: QualityNetwork,
  pictures: AsyncIterable<Shown<Row, Item>>,
  item: () => Item,
  pass: NetworkWork<Item>,
): AsyncGenerator<Outcome<Row, Float32Array>, void, undefined> {
  const most = fittingBatch(device, item, pass);
  using forward = new Forward(device, most, pass);
  const run = (items: readonly Item[]) => forward.run(items, (output) => output.read());
  for await (const outcome of throughBatches(pictures, { most, length, run })) {
    if ("error" in outcome) yield outcome;
    else yield judged(head, outcome.row, meanOf(outcome.value));
  }
}

function judged<Row extends { readonly path: string }>(
  head: Head,
  row: Row,
  value: Float32Array,
): Outcome<Row, Float32Array> {
  try {
    return { row, value: checked(head, value, row.path) };
  } catch (error) {
    return { row, error };
  }
}

/** Pictures as the inputs have them. */
async function* centresOf<Row extends { readonly path: string }>(
  rows: Iterable<Row>,
  inputs: Inputs,
): AsyncGenerator<Shown<Row, InputItem>, void, undefined> {
  for await (const loaded of inputs.load(rows)) {
    if ("error" in loaded) yield loaded;
    else yield { row: loaded.row, views: [{ item: () => ({ tensor: loaded.tensor }) }] };
  }
}

/** Parts of pictures at original size, [1, crop, crop, 3]. */
async function* partsOf<Row extends { readonly path: string }>(
  device: Device,
  rows: Iterable<Row>,
  options: ModelOptions,
  decoding: Decoding,
): AsyncGenerator<Shown<Row, Tensor>, void, undefined> {
  const views = async ({ path }: Row) => evaluationViews(options, await decode(path, decoding));
  for await (const cut of prefetch(rows, views, { ahead: 8, concurrency: 3 })) {
    const { item: row } = cut;
    if (!cut.ok) yield { row, error: cut.error };
    else {
      const shown = cut.value.map((view) => ({
        item: () => uploadView(device, view, options.crop),
        end: (part: Tensor) => part.dispose(),
      }));
      yield { row, views: shown };
    }
  }
}

/** The promise, whose rejection is no failure of the process when nobody comes to wait for it. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/**
 * Features of pictures by centre crop in evaluation mode; pictures that cannot be decoded are left out.
 * @param what the 256-d feature of the graph, or the pooled one of the backbone
 * @returns [N, length]
 */
export async function features<Row extends { readonly path: string }>(
  model: QualityNetwork,
  rows: readonly Row[],
  inputs: Inputs,
  onProgress: (done: number) => void = () => {},
  what: "embedding" | "feature" = "embedding",
): Promise<{ features: Tensor; rows: Row[] }> {
  const length = what === "feature" ? model.featureLength : model.embeddingLength;
  const found = await collected(model, rows, inputs, { length, of: (outputs) => outputs[what] }, onProgress);
  return { features: found.numbers, rows: found.rows };
}

/**
 * {@link features} of the graph, and what the same pass through the network answers: of the centre crop alone.
 * @returns features [N, length]; answers [N, m], row-major
 */
export async function featuresAndAnswers<Row extends { readonly path: string }>(
  model: QualityNetwork,
  rows: readonly Row[],
  inputs: Inputs,
  onProgress: (done: number) => void = () => {},
  what: "embedding" | "feature" = "embedding",
): Promise<{ features: Tensor; answers: Float32Array<ArrayBuffer>; rows: Row[] }> {
  const { device, answerLength: m } = model;
  const d = what === "feature" ? model.featureLength : model.embeddingLength;
  const answers = answersOf(model);
  const of = (outputs: Outputs) => concat([outputs[what], answers(outputs)], 1);
  const { numbers: both, rows: kept } = await collected(model, rows, inputs, { length: d + m, of }, onProgress);
  const columns = (first: number, end: number) =>
    device.owned("graph", () => withoutGradients(() => slice(both, [0, first], [kept.length, end])));
  const [own, given] = [columns(0, d), columns(d, d + m)];
  both.dispose();
  const read = await given.read();
  given.dispose();
  return { features: own, answers: read, rows: kept };
}

/** Numbers of pictures by centre crop in evaluation mode, [N, length]. @param wanted of the outputs of a batch, [n, length] */
async function collected<Row extends { readonly path: string }>(
  model: QualityNetwork,
  rows: readonly Row[],
  inputs: Inputs,
  wanted: { readonly length: number; readonly of: (outputs: Outputs) => Tensor },
  onProgress: (done: number) => void,
): Promise<{ numbers: Tensor; rows: Row[] }> {
  const { device } = model;
  const { ranks } = device;
  if (!ranks) return collectedHere(model, rows, inputs, wanted, onProgress);
  const own = ownPart(rows, ranks);
  const found = own.length > 0 ? await collectedHere(model, own, inputs, wanted, onProgress) : undefined;
  const places = new Map(own.map((row, i) => [row, i]));
  const kept = (found?.rows ?? []).map((row) => places.get(row)!);
  return numbersOfAll(device, rows, found?.numbers, kept, ranks);
}

async function collectedHere<Row extends { readonly path: string }>(
  model: QualityNetwork,
  rows: readonly Row[],
  inputs: Inputs,
  { length, of }: { readonly length: number; readonly of: (outputs: Outputs) => Tensor },
  onProgress: (done: number) => void,
): Promise<{ numbers: Tensor; rows: Row[] }> {
  const { device } = model;
  const all = device.owned("graph", () => Tensor.empty(device, [rows.length, length]).keep());
  const pass = inputPass(inputs, of);
  const most = fittingBatch(device, () => ({ tensor: Tensor.empty(device, inputs.shape) }), pass);
  using forward = new Forward(device, most, pass);
  const kept: Row[] = [];
  let batch: InputItem[] = [];
  let running: { readonly done: Promise<void>; readonly count: number } | undefined;
  const start = () => {
    const at = (kept.length - batch.length) * length * 4;
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
  if (kept.length === rows.length) return { numbers: all, rows: kept };
  const fewer = device.owned("graph", () => Tensor.empty(device, [kept.length, length]).keep());
  device.stream.copy(all.allocation, 0, fewer.allocation, 0, fewer.sizeBytes);
  all.dispose();
  return { numbers: fewer, rows: kept };
}
