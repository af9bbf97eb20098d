import { basename, join } from "node:path";
import { expectNames } from "../../engine/arguments.ts";
import type { Device } from "../../engine/device/device.ts";
import { OutOfMemoryError } from "../../engine/device/errors.ts";
import type { DeviceSource } from "../../engine/device/source.ts";
import { cacheTrouble } from "../../engine/tune/cache.ts";
import { cacheFolder } from "../../engine/tune/cache-folder.ts";
import { SafetensorsError } from "../../engine/weights/safetensors.ts";
import { type MosRange, observedRange } from "../data/index.ts";
import { evaluationBatch } from "../networks/forward.ts";
import { isOfHead, type ModelCard, openModel, QualityNetwork } from "../networks/model.ts";
import { pictureInputs } from "../views/crop-inputs.ts";
import { DegradedInputs, type DegradedOptions } from "../views/degraded-inputs.ts";
import { type Inputs, strongInputs } from "../views/inputs.ts";
import { PrefixInputs } from "../views/prefix-inputs.ts";
import { VersionInputs, type VersionOptions } from "../views/version-inputs.ts";
import { kindsIn, oneView } from "../views/view-kind.ts";
import { pairsInBatch, rowsIn, viewsOf } from "./batches.ts";
import { type Checkpoint, loadCheckpoint, readCheckpoint } from "./checkpoint.ts";
import { edgesSentence, expectHistograms, withClassEdges } from "./classes.ts";
import { expectLabels } from "./labels.ts";
import type { Method } from "./method.ts";
import type { StrongOptions, TrainingOptions } from "./options.ts";
import { sharedFile } from "./rank-start.ts";
import { trainThroughLosses } from "./recovery.ts";
import { clearFolder, expectNoRun, inLockedFolder } from "./run-folder.ts";
import { runId } from "./run-id.ts";
import { Session } from "./session.ts";
import {
  checkpointFile,
  dataNames,
  hookNames,
  ratedByPeople,
  type TrainingData,
  TrainingError,
  type TrainingHooks,
  type TrainingResult,
} from "./training.ts";

export interface TrainingStart {
  /** Weights file for the backbone, safetensors or PyTorch, with torchvision's names; or those of several parts of a network. */
  readonly init?: string | readonly string[];
  /** A model of an earlier run, such as the end of a stage 1. */
  readonly from?: string;
}

const startNames = { init: true, from: true } satisfies Record<keyof TrainingStart, true>;

/** @throws TypeError for a hook that there is not */
export function expectHooks(operation: string, hooks: TrainingHooks): void {
  expectNames(operation, hooks, hookNames);
}

/** @throws TypeError for a hook, a start or a part of the data that there is not */
export function expectStart(operation: string, data: TrainingData, hooks: TrainingHooks, start: TrainingStart): void {
  expectNames(`${operation}: hooks`, hooks, hookNames);
  expectNames(`${operation}: start`, start, startNames);
  expectNames(`${operation}: data`, data, dataNames);
}

/**
 * Trains by a method, phase by phase. Writes `checkpoint.safetensors` (at the start, every epoch, every five minutes or as the
 * hooks say, and on interruption) and the models of the phases into the folder, which is locked meanwhile.
 * @param source a device, or how to open one, such as `openDevice`: then training survives the loss of a device, and the
 * one it ended on, `result.model.device`, is the caller's to close
 * @throws TrainingInterrupted when the signal aborts; DeviceLostError when a device of the host's own was lost, or three
 * without progress between; FolderBusyError when another training has the folder; TrainingError when it holds a run and
 * `overwrite` is false; TypeError for a hook, a start or a part of the data that there is not; OptionError, TrainingError,
 * SafetensorsError for wrong input
 */
export async function startTraining<Options extends TrainingOptions, Input>(
  method: Method<Options, Input>,
  source: DeviceSource,
  data: TrainingData,
  input: Input,
  hooks: TrainingHooks,
  start: TrainingStart = {},
): Promise<TrainingResult> {
  expectStart("startTraining", data, hooks, start);
  const asked = method.options(input);
  expectHistograms(data, asked);
  // Those of a model that training goes on from stay what they are.
  const options = start.from ? asked : withClassEdges(asked, ratedByPeople(data.labelled), labelRange(data, asked));
  expectEnough(data, options, method);
  method.expectData?.(data, options);
  if (options.frozen > 0 && filesOf(start).length === 0 && !start.from) {
    throw new TrainingError(
      `\`frozen\` ${options.frozen}: without start weights the frozen sections would stay as they were drawn`,
      "give `init` or `from`, or leave `frozen` out",
    );
  }
  return inLockedFolder(ofRank(hooks), async (held) => {
    if (held.overwrite === false && isFirst(held)) await expectNoRun(held.folder);
    let session: Session | undefined;
    try {
      return await trainThroughLosses(source, held, {
        first: async (device) => (session = await startSession(method, device, data, options, held, start)),
        again: async (device) => (session = await resumeSession(method, device, held)),
      });
    } catch (error) {
      // A training that does not fit begins anew with other options: its checkpoint is of no use and would be in the way.
      if (error instanceof OutOfMemoryError && session?.isAtStart && isFirst(held)) await clearFolder(held.folder);
      throw error;
    }
  });
}

/**
 * Continues from the checkpoint in a folder, bit for bit as if training had not been interrupted.
 * @param source as for {@link startTraining}
 * @throws SafetensorsError when there is no readable checkpoint; TrainingError when it is of another method; as {@link startTraining}
 */
export async function resumeTraining(
  method: Method,
  source: DeviceSource,
  hooks: TrainingHooks,
): Promise<TrainingResult> {
  expectHooks("resumeTraining", hooks);
  // Before a device is opened for nothing.
  // Ranks hear of it together.
  if ((hooks.ranks?.size ?? 1) === 1) await ownCheckpoint(method, hooks.folder);
  return inLockedFolder(ofRank(hooks), (held) => {
    const resume = (device: Device) => resumeSession(method, device, held);
    return trainThroughLosses(source, held, { first: resume, again: resume });
  });
}

/**
 * The checkpoint of a method in a folder.
 * @throws SafetensorsError when there is none that can be read; TrainingError when it is of another method
 */
export function ownCheckpoint(method: Method, folder: string): Promise<Checkpoint> {
  return checkpointOf(method, join(folder, checkpointFile), folder);
}

async function checkpointOf(method: Method, path: string, folder: string): Promise<Checkpoint> {
  const checkpoint = await readCheckpoint(path);
  if (checkpoint.method === method.name) return checkpoint;
  throw new TrainingError(
    `${folder} holds a training by ${checkpoint.method}, not by ${method.name}`,
    `continue with: acutance train ${checkpoint.method} --resume ${folder}`,
  );
}

async function startSession(
  method: Method,
  device: Device,
  data: TrainingData,
  options: TrainingOptions,
  hooks: TrainingHooks,
  start: TrainingStart,
): Promise<Session> {
  const started = await startModel(device, data, options, start);
  const { model, notes = [] } = started;
  const { labelled, unlabelled, validation = [], test } = data;
  const { from } = start;
  const init = filesOf(start)
    .map((path) => basename(path))
    .join(", ");
  const settings = { options, ...(init && { init }), from: from && basename(from) };
  const run = runId({ parts: { labelled, unlabelled, validation, test }, settings });
  const card = { ...started.card, history: [...started.card.history, ...edgesSentence(started.card)], run };
  for (const line of [...card.history, ...notes]) hooks.log?.(line);
  const inputs = await openInputs(method, options, model, data, hooks);
  const session = new Session(method, model, inputs, card, data, hooks, {
    position: { stage: 1, epoch: 0, step: 0 },
    progress: {
      phases: [],
      losses: [],
      refreshes: [],
      pseudoLabels: [],
      results: [],
      predictions: [],
      notes: [...card.history],
    },
    command: hooks.command ?? "",
    optimiserSteps: 0,
  });
  // What was there stays until the new training is sure to begin.
  if (isFirst(hooks)) {
    await clearFolder(hooks.folder);
    await hooks.onStart?.(run);
  }
  await session.checkpoint();
  return session;
}

async function resumeSession(method: Method, device: Device, hooks: TrainingHooks): Promise<Session> {
  const own = join(hooks.folder, checkpointFile);
  await using copied = device.ranks && (await sharedFile(device.ranks, own));
  const path = copied?.path ?? own;
  const checkpoint = await checkpointOf(method, path, hooks.folder);
  const options = optionsOf(method, checkpoint, path);
  const model = new QualityNetwork(device, options);
  model.freezeNorms(checkpoint.frozenNorms);
  await loadCheckpoint(path, model, []);
  const inputs = await openInputs(method, options, model, checkpoint.data, hooks);
  const card = { ...checkpoint.card, options };
  const session = new Session(method, model, inputs, card, checkpoint.data, hooks, checkpoint);
  await session.load(path);
  return session;
}

/** @throws SafetensorsError when a checkpoint's options are none of the method's */
function optionsOf(method: Method, { card }: Checkpoint, path: string): TrainingOptions {
  try {
    return method.options(card.options as never);
  } catch (cause) {
    throw new SafetensorsError(`${path}: its card has ${(cause as Error).message}`, { cause });
  }
}

/** Whether this process writes into the folder: alone, or the first of several ranks. */
function isFirst({ ranks }: Pick<TrainingHooks, "ranks">): boolean {
  return (ranks?.rank ?? 0) === 0;
}

/** Hooks as a rank uses them: the first tells what goes on. */
function ofRank(hooks: TrainingHooks): TrainingHooks {
  if (isFirst(hooks)) return hooks;
  const { log: _log, progress: _progress, onStart: _onStart, ...own } = hooks;
  return own;
}

/** What a model learns from, as its options want it. */
async function openInputs(
  method: Method,
  options: TrainingOptions & Partial<StrongOptions>,
  model: QualityNetwork,
  { ranked }: TrainingData,
  { featureFolder, folder, log, decoding = {} }: TrainingHooks,
): Promise<Inputs> {
  const { frozen, strong, strongViews } = options;
  const phases = method.phases(options);
  // Where turns are to be told, strong views are not turned.
  const turned = phases.some(({ views }) => kindsIn(views).includes("turned"));
  const showing = { decoding, turned, ...strongInputs(strong, strongViews) };
  const sizes = phases.map(({ batch, views }) => rowsIn(batch, views));
  const batch = Math.max(...sizes) + 2 * pairsInBatch(ranked, options);
  const inUse = Math.max(batch, evaluationBatch);
  if (phases.some(({ views }) => kindsIn(views).includes("version")))
    return new VersionInputs(model, inUse, options as TrainingOptions & VersionOptions, decoding);
  if (phases.some(({ views }) => kindsIn(views).includes("degraded")))
    return new DegradedInputs(model, inUse, options as TrainingOptions & DegradedOptions, decoding);
  if (frozen === 0) return pictureInputs(model, inUse, undefined, showing);
  if (featureFolder) return PrefixInputs.open(model, inUse, featureFolder, showing);
  const trouble = await cacheTrouble();
  if (trouble) log?.(`note: features are kept in the run's folder: ${trouble}`);
  return PrefixInputs.open(model, inUse, join(trouble ? folder : cacheFolder()!, "features"), showing);
}

/** Options that the shapes of a model's tensors and what they mean depend on. */
const networkOptions = [
  "network",
  "encoders",
  "backbone",
  "stages",
  "featureDepths",
  "second",
  "secondDepths",
  "sides",
  "secondSides",
  "pooling",
  "featureNorm",
  "head",
  "levels",
  "classesBy",
  "classEdges",
  "embedding",
] as const;

function expectEnough(data: TrainingData, options: TrainingOptions, method: Method): void {
  const phases = method.phases(options);
  const { labelled, ranked } = data;
  const { microBatch } = options;
  const views = phases.flatMap(({ views = oneView }) =>
    (["labelled", "unlabelled", "further"] as const).map((part) => viewsOf(views, part)),
  );
  const together = Math.max(...views, pairsInBatch(ranked, options) > 0 ? 2 : 1);
  if (microBatch > 0 && microBatch < together)
    throw new TrainingError(
      `\`microBatch\` ${microBatch} would part ${Math.max(...views) < 2 ? "the pictures of a ranked pair" : "the views of a picture"}; give at least ${together}`,
    );
  for (const { name, wholeBatches, batch, views } of phases) {
    const rows = rowsIn(batch, views) + 2 * pairsInBatch(ranked, options);
    if (wholeBatches && microBatch > 0 && microBatch < rows)
      throw new TrainingError(
        `\`microBatch\` ${microBatch}: ${name} draws conclusions from all ${rows} views of a batch at once; leave it out, or make the batches smaller`,
      );
  }
  expectLabels(data, options);
  if (labelled.length < 2 && !method.withoutLabels)
    throw new TrainingError(`training needs at least 2 labelled pictures, found ${labelled.length}`);
}

function filesOf({ init = [] }: TrainingStart): readonly string[] {
  return typeof init === "string" ? [init] : init;
}

/** Ends of Eq. 1. */
function labelRange({ range, labelled }: TrainingData, options: Pick<TrainingOptions, "range">): MosRange {
  return options.range === "nominal" ? range : observedRange(ratedByPeople(labelled).map(({ mos }) => mos));
}

async function startModel(device: Device, data: TrainingData, options: TrainingOptions, start: TrainingStart) {
  const { from } = start;
  const init = filesOf(start);
  const range = labelRange(data, options);
  if (from) {
    let own = options;
    const opened = await openModel(device, from, (card) => {
      const { classesBy, classEdges } = card.options;
      if (options.classesBy === "quantile" && classesBy === "quantile" && options.classEdges.length === 0)
        own = { ...options, classEdges };
      expectSameNetwork(from, card, { options: own, range });
      return own;
    });
    const card = {
      options: own,
      range,
      history: [...opened.card.history, `continued from ${basename(from)}`],
      fresh: opened.card.fresh,
    };
    return { model: opened.model, card, notes: opened.notes };
  }
  const model = new QualityNetwork(device, options);
  const all = model.tensors().map(({ name }) => name);
  if (init.length === 0) return { model, card: { options, range, history: ["all layers start fresh"], fresh: all } };
  const report = await model.start(init, range);
  const frozen = [...model.frozenNames].find((name) => report.fresh.has(name));
  if (frozen !== undefined) {
    model.dispose();
    throw new TrainingError(
      `\`frozen\` ${options.frozen}: no start weights have "${frozen}", which would stay as it was drawn`,
      "freeze fewer sections, or give a further `init` that has it",
    );
  }
  // A card goes with the model wherever that goes, and says nothing of folders.
  const lines = report.lines.map((line) => init.reduce((text, path) => text.replaceAll(path, basename(path)), line));
  const fresh = all.filter((name) => report.fresh.has(name) || (isOfHead(name) && !report.headStarted));
  if (!report.headStarted) lines.push("the head starts fresh");
  return { model, card: { options, range, history: lines, fresh } };
}

/** @throws TrainingError when a model cannot go on with other options or another range */
function expectSameNetwork(
  path: string,
  given: ModelCard,
  { options, range }: Pick<ModelCard, "options" | "range">,
): void {
  for (const key of networkOptions) {
    if (String(given.options[key]) !== String(options[key]))
      throw new TrainingError(`${path} has \`${key}\` ${given.options[key]}, the options ask for ${options[key]}`);
  }
  if (given.range.join() !== range.join())
    throw new TrainingError(`${path} scores on [${given.range}], this data set on [${range}]`);
}
