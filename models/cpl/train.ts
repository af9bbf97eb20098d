import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { backward } from "../../engine/autograd.ts";
import type { Device } from "../../engine/device/device.ts";
import { cropAndFlip, stack } from "../../engine/ops/image.ts";
import { Optimiser } from "../../engine/optim/optimiser.ts";
import { writeFileAtomically } from "../../engine/weights/atomic.ts";
import { type MosRange, observedRange, PictureStore, type Row } from "../data/index.ts";
import { evaluate } from "../metrics/index.ts";
import { type LoadedBatch, loadBatches, planEpoch } from "./batches.ts";
import {
  type Checkpoint,
  loadCheckpoint,
  type Position,
  type Progress,
  readCheckpoint,
  writeCheckpoint,
} from "./checkpoint.ts";
import { convert, denormaliseScore, normaliseMos } from "./labels.ts";
import { batchLoss } from "./loss.ts";
import { CplModel, type ModelCard, openModel, saveModel } from "./model.ts";
import { type CplOptions, type CplOptionsInput, cplOptions } from "./options.ts";
import { features, predict, scoreOf } from "./predict.ts";
import { expectations, type PseudoLabels, pseudoLabelQuality, refreshPseudoLabels } from "./pseudo-labels.ts";

/** A picture with its mean opinion score. */
export type RatedRow = Row & { readonly mos: number };

/** The parts of a data set as training takes them. Rated unlabelled pictures lend their MOS to the log only. */
export interface TrainingData {
  readonly labelled: readonly RatedRow[];
  readonly unlabelled: readonly Row[];
  /** Never trained on and never selected on. */
  readonly test: readonly RatedRow[];
  /** Nominal ends of the MOS scale. */
  readonly range: MosRange;
  /** How the parts came about, for the model's card, e.g. "1:3:1 by image, seed 1". */
  readonly split?: string;
}

/** A bar or line of progress, as `progress` of the command line makes it. */
export interface ProgressSink {
  advance(amount?: number, note?: string): void;
  stop(): void;
}

export interface TrainingHooks {
  /** Where checkpoint, models and record are written. */
  readonly folder: string;
  readonly progress?: (label: string, total: number) => ProgressSink;
  readonly log?: (line: string) => void;
  /** When it aborts, training stops after the current step and leaves a checkpoint. */
  readonly signal?: AbortSignal;
  /** What the user typed, for the record. */
  readonly command?: string;
}

export interface TrainingStart {
  /** Weights file for the backbone, with torchvision's names. */
  readonly init?: string;
  /** A model of an earlier run, such as the end of a stage 1. */
  readonly from?: string;
}

/** What a finished training leaves in memory; the same is in the folder. */
export interface TrainingResult {
  readonly model: CplModel;
  readonly card: ModelCard;
  readonly data: TrainingData;
  readonly progress: Progress;
  readonly command: string;
}

/** Training was stopped by its signal; a checkpoint has been written. */
export class TrainingInterrupted extends Error {
  override name = "TrainingInterrupted";
  readonly advice: string;

  constructor(folder: string) {
    super("training was interrupted; a checkpoint was written");
    this.advice = `continue with: acutance train cpl --resume ${folder}`;
  }
}

/** Training cannot go on: the loss is not a number, or there is too little data. */
export class TrainingError extends Error {
  override name = "TrainingError";
}

export const checkpointFile = "checkpoint.safetensors";
export const stageOneFile = "stage1.safetensors";
export const modelFile = "model.safetensors";

/**
 * Trains CPL-IQA (ICML 2025): stage 1 on the labelled pictures, then stage 2 on all with pseudo-labels that are refreshed
 * before each epoch. Writes `checkpoint.safetensors` (every epoch and on interruption), `stage1.safetensors` and
 * `model.safetensors` into the folder.
 * @throws TrainingInterrupted when the signal aborts; OptionError, TrainingError, SafetensorsError for wrong input
 */
export async function trainCpl(
  device: Device,
  data: TrainingData,
  input: CplOptionsInput,
  hooks: TrainingHooks,
  start: TrainingStart = {},
): Promise<TrainingResult> {
  const options = cplOptions(input);
  expectEnough(data, options);
  await mkdir(hooks.folder, { recursive: true });
  const { model, card } = await startModel(device, data, options, start);
  for (const line of card.history) hooks.log?.(line);
  const session = new Session(device, model, card, data, hooks, {
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
    pseudo: undefined,
    optimiserSteps: 0,
  });
  return session.run();
}

/**
 * Continues from the checkpoint in a folder, bit for bit as if training had not been interrupted.
 * @throws SafetensorsError when there is no readable checkpoint
 */
export async function resumeCpl(device: Device, hooks: TrainingHooks): Promise<TrainingResult> {
  const path = join(hooks.folder, checkpointFile);
  const checkpoint = await readCheckpoint(path);
  const model = new CplModel(device, checkpoint.card.options);
  model.freezeNorms(checkpoint.frozenNorms);
  const session = new Session(device, model, checkpoint.card, checkpoint.data, hooks, checkpoint);
  await session.load(path);
  return session.run();
}

function expectEnough(data: TrainingData, options: CplOptions): void {
  const { labelled, unlabelled } = data;
  if (labelled.length < 2)
    throw new TrainingError(`training needs at least 2 labelled pictures, found ${labelled.length}`);
  if (options.stageTwoEpochs > 0 && unlabelled.length < 1) {
    throw new TrainingError(
      "stage 2 needs unlabelled pictures; give some, or train stage 1 alone with stageTwoEpochs 0",
    );
  }
}

async function startModel(device: Device, data: TrainingData, options: CplOptions, { init, from }: TrainingStart) {
  const range = options.range === "nominal" ? data.range : observedRange(data.labelled.map(({ mos }) => mos));
  if (from) {
    const opened = await openModel(device, from);
    for (const key of ["backbone", "stages", "levels", "embedding"] as const) {
      if (opened.card.options[key] !== options[key]) {
        throw new TrainingError(`${from} has ${key} ${opened.card.options[key]}, the options ask for ${options[key]}`);
      }
    }
    if (opened.card.range.join() !== range.join()) {
      throw new TrainingError(`${from} scores on [${opened.card.range}], this data set on [${range}]`);
    }
    const card = {
      options,
      range,
      history: [...opened.card.history, `continued from ${from}`],
      fresh: opened.card.fresh,
    };
    return { model: opened.model, card };
  }
  const model = new CplModel(device, options);
  const all = model.tensors().map(({ name }) => name);
  if (!init) return { model, card: { options, range, history: ["all layers start fresh"], fresh: all } };
  const report = await model.start(init);
  const fresh = all.filter((name) => report.fresh.has(name) || name.startsWith("head."));
  return { model, card: { options, range, history: [...report.lines, "the head starts fresh"], fresh } };
}

/** One training run from its start or a checkpoint to its end. */
class Session {
  readonly #device: Device;
  readonly #model: CplModel;
  readonly #options: CplOptions;
  readonly #card: ModelCard;
  readonly #data: TrainingData;
  readonly #hooks: TrainingHooks;
  readonly #store: PictureStore;
  readonly #labels: Float32Array<ArrayBuffer>;
  readonly #position: Position;
  readonly #progress: Progress;
  readonly #command: string;
  readonly #broken = new Set<string>();
  #optimiser: Optimiser;
  #pseudo: PseudoLabels | undefined;

  constructor(
    device: Device,
    model: CplModel,
    card: ModelCard,
    data: TrainingData,
    hooks: TrainingHooks,
    from: Pick<Checkpoint, "position" | "progress" | "command" | "pseudo" | "optimiserSteps">,
  ) {
    this.#device = device;
    this.#model = model;
    this.#options = card.options;
    this.#card = card;
    this.#data = data;
    this.#hooks = hooks;
    this.#store = new PictureStore(device, card.options.resize);
    const { labelMode: mode, levels } = card.options;
    this.#labels = Float32Array.from(
      convert(
        data.labelled.map(({ mos }) => normaliseMos(mos, card.range)),
        { mode, levels },
      ),
    );
    this.#position = { ...from.position };
    this.#progress = from.progress;
    this.#command = from.command;
    this.#pseudo = from.pseudo;
    this.#optimiser = this.#newOptimiser();
    this.#optimiser.steps = from.optimiserSteps;
  }

  async load(checkpointPath: string): Promise<void> {
    await loadCheckpoint(checkpointPath, this.#model, this.#optimiser);
  }

  async run(): Promise<TrainingResult> {
    try {
      const { stageOneEpochs, stageTwoEpochs } = this.#options;
      if (this.#position.stage === 1) {
        await this.#stage(1, stageOneEpochs);
        if (stageOneEpochs > 0) await this.#endStage("stage 1", stageOneFile, "stageOne");
        this.#moveTo(2);
        await this.#checkpoint();
      }
      if (this.#position.stage === 2) {
        await this.#stage(2, stageTwoEpochs);
        if (stageTwoEpochs > 0) await this.#endStage("stage 2", modelFile, "score");
        this.#moveTo(3);
        await this.#checkpoint();
      }
      return {
        model: this.#model,
        card: this.#card,
        data: this.#data,
        progress: this.#progress,
        command: this.#command,
      };
    } finally {
      this.#store.dispose();
      this.#optimiser.dispose();
    }
  }

  #moveTo(stage: 2 | 3): void {
    Object.assign(this.#position, { stage, epoch: 0, step: 0 });
    this.#pseudo = undefined;
    this.#optimiser.dispose();
    this.#optimiser = this.#newOptimiser();
  }

  #newOptimiser(): Optimiser {
    const { optimiser, rate, freshRate, decay } = this.#options;
    const fresh = new Set(this.#card.fresh);
    const parameters = this.#model.tensors().filter(({ role }) => role === "parameter");
    const groups = [true, false].flatMap((isFresh) =>
      [true, false].map((isVector) => ({
        parameters: parameters.filter(
          ({ name, kind }) => fresh.has(name) === isFresh && (kind === "vector") === isVector,
        ),
        rate: isFresh ? freshRate : rate,
        decay: isVector ? 0 : decay,
      })),
    );
    return new Optimiser(groups, { kind: optimiser });
  }

  async #stage(stage: 1 | 2, epochs: number): Promise<void> {
    const position = this.#position;
    for (; position.epoch < epochs; position.epoch++, position.step = 0, this.#pseudo = undefined) {
      if (this.#hooks.signal?.aborted) await this.#interrupt();
      if (stage === 2 && !this.#pseudo) await this.#refresh();
      await this.#epoch(stage, epochs);
      if (position.epoch + 1 < epochs)
        await this.#checkpointAt({ stage, epoch: position.epoch + 1, step: 0 }, undefined);
    }
  }

  async #epoch(stage: 1 | 2, epochs: number): Promise<void> {
    const position = this.#position;
    const batches = planEpoch(stage, position.epoch, this.#data, this.#options);
    if (batches.length === 0) throw new TrainingError(`stage ${stage} has no batch of at least 2 pictures`);
    const bar = this.#hooks.progress?.(
      `stage ${stage}, epoch ${position.epoch + 1} of ${epochs}`,
      batches.flat().length,
    );
    bar?.advance(batches.slice(0, position.step).flat().length);
    const clock = this.#clock(`stage ${stage} training`);
    try {
      for await (const batch of loadBatches(batches.slice(position.step), this.#store)) {
        this.#report(batch);
        if (batch.pictures.length > 1) {
          const loss = await this.#step(batch);
          this.#progress.losses.push({ stage, epoch: position.epoch, step: position.step, loss });
          bar?.advance(batch.pictures.length, `loss ${loss.toFixed(4)}`);
        }
        position.step++;
        if (this.#hooks.signal?.aborted) {
          clock();
          await this.#interrupt();
        }
      }
      clock();
    } finally {
      bar?.stop();
    }
  }

  /** One batch forward, backward and into the parameters; returns the loss. */
  async #step({ pictures }: LoadedBatch): Promise<number> {
    const { crop, levels } = this.#options;
    const targets = new Float32Array(pictures.length * levels);
    const weights = new Float32Array(pictures.length).fill(1);
    pictures.forEach(({ planned: { index, labelled } }, i) => {
      const source = labelled ? this.#labels : this.#pseudo!.targets;
      targets.set(source.subarray(index * levels, (index + 1) * levels), i * levels);
      if (!labelled) weights[i] = this.#pseudo!.weights[index]!;
    });
    const labelled = pictures.filter(({ planned }) => planned.labelled).length;
    const { reading } = this.#device.scope(() => {
      const whole = stack(pictures.map(({ tensor }) => tensor));
      const windows = pictures.map(({ planned }) => planned.window);
      const { logits } = this.#model.forward(cropAndFlip(whole, windows, crop, crop), true);
      const loss = batchLoss(logits, { targets, weights, labelled }, this.#options);
      backward(loss);
      this.#optimiser.step();
      this.#optimiser.clearGradients();
      return { reading: loss.item() };
    });
    const loss = await reading;
    if (!Number.isFinite(loss)) {
      const { stage, epoch, step } = this.#position;
      throw new TrainingError(
        `the loss is ${loss} in stage ${stage}, epoch ${epoch + 1}, step ${step + 1}; use smaller learning rates. The checkpoint of the last epoch is intact`,
      );
    }
    return loss;
  }

  /** The label step before an epoch of stage 2. */
  async #refresh(): Promise<void> {
    const { labelled, unlabelled } = this.#data;
    const rows = [...labelled, ...unlabelled];
    const bar = this.#hooks.progress?.(`stage 2, epoch ${this.#position.epoch + 1}: features`, rows.length);
    let shown = 0;
    const featureClock = this.#clock("stage 2 features");
    const found = await features(this.#model, rows, this.#store, (done) => {
      bar?.advance(done - shown);
      shown = done;
    });
    bar?.stop();
    const featureSeconds = featureClock();
    if (found.rows.length < rows.length) {
      found.features.dispose();
      const lost = rows.filter((row) => !found.rows.includes(row)).map(({ name }) => name);
      throw new TrainingError(
        `pictures that could be read before cannot be read any more: ${lost.slice(0, 5).join(", ")}`,
      );
    }
    const clock = this.#clock("stage 2 label step");
    const { pseudo, refresh } = await refreshPseudoLabels(found.features, this.#labels, this.#options);
    found.features.dispose();
    const seconds = clock();
    this.#pseudo = pseudo;
    const { range } = this.#card;
    const truth = unlabelled.map(({ mos }) => (mos === undefined ? undefined : normaliseMos(mos, range)));
    const quality = pseudoLabelQuality(pseudo, this.#options.levels, truth);
    this.#progress.refreshes.push({
      epoch: this.#position.epoch,
      seconds,
      featureSeconds,
      ...refresh,
      ...(quality && { quality }),
    });
    const scores = expectations(pseudo.targets, this.#options.levels);
    this.#progress.pseudoLabels = unlabelled.map(({ name, mos }, i) => ({
      name,
      pseudo: denormaliseScore(scores[i]!, range),
      confidence: pseudo.weights[i]!,
      ...(mos !== undefined && { mos }),
    }));
    this.#logRefresh();
  }

  #logRefresh(): void {
    const { epoch, iterations, residual, converged, unreachable, meanConfidence, quality } =
      this.#progress.refreshes.at(-1)!;
    const parts = [
      `pseudo-labels for epoch ${epoch + 1}: ${iterations} solver iterations`,
      `mean confidence ${meanConfidence.toFixed(3)}`,
    ];
    if (!converged) parts.push(`NOT converged (residual ${residual.toExponential(1)}; raise solverIterations)`);
    if (unreachable > 0) parts.push(`${unreachable} reached by no label`);
    if (quality)
      parts.push(
        `against truth SRCC ${quality.srcc.toFixed(3)}, MAE ${quality.mae.toFixed(2)} of 99, slope ${quality.slope.toFixed(2)}`,
      );
    this.#hooks.log?.(parts.join(", "));
  }

  /** Stores the model and scores the test part with it. */
  async #endStage(name: string, file: string, column: "stageOne" | "score"): Promise<void> {
    const { labelled, unlabelled, test } = this.#data;
    const used = column === "score" ? `, ${unlabelled.length} unlabelled` : "";
    const split = this.#data.split ? `, split ${this.#data.split}` : "";
    const done = `CPL-IQA ${name}: ${labelled.length} labelled${used} pictures${split}, training seed ${this.#options.seed}`;
    const card = { ...this.#card, history: [...this.#card.history, done] };
    await saveModel(join(this.#hooks.folder, file), this.#model, card);
    if (test.length === 0) return;
    const clock = this.#clock("test");
    const bar = this.#hooks.progress?.(`${name}: test`, test.length);
    const rows = new Map(this.#progress.predictions.map((row) => [row.name, row]));
    const pairs: { predicted: number; mos: number }[] = [];
    for await (const outcome of predict(this.#model, test, this.#store, this.#options)) {
      bar?.advance();
      if ("error" in outcome) continue;
      const { row, value } = outcome;
      const score = scoreOf(value, this.#card.range);
      pairs.push({ predicted: score.score, mos: row.mos });
      const before = rows.get(row.name);
      const stageOne = column === "stageOne" ? score.score : before?.stageOne;
      rows.set(row.name, {
        name: row.name,
        path: row.path,
        mos: row.mos,
        ...(stageOne !== undefined && { stageOne }),
        ...score,
      });
    }
    bar?.stop();
    clock();
    this.#progress.predictions = [...rows.values()];
    if (pairs.length < 3) return;
    const evaluation = evaluate(
      pairs.map((pair) => pair.predicted),
      pairs.map((pair) => pair.mos),
    );
    this.#progress.results.push({ name, evaluation });
    this.#hooks.log?.(
      `${name}: test SRCC ${evaluation.srcc.toFixed(3)}, PLCC ${evaluation.plcc.toFixed(3)} on ${evaluation.n} pictures`,
    );
  }

  #report({ errors }: LoadedBatch): void {
    for (const { planned, error } of errors) {
      if (this.#broken.has(planned.name)) continue;
      this.#broken.add(planned.name);
      this.#hooks.log?.(`left out: ${planned.name}: ${error instanceof Error ? error.message : error}`);
    }
  }

  async #interrupt(): Promise<never> {
    await this.#checkpoint();
    throw new TrainingInterrupted(this.#hooks.folder);
  }

  #checkpoint(): Promise<void> {
    return this.#checkpointAt(this.#position, this.#pseudo);
  }

  async #checkpointAt(position: Position, pseudo: PseudoLabels | undefined): Promise<void> {
    await writeCheckpoint(join(this.#hooks.folder, checkpointFile), this.#model, this.#optimiser, {
      card: this.#card,
      position,
      optimiserSteps: this.#optimiser.steps,
      data: this.#data,
      progress: this.#progress,
      command: this.#command,
      pseudo,
    });
  }

  /** Starts timing a phase; the returned function ends it and gives the seconds. */
  #clock(name: string): () => number {
    const start = performance.now();
    return () => {
      const seconds = (performance.now() - start) / 1000;
      const phase = this.#progress.phases.find((entry) => entry.name === name);
      if (phase) phase.seconds += seconds;
      else this.#progress.phases.push({ name, seconds });
      return seconds;
    };
  }
}

/** Writes the JSON record of a run beside its models. */
export async function writeRecord(folder: string, record: unknown): Promise<void> {
  await writeFileAtomically(join(folder, "run.json"), `${JSON.stringify(record, null, 1)}\n`);
}
