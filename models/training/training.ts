import type { Device } from "../../engine/device/device.ts";
import type { Ranks } from "../../engine/ranks/ranks.ts";
import type { Decoding, MosRange, RankedSet, Row } from "../data/index.ts";
import type { ModelCard, QualityNetwork } from "../networks/model.ts";
import type { FolderLock } from "./folder-lock.ts";
import type { TrainingOptions } from "./options.ts";
import type { RunRecord } from "./run-record.ts";

/** A picture with its mean opinion score, or one that another model labelled, which has a `weight`. */
export type RatedRow = Row & { readonly mos: number };

/** The pictures that people rated: what is told of labels, such as their range and mean, is told of these alone. */
export function ratedByPeople<R extends Row>(rows: readonly R[]): readonly R[] {
  return rows.filter(({ weight }) => weight === undefined);
}

/** The parts of a data set as training takes them. Rated unlabelled pictures lend their MOS to the log only. */
export interface TrainingData {
  readonly labelled: readonly RatedRow[];
  readonly unlabelled: readonly Row[];
  /** Degraded copies of pictures of which only the order of their qualities is known. */
  readonly ranked?: readonly RankedSet[];
  /** Held out of training to select on; scored after each stage. */
  readonly validation?: readonly RatedRow[];
  /** Never trained on and never selected on. */
  readonly test: readonly RatedRow[];
  /** Nominal ends of the MOS scale. */
  readonly range: MosRange;
  /** How the parts came about, for the model's card, e.g. "1:3:1 by image, seed 1". */
  readonly split?: string;
}

export const dataNames = {
  labelled: true,
  unlabelled: true,
  ranked: true,
  validation: true,
  test: true,
  range: true,
  split: true,
} satisfies Record<keyof TrainingData, true>;

/** A bar or line of progress, as `progress` of the command line makes it. */
export interface ProgressSink {
  advance(amount?: number, note?: string): void;
  stop(): void;
}

export interface TrainingHooks {
  /** Where checkpoint, models and record are written. */
  readonly folder: string;
  readonly progress?: (label: string, total: number) => ProgressSink;
  /** Called after each step, to time kernels that were run and not yet tuned. Changes the time of steps, not their bits. */
  readonly tune?: (device: Device) => Promise<unknown>;
  readonly log?: (line: string) => void;
  /** When it aborts, training stops after the current step and leaves a checkpoint. */
  readonly signal?: AbortSignal;
  /** A step that ends so long after the last checkpoint leaves another. @default 300 */
  readonly checkpointSeconds?: number;
  /** Where the output of frozen sections is kept, for this run and others. @default features/ in the user's cache */
  readonly featureFolder?: string;
  /** Which pictures are refused; when training is resumed, it is asked for anew. */
  readonly decoding?: Decoding;
  /** What the user typed, for the record. */
  readonly command?: string;
  /** A lock of the folder that the caller holds; without one, training locks the folder while it runs. */
  readonly lock?: FolderLock;
  /** A new training replaces a run that the folder holds, all of it; when false, such a folder is an error. @default true */
  readonly overwrite?: boolean;
  /** Called once before a new training's first checkpoint, with its run id and the folder locked. */
  readonly onStart?: (run: string) => Promise<void>;
  /** Scores the test part after each epoch, too, for the record: nothing is chosen by it. @default false */
  readonly testEachEpoch?: boolean;
  /**
   * Processes that train together with this one, each on a part of every batch, on a device of its own. All are given the same data and options;
   * the folder, the log and the progress are those of rank 0. One is as good as none. An error of one of them is the caller's to end all with.
   */
  readonly ranks?: Ranks;
}

export const hookNames = {
  folder: true,
  progress: true,
  tune: true,
  log: true,
  signal: true,
  checkpointSeconds: true,
  featureFolder: true,
  decoding: true,
  command: true,
  lock: true,
  overwrite: true,
  onStart: true,
  testEachEpoch: true,
  ranks: true,
} satisfies Record<keyof TrainingHooks, true>;

/** The parts of a record that grow while training runs. */
export type Progress = Pick<
  RunRecord,
  | "phases"
  | "losses"
  | "refreshes"
  | "regressions"
  | "pseudoLabels"
  | "results"
  | "epochTests"
  | "predictions"
  | "reliability"
  | "distributions"
  | "classes"
  | "notes"
>;

/** What a finished training leaves in memory; the same is in the folder. */
export interface TrainingResult {
  readonly model: QualityNetwork;
  readonly card: ModelCard<TrainingOptions>;
  /** Files of the models that its phases left in the folder, in their order. */
  readonly files: readonly string[];
  readonly data: TrainingData;
  readonly progress: Progress;
  readonly command: string;
}

/** Training was stopped by its signal; a checkpoint has been written. */
export class TrainingInterrupted extends Error {
  override name = "TrainingInterrupted";
  readonly advice: string;

  /** @param method its name on the command line */
  constructor(folder: string, method: string) {
    super("training was interrupted; a checkpoint was written");
    this.advice = `continue with: acutance train ${method} --resume ${folder}`;
  }
}

/** Training cannot go on: the loss is not a number, or there is too little data. */
export class TrainingError extends Error {
  override name = "TrainingError";
  readonly advice: string;

  constructor(message: string, advice = "") {
    super(message);
    this.advice = advice;
  }
}

export const checkpointFile = "checkpoint.safetensors";
export const stageOneFile = "stage1.safetensors";
export const modelFile = "model.safetensors";
/** Of a method that leaves an encoder, which gives no scores. */
export const encoderFile = "encoder.safetensors";
