import type { Device } from "../../engine/device/device.ts";
import type { DeviceSource } from "../../engine/device/source.ts";
import packageJson from "../../package.json" with { type: "json" };
import type { NetworkFigures } from "../report/experiment/experiment-record.ts";
import { repeatName } from "../report/experiment/experiment-values.ts";
import { type ProgressSink, TrainingInterrupted } from "../training/training.ts";
import { testOn } from "./cross-data.ts";
import type { Variant } from "./expand.ts";
import {
  formulaFigures,
  formulaPictures,
  formulaResults,
  openFormulas,
  type PlannedFormula,
  scoreByFormula,
} from "./formulas.ts";
import { HeldDevice } from "./held-device.ts";
import { rowsKey } from "./key.ts";
import { networkFigures, networkKey } from "./network-figures.ts";
import { type Plan, type PlannedRun, type PlannedTraining, planExperiment, type Surroundings } from "./plan.ts";
import type { Recipe } from "./recipe.ts";
import { ExperimentStore } from "./store.ts";
import { isDone, modelPath, type PlannedHooks, trainPlanned } from "./train-planned.ts";

/** How one run ended in this call. */
export interface RunOutcome {
  readonly status: "finished" | "failed" | "missing";
  readonly error?: string;
  /** Keys of its trainings that this call did not train. */
  readonly cached: ReadonlySet<string>;
}

/** A run that has just ended. */
export interface RunReport {
  readonly run: PlannedRun;
  readonly outcome: RunOutcome;
  /** Runs ended so far, and all there are. */
  readonly done: number;
  readonly total: number;
  /** Time left by the mean of the finished trainings of each phase, when every phase still to do has one. */
  readonly secondsLeft: number | undefined;
}

export interface ExperimentHooks extends Omit<PlannedHooks, "label" | "progress" | "testEachEpoch"> {
  /** A bar for each training and each test on a further data set. */
  readonly progress?: (label: string, total: number) => ProgressSink;
  readonly log?: (line: string) => void;
  /** File of the results. @default `results.sqlite` in the store */
  readonly database?: string;
  /** Called when it is planned, before the first run. */
  readonly onPlanned?: (experiment: Experiment) => Promise<void>;
  /** Called after each run, with all outcomes so far. */
  readonly onRun?: (report: RunReport, outcomes: ReadonlyMap<PlannedRun, RunOutcome>) => Promise<void> | void;
}

/** An experiment was stopped by its signal; what it had finished is kept. */
export class ExperimentInterrupted extends Error {
  override name = "ExperimentInterrupted";
  readonly advice =
    "run the same command again: finished runs are kept, the one that was stopped goes on from its checkpoint";

  /** @param when in words, such as "after 1 of 4 runs" */
  constructor(when: string, options?: ErrorOptions) {
    super(`the experiment was interrupted ${when}`, options);
  }
}

/** An experiment in hand: its store, its device, and what it has to do. */
export class Experiment implements Disposable {
  readonly store: ExperimentStore;
  readonly plan: Plan;
  readonly surroundings: Surroundings;
  readonly device: HeldDevice;
  /** Rows that are not trained. */
  readonly formulas: readonly PlannedFormula[];
  /** Why formulas scored not all pictures in this call. */
  readonly #unfinished = new Map<PlannedFormula, string>();
  readonly #hooks: ExperimentHooks;
  /** Why trainings failed in this call. */
  readonly #failures = new Map<string, string>();
  readonly #trained = new Set<string>();

  private constructor(
    store: ExperimentStore,
    plan: Plan,
    formulas: readonly PlannedFormula[],
    device: HeldDevice,
    at: Surroundings,
    hooks: ExperimentHooks,
  ) {
    this.store = store;
    this.plan = plan;
    this.formulas = formulas;
    this.device = device;
    this.surroundings = at;
    this.#hooks = hooks;
  }

  /**
   * Opens the store and the data of a recipe and plans its runs.
   * @param source a device, or how to open one; opened ones are kept for all runs and closed at the end
   * @throws RecipeError, StoreError, DatasetError; NoAdapterError; ExperimentInterrupted when the signal aborts meanwhile
   */
  static async open(
    recipe: Recipe,
    storeFolder: string,
    source: DeviceSource,
    hooks: ExperimentHooks,
  ): Promise<Experiment> {
    const store = await ExperimentStore.open(storeFolder, hooks.database);
    const device = new HeldDevice(source);
    try {
      const at = { adapter: adapterOf(await device.get()), version: packageJson.version };
      const formulas = await openFormulas(recipe, at);
      return new Experiment(store, await planExperiment(recipe, store, at, hooks), formulas, device, at, hooks);
    } catch (error) {
      store[Symbol.dispose]();
      device[Symbol.dispose]();
      if (!hooks.signal?.aborted) throw error;
      throw new ExperimentInterrupted("before the first run", { cause: error });
    }
  }

  [Symbol.dispose](): void {
    this.store[Symbol.dispose]();
    this.device[Symbol.dispose]();
  }

  /** Every training of the runs, each once, after those that it goes on from. */
  get trainings(): PlannedTraining[] {
    const found = new Map<string, PlannedTraining>();
    const visit = (training: PlannedTraining): void => {
      if (found.has(training.key)) return;
      for (const needed of neededBy(training)) visit(needed);
      found.set(training.key, training);
    };
    for (const run of this.plan.runs) for (const training of run.trainings) visit(training);
    return [...found.values()];
  }

  /** Has a training fail in this call without being tried, with the reason. */
  fail(key: string, reason: string): void {
    this.#failures.set(key, reason);
  }

  /** Whether nothing of a run is left to do. */
  isDone(run: PlannedRun): boolean {
    return run.trainings.every((training) => isDone(this.store, training)) && this.#untested(run).length === 0;
  }

  /**
   * Trains and tests what is not done. A run that fails is on record, and the others go on.
   * @returns how each run ended; after an interruption by the signal some are missing
   */
  async run(): Promise<ReadonlyMap<PlannedRun, RunOutcome>> {
    const { runs } = this.plan;
    const outcomes = new Map<PlannedRun, RunOutcome>();
    for (const formula of this.formulas) await this.#score(formula);
    for (const [index, run] of runs.entries()) {
      const outcome = await this.#runOne(run, `${index + 1} of ${runs.length}: ${titleOf(run)}`);
      outcomes.set(run, outcome);
      if (outcome.status === "missing") break;
      const report = { run, outcome, done: index + 1, total: runs.length, secondsLeft: this.#secondsLeft(index + 1) };
      await this.#hooks.onRun?.(report, outcomes);
    }
    await this.#lookAtNetworks();
    return outcomes;
  }

  /** Counts and times the networks of the variants, where the recipe asks for it and the store does not know. */
  async #lookAtNetworks(): Promise<void> {
    if (!this.plan.recipe.networks) return;
    for (const { trainings } of this.plan.runs) {
      if (this.#hooks.signal?.aborted) return;
      const { options } = trainings.at(-1)!;
      const key = networkKey(options, this.surroundings);
      if (this.store.network(key)) continue;
      this.store.rememberNetwork(key, await networkFigures(await this.device.get(), options, this.#hooks.tune));
    }
  }

  /** Scores by a formula what is not scored yet. What fails is on record, and the trainings go on. */
  async #score(formula: PlannedFormula): Promise<void> {
    const { signal } = this.#hooks;
    if (!formula.opened || signal?.aborted) return;
    const pictures = formulaPictures(this.plan);
    try {
      await scoreByFormula(formula, pictures, this.store, this.device, this.#hooks);
      const { key } = formula.opened;
      const [first] = pictures.values();
      if (first === undefined || !this.plan.recipe.networks || this.store.network(key)) return;
      this.store.rememberNetwork(key, await formulaFigures(formula, first, this.device));
    } catch (error) {
      if (!signal?.aborted) this.#unfinished.set(formula, reasonOf(error));
    }
  }

  /** What a formula reached in each repeat, whose parts are those of the first variant's runs; nothing without parameters. */
  formulaRuns(formula: PlannedFormula) {
    const { opened } = formula;
    const { plan, store } = this;
    const error = this.#unfinished.get(formula);
    if (!opened) return [];
    const own = plan.runs.filter(({ variant }) => variant === plan.variants[0]);
    const scores = store.formulaScores(opened.key);
    const complete = [...formulaPictures(plan).keys()].every((sha256) => scores.has(sha256));
    return own.map((run) => ({
      run,
      ...(error !== undefined && { error }),
      results: complete ? formulaResults(formula, run, plan.sources, scores) : [],
    }));
  }

  /** What is known of a formula, where the recipe asks for it. */
  formulaFigures({ opened }: PlannedFormula): NetworkFigures | undefined {
    return opened && this.plan.recipe.networks ? this.store.network(opened.key) : undefined;
  }

  /** What is known of the network of a variant, where the recipe asks for it. */
  network(variant: Variant): NetworkFigures | undefined {
    const run = this.plan.runs.find((each) => each.variant === variant);
    if (!this.plan.recipe.networks || !run) return undefined;
    return this.store.network(networkKey(run.trainings.at(-1)!.options, this.surroundings));
  }

  async #runOne(run: PlannedRun, label: string): Promise<RunOutcome> {
    const cached = () => new Set(run.trainings.map(({ key }) => key).filter((key) => !this.#trained.has(key)));
    try {
      for (const training of run.trainings) await this.#ensure(training, false, label);
      await this.#testOnOthers(run, label);
      return { status: "finished", cached: cached() };
    } catch (error) {
      if (error instanceof TrainingInterrupted || this.#hooks.signal?.aborted)
        return { status: "missing", cached: cached() };
      return { status: "failed", error: reasonOf(error), cached: cached() };
    }
  }

  /** Trains what is not done, or whose model is needed and was removed to save room. */
  async #ensure(training: PlannedTraining, needsModel: boolean, label: string): Promise<void> {
    if (isDone(this.store, training, needsModel)) return;
    for (const needed of neededBy(training)) await this.#ensure(needed, true, label);
    await this.#train(training, `${label}, ${training.phase.name}`);
  }

  async #train(training: PlannedTraining, label: string): Promise<void> {
    const before = this.#failures.get(training.key);
    if (before) throw new Error(before);
    const { progress, onRun: _, log: __, onPlanned: ___, database: ____, ...hooks } = this.#hooks;
    if (hooks.signal?.aborted) throw new TrainingInterrupted(modelPath(this.store, training), training.method.name);
    try {
      const { testEachEpoch } = this.plan.recipe;
      const own = { ...hooks, ...(progress && { progress }), label, testEachEpoch };
      await trainPlanned(training, this.store, this.device, this.surroundings, own);
      this.#trained.add(training.key);
    } catch (error) {
      if (!(error instanceof TrainingInterrupted)) this.#failures.set(training.key, reasonOf(error));
      throw error;
    }
  }

  #untested(run: PlannedRun) {
    const { key } = run.trainings.at(-1)!;
    return [...this.plan.sources.crossData].flatMap(([name, { rows, range }]) => {
      const dataKey = rowsKey(rows, range);
      return this.store.crossResult(key, name, dataKey) ? [] : [{ name, rows, range, dataKey }];
    });
  }

  async #testOnOthers(run: PlannedRun, label: string): Promise<void> {
    const training = run.trainings.at(-1)!;
    for (const { dataKey, ...set } of this.#untested(run)) {
      const path = modelPath(this.store, training);
      await this.#ensure(training, true, label);
      const { signal, progress } = this.#hooks;
      const bar = progress?.(`${label}, tested on ${set.name}`, set.rows.length);
      const hooks = { ...(signal && { signal }), onScored: () => bar?.advance() };
      const { result, predictions } = await testOn({ path, stage: training.stage }, set, this.device, hooks).finally(
        () => bar?.stop(),
      );
      this.store.addCrossResult(training.key, result, dataKey, predictions);
    }
  }

  /** Results of a run's final model on further data sets. */
  crossResults(run: PlannedRun) {
    const { key } = run.trainings.at(-1)!;
    return [...this.plan.sources.crossData].flatMap(([name, { rows, range }]) => {
      const found = this.store.crossResult(key, name, rowsKey(rows, range));
      return found ? [found] : [];
    });
  }

  #secondsLeft(done: number): number | undefined {
    const all = (runs: readonly PlannedRun[]) =>
      new Map(runs.flatMap((run) => run.trainings.map((each) => [each.key, each])));
    const finished = [...all(this.plan.runs).values()].filter((each) => isDone(this.store, each));
    const left = [...all(this.plan.runs.slice(done)).values()].filter((each) => !isDone(this.store, each));
    let seconds = 0;
    for (const { method, stage, key } of left) {
      if (this.#failures.has(key)) continue;
      const known = finished
        .filter((each) => each.method === method && each.stage === stage)
        .map((each) => this.store.training(each.key)!.seconds);
      if (known.length === 0) return undefined;
      seconds += known.reduce((a, b) => a + b, 0) / known.length;
    }
    return seconds;
  }
}

/** The trainings whose models a training starts from or learns the labels of. */
export function neededBy({ from, labels }: Pick<PlannedTraining, "from" | "labels">): PlannedTraining[] {
  return [...(from ? [from] : []), ...(labels ? [labels.by] : [])];
}

/** Why a run failed, with what to do where the error says that. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { advice } = error as { advice?: string };
  return advice ? `${error.message}; ${advice}` : error.message;
}

/** "γ 0.5, seed 2": a run in words. */
export function titleOf({ variant, repeat }: Pick<PlannedRun, "variant" | "repeat">): string {
  return `${variant.name}, ${repeatName(repeat)}`;
}

/** An adapter in words that tell it from others, and from itself with subgroup matrices, which give other bits. */
export function adapterOf({ info, matrixUnits }: Pick<Device, "info" | "matrixUnits">): string {
  const words = [info.vendor, info.architecture, info.description];
  const units = matrixUnits.map(({ component, sum, M, N, K }) => `${component} ${sum} ${M}x${N}x${K}`);
  return [...words.filter((word, i) => word && words.indexOf(word) === i), ...units].join(" ");
}
