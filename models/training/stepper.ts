import type { Device } from "../../engine/device/device.ts";
import type { Plan } from "../../engine/kernel/plan.ts";
import type { NamedTensor } from "../../engine/nn/named.ts";
import { accumulateGradients } from "../../engine/optim/accumulate.ts";
import { WeightAverage } from "../../engine/optim/average.ts";
import { Optimiser } from "../../engine/optim/optimiser.ts";
import { averageTensors } from "../../engine/ranks/exchange-tensors.ts";
import { GradientSums } from "../../engine/ranks/gradient-sums.ts";
import type { Ranks } from "../../engine/ranks/ranks.ts";
import { Tensor } from "../../engine/tensor.ts";
import type { ModelCard, Outputs, QualityNetwork } from "../networks/model.ts";
import type { Inputs } from "../views/inputs.ts";
import { oneView } from "../views/view-kind.ts";
import { expectSame } from "./agree.ts";
import type { PlannedPicture, StepPicture } from "./batches.ts";
import { type Learning, learnedParameters } from "./learning.ts";
import type { StepLoss, StepPlace, StepTask } from "./method.ts";
import type { TrainingOptions } from "./options.ts";
import { gathered, runningStatistics, sharedSeed } from "./rank-steps.ts";
import { rowsOf } from "./rows.ts";
import { ownRows, type ShardedRun, shardedRuns } from "./shards.ts";
import { StepInputs } from "./step-inputs.ts";
import { TrainingError } from "./training.ts";

/** What a step reports. */
export interface StepReport {
  readonly loss: number;
  /** Norm of all gradients before clipping, when they are clipped; infinite when they were not finite. */
  readonly gradientNorm?: number;
  readonly figures?: Readonly<Record<string, number>>;
}

/** The first step of a phase that has no other. */
const firstPlace: StepPlace = { step: 0, steps: 1, epoch: 0 };

/** What steps on batches of one make-up read, and which rows of it they take at once. */
interface StepBatch {
  readonly inputs: StepInputs;
  readonly runs: readonly ShardedRun[];
}

/** Takes the batches of one phase into the parameters of a model. */
export class Stepper {
  readonly optimiser: Optimiser;
  /** Moving average of the parameters, when the options ask for one. */
  readonly average: WeightAverage | undefined;
  readonly #model: QualityNetwork;
  readonly #inputs: Inputs;
  readonly #options: TrainingOptions;
  readonly #learning: Learning | undefined;
  /** All that learns. */
  readonly #parameters: readonly Tensor[];
  /** Of the step that is recorded or replayed. */
  #epoch = 0;
  /** Inputs of batches of the latest make-up, how many steps they served, and the plan of such a step. */
  #batch:
    | (StepBatch & {
        readonly make: string;
        steps: number;
        plan?: Plan<StepLoss> | undefined;
      })
    | undefined;

  /**
   * @param learning what steps learn; without it there are none
   * @param steps steps of the phase done before, when its tensors are about to be loaded
   */
  constructor(
    model: QualityNetwork,
    inputs: Inputs,
    { options, fresh }: Pick<ModelCard<TrainingOptions>, "options" | "fresh">,
    learning?: Learning,
    steps = 0,
  ) {
    const { clipNorm, ema, precision } = options;
    const { optimiser: kind } = { ...options, ...learning?.settings };
    if (precision === "f16" && !model.device.features.has("shader-f16"))
      throw new TrainingError("`precision` f16: this adapter has no 16-bit numbers (shader-f16); train with f32");
    this.#model = model;
    this.#inputs = inputs;
    this.#options = options;
    this.#learning = learning;
    const { tensors, groups } = learnedParameters(model, { options, fresh }, learning, () => this.#epoch);
    model.fixedBackbone = learning?.headAlone === true;
    model.drifting = learning?.drifting === true;
    this.#parameters = groups.flatMap(({ parameters }) => parameters.map(({ tensor }) => tensor));
    this.optimiser = new Optimiser(groups, {
      kind,
      ...(clipNorm > 0 && { clipNorm }),
      ...(precision === "f16" && { lossScale: {} }),
    });
    this.average = ema > 0 ? new WeightAverage(tensors, { decay: ema }) : undefined;
    this.optimiser.steps = steps;
    if (this.average) this.average.steps = steps;
  }

  get device(): Device {
    return this.#model.device;
  }

  /** What steps of the latest make-up replay, once there is one. Its inputs are those of the latest step. */
  get plan(): Plan<StepLoss> | undefined {
    return this.#batch?.plan;
  }

  get #stepTask(): StepTask {
    if (!this.#learning) throw new Error("this stepper learns nothing");
    return this.#learning.task;
  }

  /**
   * One batch forward and backward, in micro-batches when the options ask for them, and into the parameters. From the
   * third batch of the same make-up on it is the replay of a plan.
   * @param place what the task's targets may depend on
   */
  async step(pictures: readonly StepPicture[], rateFactor: number, place = firstPlace): Promise<StepReport> {
    const { ranks } = this.device;
    const reads = ranks
      ? await this.#exchanged(pictures, rateFactor, place, ranks)
      : this.#record(pictures, rateFactor, place);
    const [loss, state, ...figures] = await Promise.all([reads.loss, reads.state, ...reads.figures]);
    return {
      loss,
      ...(state && { gradientNorm: state.norm }),
      ...(figures.length > 0 && { figures: Object.fromEntries(figures) }),
    };
  }

  /** What steps need, without doing them: for a rehearsal. Leaves no trace on the host. */
  rehearse(pictures: readonly StepPicture[], steps: number): void {
    const [before, averaged, batch] = [this.optimiser.steps, this.average?.steps, this.#batch];
    this.#batch = undefined;
    try {
      for (let step = 0; step < steps; step++) this.#record(pictures, 1, { step, steps, epoch: 0 });
    } finally {
      this.#forget();
      this.#batch = batch;
      this.optimiser.steps = before;
      if (this.average) this.average.steps = averaged!;
    }
  }

  /** The micro-batches of a batch, and what of them this process takes through the network. */
  runsOf(planned: readonly PlannedPicture[]): ShardedRun[] {
    const { microBatch, normsOver } = this.#options;
    return shardedRuns(planned, {
      ...{ views: this.#learning?.views ?? oneView, microBatch, ranks: this.device.ranks },
      // Statistics of one picture would be no statistics.
      least: normsOver === "own" ? 2 : 1,
    });
  }

  /** The rows of a batch that this process needs. */
  rowsOf(planned: readonly PlannedPicture[]): number[] {
    return this.#seesAll ? [...planned.keys()] : ownRows(this.runsOf(planned));
  }

  /** Whether every process needs all pictures, of which it takes a part through the network. */
  get #seesAll(): boolean {
    return this.#learning?.task.readsInput === true || this.#inputs.ctAugment !== undefined;
  }

  /** The inputs of the batch at hand, and the plan of its like where there is one. */
  #ready(pictures: readonly StepPicture[], place: StepPlace) {
    this.#epoch = place.epoch;
    const planned = pictures.map((picture) => picture.planned);
    const targets = this.#stepTask.targets(planned, place);
    const runs = this.runsOf(planned);
    const needed = this.device.ranks ? this.rowsOf(planned).map((row) => pictures[row]!) : pictures;
    // All that the recorded work depends on: which rows it takes for what, the shapes that it reads, and what the tuner had chosen.
    const shapes = Object.entries(targets).map(([name, { shape }]) => [name, shape]);
    const make = JSON.stringify([runs, shapes, this.device.tuner.tunings.length]);
    if (this.#batch?.make !== make) this.#forget();
    this.#batch ??= { inputs: new StepInputs(this.device, this.#inputs, needed, targets), make, runs, steps: 0 };
    const batch = this.#batch;
    this.#model.step = this.optimiser.steps;
    if (batch.steps > 0) batch.inputs.refill(needed, targets);
    if (batch.plan?.disposed) {
      // Its memory was needed for pictures: this one is recorded, the next traced again.
      batch.plan = undefined;
      batch.steps = 0;
    }
    return batch;
  }

  #record(pictures: readonly StepPicture[], rateFactor: number, place: StepPlace) {
    const batch = this.#ready(pictures, place);
    if (batch.plan) {
      this.optimiser.advance(rateFactor);
      this.average?.advance();
      batch.plan.replay();
    } else if (batch.steps === 1 && !this.device.numbers) {
      batch.plan = this.device.trace(() => this.#update(batch, rateFactor), { yielding: true });
    }
    batch.steps++;
    return this.device.scope(() => this.#reads(batch.plan?.result ?? this.#update(batch, rateFactor)));
  }

  /** A step together with other ranks: always that of a plan, in which they exchange. */
  async #exchanged(pictures: readonly StepPicture[], rateFactor: number, place: StepPlace, ranks: Ranks) {
    const batch = this.#ready(pictures, place);
    if (batch.plan) {
      this.optimiser.advance(rateFactor);
      this.average?.advance();
    } else {
      batch.plan = this.device.trace(() => this.#update(batch, rateFactor), { yielding: true, later: true });
    }
    batch.steps++;
    const { plan } = batch;
    await expectSame(ranks, "exchanges of a step", plan.exchanges);
    await plan.replayed();
    return this.device.scope(() => this.#reads(plan.result));
  }

  #reads({ loss, figures = {} }: StepLoss) {
    const read = async ([name, figure]: [string, Tensor]) => [name, await figure.item()] as const;
    return {
      loss: loss.item(),
      state: this.optimiser.gradientState?.read(),
      figures: Object.entries(figures).map(read),
    };
  }

  /** Forward, backward and update on the inputs as they are. */
  #update({ inputs, runs }: StepBatch, rateFactor: number): StepLoss {
    const { device } = this;
    const { figures: names = [] } = this.#stepTask;
    const { ranks } = device;
    const of = runs.at(-1)!.start + runs.at(-1)!.count;
    const share = (run: ShardedRun) => {
      const { outputs, input } = this.#forward(inputs.pictures, runs, run, of);
      const { loss, figures = {} } = this.#stepTask.loss(outputs, inputs.targets, run.rows, input);
      const none = () => Tensor.constant(device, Float32Array.of(0), [1]);
      return [loss, ...names.map((name) => figures[name] ?? none())];
    };
    const sums = ranks && new GradientSums(ranks, this.#parameters);
    const seed = ranks ? sharedSeed(this.optimiser.seed(), ranks) : this.optimiser.seed();
    const [loss, ...figures] = accumulateGradients(device, runs, share, seed, (tensor) => sums?.take(tensor));
    this.#model.part = undefined;
    sums?.end();
    if (ranks && this.#options.normsOver === "own") averageTensors(device, runningStatistics(this.#model), ranks);
    this.optimiser.step(rateFactor);
    this.optimiser.clearGradients();
    this.average?.update();
    this.#learning?.task.afterUpdate?.();
    return {
      loss: loss!,
      ...(names.length > 0 && { figures: Object.fromEntries(names.map((name, i) => [name, figures[i]!])) }),
    };
  }

  /** A micro-batch through the network, by all ranks where its rows are divided; and what the outputs were made of, where that is at hand. */
  #forward(pictures: Tensor, runs: readonly ShardedRun[], run: ShardedRun, of: number) {
    const { device } = this;
    const { start, count, own, counts } = run;
    const before = runs.slice(0, runs.indexOf(run)).reduce((sum, { own }) => sum + own.count, 0);
    const input = rowsOf(pictures, this.#seesAll ? own.start : before, own.count);
    this.#model.part = { first: own.start, of };
    const { ranks } = device;
    if (!ranks || !counts) return { outputs: this.#inputs.forward(input, true), input };
    const rows = { ranks, counts };
    if (this.#options.normsOver === "ranks") device.normRows = rows;
    let found: Outputs;
    try {
      found = this.#inputs.forward(input, true);
    } finally {
      device.normRows = undefined;
    }
    // What the loss itself takes through a network is the same on all ranks.
    this.#model.part = { first: start, of };
    return { outputs: gathered(found, rows), input: this.#seesAll ? rowsOf(pictures, start, count) : input };
  }

  /** Ends the plan and its inputs; its buffers serve other work. */
  #forget(): void {
    this.#batch?.plan?.dispose();
    this.#batch?.inputs.dispose();
    this.#batch = undefined;
  }

  /** Everything that a checkpoint holds beside the model. */
  tensors(): NamedTensor[] {
    return [
      ...this.optimiser.tensors("optimiser"),
      ...(this.average?.tensors("average") ?? []),
      ...(this.#learning?.task.modules?.() ?? []),
      ...(this.#learning?.task.tensors?.() ?? []),
    ];
  }

  dispose(): void {
    this.#forget();
    this.optimiser.dispose();
    this.average?.dispose();
  }
}
