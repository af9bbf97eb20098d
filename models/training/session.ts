import { join } from "node:path";
import { memorySummary } from "../../engine/memory/report.ts";
import type { Schedule } from "../../engine/optim/schedule.ts";
import type { RankedPicture } from "../data/index.ts";
import { convert, denormaliseScore, normaliseMos } from "../labels/labels.ts";
import { batchLabels } from "../methods/cpl/batch-labels.ts";
import { labelStep, refreshSentence } from "../methods/cpl/label-step.ts";
import type { CplOptions } from "../methods/cpl/options.ts";
import { expectations, type PseudoLabels, pseudoLabelQuality } from "../methods/cpl/pseudo-labels.ts";
import { evaluate } from "../metrics/index.ts";
import { type CplModel, type ModelCard, saveModel } from "../networks/model.ts";
import type { Inputs } from "../views/inputs.ts";
import { features } from "../views/predict.ts";
import { type LoadedBatch, loadBatches, pairsInBatch, planEpoch } from "./batches.ts";
import { type Checkpoint, loadCheckpoint, type Position, writeCheckpoint } from "./checkpoint.ts";
import { fixStatistics } from "./feature-statistics.ts";
import { expectFit } from "./memory.ts";
import { Stepper, type StepReport, stageSchedule } from "./stepper.ts";
import { testScores } from "./test-scores.ts";
import {
  checkpointFile,
  modelFile,
  type Progress,
  type ProgressSink,
  type RatedRow,
  stageOneFile,
  type TrainingData,
  TrainingError,
  type TrainingHooks,
  TrainingInterrupted,
  type TrainingResult,
} from "./training.ts";

const defaultCheckpointSeconds = 300;

/** One training run from its start or a checkpoint to its end. */
export class Session {
  readonly #model: CplModel;
  readonly #options: CplOptions;
  readonly #card: ModelCard;
  readonly #data: TrainingData;
  readonly #hooks: TrainingHooks;
  readonly #inputs: Inputs;
  readonly #labels: Float32Array<ArrayBuffer>;
  readonly #position: Position;
  readonly #progress: Progress;
  readonly #command: string;
  readonly #broken = new Set<string>();
  /** Factors of the learning rates, by stage. */
  readonly #schedules: Readonly<Record<1 | 2, Schedule>>;
  /** Stages whose memory was logged. */
  readonly #measured = new Set<1 | 2>();
  #stepper: Stepper;
  #checkpointMs = performance.now();
  #pseudo: PseudoLabels | undefined;

  constructor(
    model: CplModel,
    inputs: Inputs,
    card: ModelCard,
    data: TrainingData,
    hooks: TrainingHooks,
    from: Pick<Checkpoint, "position" | "progress" | "command" | "pseudo" | "optimiserSteps">,
  ) {
    this.#model = model;
    this.#options = card.options;
    this.#card = card;
    this.#data = data;
    this.#hooks = hooks;
    this.#inputs = inputs;
    const { labelMode: mode, levels, labelDeviation: deviation } = card.options;
    this.#labels = Float32Array.from(
      convert(
        data.labelled.map(({ mos }) => normaliseMos(mos, card.range)),
        { mode, levels, deviation },
      ),
    );
    this.#position = { ...from.position };
    this.#progress = from.progress;
    this.#command = from.command;
    this.#pseudo = from.pseudo;
    const schedule = (stage: 1 | 2, epochs: number) =>
      stageSchedule(card.options, stage, epochs === 0 ? 0 : planEpoch(stage, 0, data, card.options).length);
    this.#schedules = { 1: schedule(1, card.options.stageOneEpochs), 2: schedule(2, card.options.stageTwoEpochs) };
    this.#stepper = new Stepper(model, inputs, card, from.optimiserSteps);
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

  async load(checkpointPath: string): Promise<void> {
    await loadCheckpoint(checkpointPath, this.#model, this.#stepper.tensors());
  }

  async run(): Promise<TrainingResult> {
    try {
      const { stageOneEpochs, stageTwoEpochs } = this.#options;
      if (this.#position.stage < 3) await this.#prepare();
      if (await this.#model.needsStatistics()) await fixStatistics(this.#model, this.#data.labelled, this.#inputs);
      if (this.#position.stage === 1) {
        await this.#stage(1, stageOneEpochs);
        if (stageOneEpochs > 0) await this.#endStage("stage 1", stageOneFile, "stageOne");
        this.#moveTo(2);
        await this.checkpoint();
      }
      if (this.#position.stage === 2) {
        await this.#stage(2, stageTwoEpochs);
        if (stageTwoEpochs > 0) await this.#endStage("stage 2", modelFile, "score");
        this.#moveTo(3);
        await this.checkpoint();
      }
      return {
        model: this.#model,
        card: this.#card,
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
    }
  }

  /** What is done once for all steps, such as the output of frozen sections. */
  async #prepare(): Promise<void> {
    const { labelled, unlabelled, test, validation = [] } = this.#data;
    const { signal, progress } = this.#hooks;
    const clock = this.#clock("frozen sections");
    let bar: ProgressSink | undefined;
    const started = (views: number) => {
      bar = progress?.("frozen sections", views);
      return { advance: (done: number) => bar?.advance(done) };
    };
    try {
      await this.#inputs.prepare(
        { trained: [...labelled, ...unlabelled], others: [...this.#rankedPictures, ...validation, ...test] },
        { signal, progress: started },
      );
    } catch (error) {
      if (!signal?.aborted) throw error;
      await this.#interrupt();
    } finally {
      bar?.stop();
      if (this.#options.frozen > 0) clock();
    }
  }

  #moveTo(stage: 2 | 3): void {
    Object.assign(this.#position, { stage, epoch: 0, step: 0 });
    this.#pseudo = undefined;
    this.#stepper.dispose();
    this.#stepper = new Stepper(this.#model, this.#inputs, this.#card);
  }

  async #stage(stage: 1 | 2, epochs: number): Promise<void> {
    const position = this.#position;
    if (position.epoch < epochs) this.#expectFit(stage);
    for (; position.epoch < epochs; position.epoch++, position.step = 0) {
      if (this.#hooks.signal?.aborted) await this.#interrupt();
      if (stage === 2 && !this.#pseudo) {
        await this.#refresh();
        if (this.#checkpointIsDue) await this.checkpoint();
      }
      await this.#epoch(stage, epochs);
      if (this.#options.refresh === "epoch") this.#pseudo = undefined;
      if (position.epoch + 1 < epochs)
        await this.#checkpointAt({ stage, epoch: position.epoch + 1, step: 0 }, this.#pseudo);
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
      for await (const batch of loadBatches(batches.slice(position.step), this.#inputs)) {
        this.#report(batch);
        const { pictures } = batch;
        if (pictures.filter(({ planned }) => planned.part !== "ranked").length > 1) {
          const factor = this.#schedules[stage](position.epoch * batches.length + position.step);
          const labels = batchLabels(pictures, this.#labels, this.#pseudo, this.#options);
          const report = await this.#stepper.step(pictures, labels, factor);
          this.#note(report);
          bar?.advance(pictures.length, `loss ${report.loss.toFixed(4)}`);
          this.#logMemory(stage);
          await this.#hooks.tune?.(this.#stepper.device);
        }
        position.step++;
        if (this.#hooks.signal?.aborted) {
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

  /** @throws OutOfMemoryError when the steps of a stage do not fit the device */
  #expectFit(stage: 1 | 2): void {
    const { stageOneBatch, labelledBatch, unlabelledBatch } = this.#options;
    const { labelled, unlabelled, ranked, test, validation = [] } = this.#data;
    const batch =
      stage === 1
        ? Math.min(stageOneBatch, labelled.length)
        : labelledBatch + Math.min(unlabelledBatch, unlabelled.length);
    expectFit(this.#stepper, this.#inputs, this.#options, {
      stage,
      batch,
      pairs: pairsInBatch(ranked, this.#options),
      pictures: this.#rankedPictures.length + labelled.length + unlabelled.length + validation.length + test.length,
    });
  }

  /** After the first step of a stage: what the memory is used for. */
  #logMemory(stage: 1 | 2): void {
    if (this.#measured.has(stage)) return;
    this.#measured.add(stage);
    this.#hooks.log?.(
      `device memory by stage ${stage}, peak so far ${memorySummary(this.#stepper.device.memoryReport())}`,
    );
  }

  /** Those that training sees. */
  get #rankedPictures(): readonly RankedPicture[] {
    const { ranked = [] } = this.#data;
    return pairsInBatch(ranked, this.#options) > 0 ? ranked.flatMap(({ pictures }) => pictures) : [];
  }

  /** Puts a step on record; a loss that is not a number ends the training. */
  #note({ loss, gradientNorm }: StepReport): void {
    const { stage, epoch, step } = this.#position as Position & { stage: 1 | 2 };
    const where = `stage ${stage}, epoch ${epoch + 1}, step ${step + 1}`;
    if (!Number.isFinite(loss)) {
      throw new TrainingError(
        `the loss is ${loss} in ${where}; use smaller learning rates. The last checkpoint is intact`,
        `to see which operation gave the first such number: acutance train cpl --resume ${this.#hooks.folder} --check-numbers`,
      );
    }
    const finite = gradientNorm !== undefined && Number.isFinite(gradientNorm);
    if (gradientNorm !== undefined && !finite) this.#hooks.log?.(`skipped ${where}: its gradients are not finite`);
    this.#progress.losses.push({ stage, epoch, step, loss, ...(finite && { gradientNorm }) });
  }

  /** The label step before an epoch of stage 2. */
  async #refresh(): Promise<void> {
    const { labelled, unlabelled } = this.#data;
    const rows = [...labelled, ...unlabelled];
    const bar = this.#hooks.progress?.(`stage 2, epoch ${this.#position.epoch + 1}: features`, rows.length);
    let shown = 0;
    const featureClock = this.#clock("stage 2 features");
    const found = await features(this.#model, rows, this.#inputs, (done) => {
      bar?.advance(done - shown);
      shown = done;
    }).finally(() => bar?.stop());
    const featureSeconds = featureClock();
    const clock = this.#clock("stage 2 label step");
    const { pseudo, refresh } = await labelStep(found, this.#data, this.#labels, this.#options);
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
    this.#hooks.log?.(refreshSentence(this.#progress.refreshes.at(-1)!));
  }

  /** Stores the model and scores the test part with it. Averaged weights, where there are any, become the model's own. */
  async #endStage(name: string, file: string, column: "stageOne" | "score"): Promise<void> {
    this.#stepper.average?.applied();
    const { labelled, unlabelled, ranked = [], test, validation = [] } = this.#data;
    const used = column === "score" ? `, ${unlabelled.length} unlabelled` : "";
    const pairs = pairsInBatch(ranked, this.#options) > 0 ? `, ${ranked.length} ranked sets of copies` : "";
    const split = this.#data.split ? `, split ${this.#data.split}` : "";
    const done = `CPL-IQA ${name}: ${labelled.length} labelled${used} pictures${pairs}${split}, training seed ${this.#options.seed}`;
    const card = { ...this.#card, history: [...this.#card.history, done] };
    this.#hooks.lock?.expectHeld();
    await saveModel(join(this.#hooks.folder, file), this.#model, card);
    const stageOne = column === "stageOne";
    if (validation.length > 0)
      await this.#score(`${name}, validation`, validation, { card, stageOne, part: "validation" });
    if (test.length > 0) await this.#score(name, test, { card, stageOne });
  }

  /** Scores a part with the model as it is, and puts the agreement with its MOS on record; scores of the test part too. */
  async #score(
    name: string,
    rows: readonly RatedRow[],
    { part, ...scoring }: { card: ModelCard; stageOne: boolean; part?: "validation" },
  ): Promise<void> {
    const clock = this.#clock(part ?? "test");
    const bar = this.#hooks.progress?.(part ? name : `${name}: test`, rows.length);
    const { predictions, pairs, spread } = await testScores(this.#model, rows, this.#inputs, {
      ...scoring,
      name,
      range: this.#data.range,
      before: part ? [] : this.#progress.predictions,
      onScored: () => bar?.advance(),
    }).finally(() => bar?.stop());
    clock();
    if (!part) {
      this.#progress.predictions = predictions;
      this.#progress.reliability = [...(this.#progress.reliability ?? []), ...spread.reliability];
      this.#progress.distributions = [...(this.#progress.distributions ?? []), ...spread.distributions];
    }
    if (pairs.length < 3) return;
    const evaluation = evaluate(
      pairs.map((pair) => pair.predicted),
      pairs.map((pair) => pair.mos),
    );
    this.#progress.results.push({ name, ...(part && { part }), evaluation });
    this.#hooks.log?.(
      `${part ? name : `${name}: test`} SRCC ${evaluation.srcc.toFixed(3)}, PLCC ${evaluation.plcc.toFixed(3)} on ${evaluation.n} pictures`,
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
    await this.checkpoint();
    throw new TrainingInterrupted(this.#hooks.folder);
  }

  /** Stores everything that training continues from. */
  checkpoint(): Promise<void> {
    return this.#checkpointAt(this.#position, this.#pseudo);
  }

  get #checkpointIsDue(): boolean {
    const seconds = this.#hooks.checkpointSeconds ?? defaultCheckpointSeconds;
    return performance.now() - this.#checkpointMs >= 1000 * seconds;
  }

  async #checkpointAt(position: Position, pseudo: PseudoLabels | undefined): Promise<void> {
    this.#hooks.lock?.expectHeld();
    await writeCheckpoint(join(this.#hooks.folder, checkpointFile), this.#model, this.#stepper.tensors(), {
      card: this.#card,
      position,
      optimiserSteps: this.#stepper.optimiser.steps,
      data: this.#data,
      progress: this.#progress,
      command: this.#command,
      pseudo,
    });
    this.#checkpointMs = performance.now();
  }

  /** Starts timing a phase; the returned function adds the seconds since it was last called to the phase and gives them. */
  #clock(name: string): () => number {
    let start = performance.now();
    return () => {
      const now = performance.now();
      const seconds = (now - start) / 1000;
      start = now;
      const phase = this.#progress.phases.find((entry) => entry.name === name);
      if (phase) phase.seconds += seconds;
      else this.#progress.phases.push({ name, seconds });
      return seconds;
    };
  }
}
