import { appendFileSync, existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Evaluation } from "../metrics/index.ts";
import { type MeasureName, measureNames, type PartResult } from "../report/experiment/experiment-record.ts";
import { readCheckpoint } from "../training/checkpoint.ts";
import { resumeTraining, startTraining } from "../training/train.ts";
import {
  checkpointFile,
  type Progress,
  type ProgressSink,
  type TrainingData,
  type TrainingHooks,
  TrainingInterrupted,
} from "../training/training.ts";
import { type EpochOfData, picturesInEpoch } from "./as-long.ts";
import { type Claim, TrainingBusyError } from "./claim.ts";
import type { HeldDevice } from "./held-device.ts";
import type { PlannedTraining, Surroundings } from "./plan.ts";
import { type ExperimentStore, trainingsFolder } from "./store.ts";
import { taughtRows } from "./taught-rows.ts";

/** Folder of a training, below that of the store. */
export function folderOf(key: string): string {
  return join(trainingsFolder, key.slice(0, 16));
}

/** The model that a training leaves. */
export function modelPath(store: ExperimentStore, { key, phase }: Pick<PlannedTraining, "key" | "phase">): string {
  return join(store.folder, folderOf(key), phase.file);
}

/** Whether a training's results are kept, and its model where that is needed. */
export function isDone(store: ExperimentStore, training: PlannedTraining, needsModel = false): boolean {
  return store.training(training.key)?.status === "finished" && (!needsModel || existsSync(modelPath(store, training)));
}

export interface PlannedHooks
  extends Pick<TrainingHooks, "signal" | "tune" | "checkpointSeconds" | "featureFolder" | "command" | "testEachEpoch"> {
  /** A bar for the whole training. */
  readonly progress?: (label: string, total: number) => ProgressSink;
  /** Names the training on its bar. */
  readonly label: string;
  /** Called when the results are in the store, before the checkpoint is removed. */
  readonly onKept?: (what: TrainingFacts) => Promise<void>;
}

/** What is on record of a training beside its results. */
export type TrainingFacts = Parameters<ExperimentStore["claim"]>[1];

/**
 * Trains one phase, from the checkpoint of an interrupted training of the same where there is one, and keeps what it found.
 * @throws TrainingInterrupted; TrainingBusyError; what {@link startTraining} throws, which is kept as the reason of the failure
 */
export async function trainPlanned(
  planned: PlannedTraining,
  store: ExperimentStore,
  device: HeldDevice,
  surroundings: Surroundings,
  hooks: PlannedHooks,
): Promise<void> {
  const { key, method, stage, options, init, from } = planned;
  const folder = join(store.folder, folderOf(key));
  const what = { method: method.name, stage, folder: folderOf(key), options, ...surroundings };
  const claiming = () => store.claim(key, what);
  using claim = await soon(claiming, hooks.signal);
  try {
    await mkdir(folder, { recursive: true });
    const { label, progress, onKept, ...passed } = hooks;
    const data = await labelledData(planned, folder, store, device, hooks);
    const bar = progress?.(label, picturesIn({ ...planned, data }, hooks.testEachEpoch));
    const trainingHooks: TrainingHooks = {
      ...passed,
      signal: hooks.signal ? AbortSignal.any([hooks.signal, claim.taken]) : claim.taken,
      folder,
      log: logTo(join(folder, "log.txt")),
      ...(progress &&
        bar && {
          // What is computed once for many trainings is no part of this one's length.
          progress: (doing, total) =>
            doing === "frozen sections" ? progress(`${label}, ${doing}`, total) : partOf(bar, doing),
        }),
    };
    const start = from ? { from: modelPath(store, from) } : init ? { init } : {};
    const run = async () =>
      (await continues(folder, data))
        ? resumeTraining(method, device.source, trainingHooks)
        : startTraining(method, device.source, data, options as never, trainingHooks, start);
    const { model, progress: found } = await run().finally(() => bar?.stop());
    model.dispose();
    store.finish(key, { progress: found, results: partResults(stage, found.results) });
    await onKept?.(what);
    await rm(join(folder, checkpointFile), { force: true });
  } catch (error) {
    // What is on record is another's now.
    if (claim.taken.aborted) throw claim.taken.reason;
    if (error instanceof TrainingInterrupted) store.end(key, "interrupted", null);
    else store.end(key, "failed", error instanceof Error ? error.message : String(error));
    throw error;
  }
}

/** The data of a training, with the labels of another run's model where it learns some: they stay in its folder. */
async function labelledData(
  { data, labels, options, method }: PlannedTraining,
  folder: string,
  store: ExperimentStore,
  device: HeldDevice,
  { signal, label, progress }: PlannedHooks,
): Promise<TrainingData> {
  if (!labels) return data;
  const bar = progress?.(`${label}, labelling`, labels.pool.length);
  try {
    const hooks = { ...(signal && { signal }), onDone: (count: number) => bar?.advance(count) };
    const model = modelPath(store, labels.by);
    const taught = await taughtRows(
      { ...labels, model, path: join(folder, "labels.csv") },
      data,
      options,
      device,
      hooks,
    );
    return { ...data, labelled: [...data.labelled, ...taught] };
  } catch (error) {
    if (signal?.aborted) throw new TrainingInterrupted(folder, method.name);
    throw error;
  } finally {
    bar?.stop();
  }
}

/** Claims a training. A process that was killed takes a moment to end; one that goes on is not waited for. */
async function soon(claim: () => Claim, signal: AbortSignal | undefined): Promise<Claim> {
  for (let tries = 1; ; tries++) {
    try {
      return claim();
    } catch (error) {
      if (!(error instanceof TrainingBusyError) || tries === 20) throw error;
      await setTimeout(250, undefined, signal ? { signal } : {});
    }
  }
}

/** Whether the folder holds a checkpoint of this training whose pictures lie where they do now. */
async function continues(folder: string, data: TrainingData): Promise<boolean> {
  const path = join(folder, checkpointFile);
  if (!existsSync(path)) return false;
  try {
    const before = (await readCheckpoint(path)).data;
    const paths = (rows: readonly { path: string }[] = []) => rows.map((row) => row.path).join("\n");
    const parts = ["labelled", "unlabelled", "validation", "test"] as const;
    const copies = ({ ranked = [] }: TrainingData) => paths(ranked.flatMap(({ pictures }) => pictures));
    return parts.every((part) => paths(before[part]) === paths(data[part])) && copies(before) === copies(data);
  } catch {
    // Damaged, or of an earlier version: the training begins again.
    return false;
  }
}

/** Pictures that a training takes through the network, one by one: the length of its bar. */
function picturesIn(training: EpochOfData, testEachEpoch = false): number {
  const { phase, data } = training;
  const { labelled, unlabelled, validation = [], test } = data;
  const trained = picturesInEpoch(training);
  const surveyed = phase.surveys ? labelled.length + unlabelled.length : 0;
  const tested = testEachEpoch ? test.length : 0;
  return phase.epochs * (trained + surveyed + tested) + validation.length + test.length;
}

/** What a part of a training reports, on the bar of the whole. */
function partOf(bar: ProgressSink, doing: string): ProgressSink {
  return {
    advance: (amount = 1, note) => bar.advance(amount, note ? `${doing}, ${note}` : doing),
    stop: () => {},
  };
}

function logTo(path: string): (line: string) => void {
  return (line) => {
    try {
      appendFileSync(path, `${new Date().toISOString()} ${line}\n`);
    } catch {
      // A log that cannot be written ends no training; a full disk is told when the next checkpoint is.
    }
  };
}

function partResults(stage: number, results: Progress["results"]): PartResult[] {
  return results.map(({ part = "test", evaluation }) => partResult(part, stage, evaluation));
}

/** An evaluation as a row of results; what is not a number is null. */
export function partResult(part: string, stage: number, evaluation: Evaluation): PartResult {
  const measure = (name: MeasureName) => (Number.isFinite(evaluation[name]) ? evaluation[name] : null);
  const measures = Object.fromEntries(measureNames.map((name) => [name, measure(name)]));
  return { part, stage, n: evaluation.n, ...(measures as Record<MeasureName, number | null>) };
}
