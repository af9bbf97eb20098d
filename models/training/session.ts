import { join } from "node:path";
import type { Schedule } from "../../engine/optim/schedule.ts";
import { gatherJson, type Ranks } from "../../engine/ranks/ranks.ts";
import { type ModelCard, type QualityNetwork, saveModel } from "../networks/model.ts";
import type { Inputs } from "../views/inputs.ts";
import { loadBatches, type PlannedPicture, planEpoch } from "./batches.ts";
import { cardAfter } from "./card-history.ts";
import { type Checkpoint, loadCheckpoint, type Position, writeCheckpoint } from "./checkpoint.ts";
import { labelMos } from "./classes.ts";
import { fixStatistics } from "./feature-statistics.ts";
import { labelsOf } from "./labels.ts";
import type { Learning } from "./learning.ts";
import { expectFit } from "./memory.ts";
import type { Method, Phase, PhaseRun } from "./method.ts";
import type { TrainingOptions } from "./options.ts";
import { phaseSchedule } from "./phase-schedule.ts";
import { prepareInputs } from "./prepare.ts";
import { Probes } from "./probes.ts";
import { loadRankBatches, type RankBatch } from "./rank-batches.ts";
import { expectSameStart, expectSameWeights } from "./rank-start.ts";
import { trainingOf } from "./run-record.ts";
import { Stepper } from "./stepper.ts";
import { type Scoring, scorePart, testEpoch } from "./test-scores.ts";
import {
  checkpointFile,
  type Progress,
  ratedByPeople,
  type TrainingData,
  TrainingError,
  type TrainingHooks,
  TrainingInterrupted,
  type TrainingResult,
} from "./training.ts";
import { TrainingLog } from "./training-log.ts";

const defaultCheckpointSeconds = 300;

/** One training run from its start or a checkpoint to its end. */
export class Session {
  readonly #model: QualityNetwork;
  readonly #method: Method;
  readonly #phases: readonly Phase[];
  readonly #options: TrainingOptions;
  readonly #card: ModelCard<TrainingOptions>;
  readonly #data: TrainingData;
  readonly #hooks: TrainingHooks;
  readonly #inputs: Inputs;
  readonly #labels: Float32Array<ArrayBuffer>;
  readonly #position: Position;
  readonly #progress: Progress;
  readonly #log: TrainingLog;
  readonly #command: string;
  /** Factors of the learning rates, by phase. */
  readonly #schedules: readonly Schedule[];
  /** What strong views learn by, where they do. */
  readonly #probes: Probes | undefined;
  /** The phase that training is in; none when all are done. */
  #run: PhaseRun | undefined;
  #stepper: Stepper;
  #checkpointMs = performance.now();

  constructor(
    method: Method,
    model: QualityNetwork,
    inputs: Inputs,
    card: ModelCard<TrainingOptions>,
    data: TrainingData,
    hooks: TrainingHooks,
    from: Pick<Checkpoint, "position" | "progress" | "command" | "optimiserSteps">,
  ) {
    this.#model = model;
    this.#method = method;
    this.#phases = method.phases(card.options);
    this.#options = card.options;
    this.#card = card;
    this.#data = data;
    this.#hooks = hooks;
    this.#inputs = inputs;
    this.#labels = labelsOf(data, model, card);
    this.#position = { ...from.position };
    this.#progress = from.progress;
    this.#log = new TrainingLog(method, from.progress, hooks);
    this.#command = from.command;
    this.#schedules = this.#phases.map((phase, i) =>
      phaseSchedule(card.options, phase, phase.epochs === 0 ? 0 : this.#planned(i, 0).length),
    );
    const { ctAugment } = inputs;
    const { seed } = card.options;
    this.#probes = ctAugment && new Probes(ctAugment, model, inputs, { labels: this.#labels, seed });
    this.#run = this.#begun();
    this.#stepper = new Stepper(model, inputs, card, this.#learning, from.optimiserSteps);
  }

  /** Word of the method on the command line. */
  get method(): string {
    return this.#method.name;
  }

  /** The next step to do. */
  get position(): Readonly<Position> {
    return this.#position;
  }

  /** Whether no step is done. */
  get isAtStart(): boolean {
    const { stage, epoch, step } = this.#position;
    return stage === 1 && epoch === 0 && step === 0;
  }

  /** Where training stands, in words. */
  get place(): string {
    const { stage, epoch, step } = this.#position;
    const phase = this.#phases[stage - 1];
    return phase ? `in ${phase.name}, epoch ${epoch + 1}, step ${step + 1}` : "after the last phase";
  }

  get #learning(): Learning | undefined {
    return this.#run && { ...this.#phase, task: this.#run };
  }

  get #phase(): Phase | undefined {
    return this.#phases[this.#position.stage - 1];
  }

  #planned(index: number, epoch: number): PlannedPicture[][] {
    return planEpoch({ ...this.#phases[index]!, stage: index + 1 }, epoch, this.#data, this.#options);
  }

  #begun(): PhaseRun | undefined {
    return this.#phase?.begin({
      model: this.#model,
      inputs: this.#inputs,
      data: this.#data,
      range: this.#card.range,
      labels: this.#labels,
      progress: this.#progress,
      hooks: this.#hooks,
      clock: (name) => this.#log.clock(name),
    });
  }

  async load(checkpointPath: string): Promise<void> {
    await loadCheckpoint(checkpointPath, this.#model, this.#stepper.tensors(), {
      restore: async (read) => {
        await this.#run?.restore?.(read);
        await this.#probes?.restore(read);
      },
    });
  }

  async run(): Promise<TrainingResult> {
    try {
      if (this.#ranks) await this.#expectSameStart(this.#ranks);
      if (this.#phase) await this.#prepare();
      if (await this.#model.needsStatistics()) await fixStatistics(this.#model, this.#data.labelled, this.#inputs);
      for (let phase = this.#phase; phase; phase = this.#phase) {
        await this.#train(phase);
        if (phase.epochs > 0) await this.#endPhase(phase);
        this.#moveOn();
        await this.checkpoint();
      }
      return {
        model: this.#model,
        card: this.#card,
        files: this.#phases.flatMap(({ epochs, file }) => (epochs > 0 ? [file] : [])),
        data: this.#data,
        progress: this.#progress,
        command: this.#command,
      };
    } catch (error) {
      this.#model.dispose();
      throw error;
    } finally {
      this.#inputs.dispose();
      this.#stepper.dispose();
      this.#run?.dispose?.();
    }
  }

  /** What is done once for all steps, such as the output of frozen sections. */
  async #prepare(): Promise<void> {
    const clock = this.#log.clock("frozen sections");
    try {
      await prepareInputs(this.#inputs, this.#data, this.#phases, this.#options, this.#hooks, this.#ranks);
    } catch (error) {
      if (!this.#hooks.signal?.aborted) throw error;
      await this.#interrupt();
    } finally {
      if (this.#options.frozen > 0) clock();
    }
  }

  #moveOn(): void {
    const position = this.#position;
    Object.assign(position, { stage: position.stage + 1, epoch: 0, step: 0 });
    this.#stepper.dispose();
    this.#run?.dispose?.();
    this.#run = this.#begun();
    this.#stepper = new Stepper(this.#model, this.#inputs, this.#card, this.#learning);
  }

  async #train(phase: Phase): Promise<void> {
    const position = this.#position;
    const run = this.#run!;
    if (run.solve) return this.#solve(phase, run.solve);
    if (position.epoch < phase.epochs) expectFit(this.#stepper, this.#inputs, this.#options, phase, this.#data);
    for (; position.epoch < phase.epochs; position.epoch++, position.step = 0) {
      if (await this.#stops()) await this.#interrupt();
      if ((await run.beforeEpoch?.(position.epoch)) && this.#checkpointIsDue) await this.checkpoint();
      if (phase.renewsOptimiser && position.step === 0) this.#stepper.optimiser.renew();
      await this.#epoch(phase);
      run.afterEpoch?.();
      if (this.#ranks) await expectSameWeights(this.#ranks, [...this.#model.tensors(), ...this.#stepper.tensors()]);
      if (this.#hooks.testEachEpoch) await testEpoch(phase, position, this.#data.test, this.#scoring(this.#card));
      if (position.epoch + 1 < phase.epochs)
        await this.#checkpointAt({ stage: position.stage, epoch: position.epoch + 1, step: 0 });
    }
  }

  /** A phase without steps. */
  async #solve(phase: Phase, solve: () => Promise<void>): Promise<void> {
    if (await this.#stops()) await this.#interrupt();
    const clock = this.#log.clock(trainingOf(phase.name));
    await solve();
    clock();
    this.#position.epoch = phase.epochs;
  }

  async #epoch(phase: Phase): Promise<void> {
    const position = this.#position;
    const batches = this.#planned(position.stage - 1, position.epoch);
    if (batches.length === 0) throw new TrainingError(`${phase.name} has no batch of at least 2 pictures`);
    const bar = this.#hooks.progress?.(
      `${phase.name}, epoch ${position.epoch + 1} of ${phase.epochs}`,
      batches.flat().length,
    );
    bar?.advance(batches.slice(0, position.step).flat().length);
    const clock = this.#log.clock(trainingOf(phase.name));
    try {
      for await (const batch of this.#loaded(batches.slice(position.step), phase)) {
        this.#log.leftOut(batch);
        const { pictures } = batch;
        if (pictures.filter(({ planned }) => planned.part !== "ranked").length > 1) {
          const { epoch } = position;
          const step = epoch * batches.length + position.step;
          const place = { step, steps: phase.epochs * batches.length, epoch };
          await this.#run!.beforeStep?.(place);
          const report = await this.#stepper.step(pictures, this.#schedules[position.stage - 1]!(step), place);
          const learnt = await this.#probes?.learn(
            pictures,
            `stage ${position.stage}, step ${step}`,
            this.#stepper.average,
          );
          this.#log.step(phase, position, learnt ? { ...report, figures: { ...report.figures, ...learnt } } : report);
          bar?.advance(pictures.length, `loss ${report.loss.toFixed(4)}`);
          this.#log.memory(phase, this.#stepper.device);
          await this.#hooks.tune?.(this.#stepper.device);
        }
        position.step++;
        // Ranks stop after the same step.
        if (this.#ranks ? batch.stops : this.#hooks.signal?.aborted) {
          clock();
          await this.#interrupt();
        }
        if (position.step < batches.length && this.#checkpointIsDue) {
          clock();
          await this.checkpoint();
        }
      }
      clock();
    } finally {
      bar?.stop();
    }
  }

  /** Batches of which this process has what it needs. */
  #loaded(batches: readonly PlannedPicture[][], { views }: Phase): AsyncGenerator<RankBatch, void, undefined> {
    const ranks = this.#ranks;
    if (!ranks) return loadBatches(batches, this.#inputs, views);
    const own = (batch: readonly PlannedPicture[]) => this.#stepper.rowsOf(batch);
    return loadRankBatches(batches, this.#inputs, { views, ranks, own, signal: this.#hooks.signal });
  }

  /** Whether training is to stop, for all ranks when one is asked to. */
  async #stops(): Promise<boolean> {
    const stops = this.#hooks.signal?.aborted === true;
    return this.#ranks ? (await gatherJson(this.#ranks, stops)).includes(true) : stops;
  }

  get #ranks(): Ranks | undefined {
    return this.#model.device.ranks;
  }

  /** Whether this process writes what training leaves. */
  get #writes(): boolean {
    return (this.#ranks?.rank ?? 0) === 0;
  }

  async #expectSameStart(ranks: Ranks): Promise<void> {
    await expectSameStart(ranks, {
      ...{ method: this.method, options: this.#options, data: this.#data, model: this.#model },
      ...{ tensors: this.#stepper.tensors(), position: this.#position },
      log: this.#hooks.log,
    });
  }

  /** Stores the model and scores the test part with it. Averaged weights, where there are any, become the model's own. */
  async #endPhase({ name, file, batch }: Phase): Promise<void> {
    this.#stepper.average?.applied();
    await this.#run?.end?.();
    const card = cardAfter({ name, batch }, this.#method, this.#card, this.#data);
    if (this.#writes) {
      this.#hooks.lock?.expectHeld();
      await saveModel(join(this.#hooks.folder, file), this.#model, card);
    }
    const { validation = [], test } = this.#data;
    const scoring = {
      ...{ ...this.#scoring(card), name, stageOne: this.#position.stage === 1, range: this.#data.range },
      labelled: ratedByPeople(this.#data.labelled).map((row) => labelMos(row, card)),
    };
    if (validation.length > 0) await scorePart("validation", validation, scoring);
    if (test.length > 0) await scorePart("test", test, scoring);
  }

  /** What parts are scored with, and where the figures go. */
  #scoring(card: ModelCard<TrainingOptions>): Scoring {
    return {
      ...{ model: this.#model, inputs: this.#inputs, card, progress: this.#progress, hooks: this.#hooks },
      clock: (name) => this.#log.clock(name),
    };
  }

  async #interrupt(): Promise<never> {
    await this.checkpoint();
    throw new TrainingInterrupted(this.#hooks.folder, this.method);
  }

  /** Stores everything that training continues from. */
  checkpoint(): Promise<void> {
    return this.#checkpointAt(this.#position);
  }

  get #checkpointIsDue(): boolean {
    const seconds = this.#hooks.checkpointSeconds ?? defaultCheckpointSeconds;
    return performance.now() - this.#checkpointMs >= 1000 * seconds;
  }

  async #checkpointAt(position: Position): Promise<void> {
    if (!this.#writes) return;
    this.#hooks.lock?.expectHeld();
    const checkpoint = {
      method: this.method,
      card: this.#card,
      position,
      optimiserSteps: this.#stepper.optimiser.steps,
      data: this.#data,
      progress: this.#progress,
      command: this.#command,
    };
    const path = join(this.#hooks.folder, checkpointFile);
    const arrays = { ...this.#run?.arrays?.(), ...this.#probes?.arrays() };
    await writeCheckpoint(path, this.#model, this.#stepper.tensors(), checkpoint, arrays);
    this.#checkpointMs = performance.now();
  }
}
