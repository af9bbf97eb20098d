import type { Device } from "../../engine/device/device.ts";
import type { NamedTensor } from "../../engine/nn/named.ts";
import { cropAndFlip, stack } from "../../engine/ops/image.ts";
import { accumulateGradients, type MicroBatch, microBatches } from "../../engine/optim/accumulate.ts";
import { WeightAverage } from "../../engine/optim/average.ts";
import { parameterGroups } from "../../engine/optim/groups.ts";
import { Optimiser } from "../../engine/optim/optimiser.ts";
import { constant, cosine, type Schedule, stepDecay, withWarmup } from "../../engine/optim/schedule.ts";
import type { LoadedBatch } from "./batches.ts";
import { type BatchLabels, batchLoss } from "./loss.ts";
import type { CplModel, ModelCard } from "./model.ts";
import type { CplOptions } from "./options.ts";
import { TrainingError } from "./training.ts";

/** What a step reports. */
export interface StepReport {
  readonly loss: number;
  /** Norm of all gradients before clipping, when they are clipped; infinite when they were not finite. */
  readonly gradientNorm?: number;
}

/** Takes the batches of one stage into the parameters of a model. */
export class Stepper {
  readonly optimiser: Optimiser;
  /** Moving average of the parameters, when the options ask for one. */
  readonly average: WeightAverage | undefined;
  readonly #model: CplModel;
  readonly #options: CplOptions;

  /** @param steps steps of the stage done before, when its tensors are about to be loaded */
  constructor(model: CplModel, { options, fresh }: Pick<ModelCard, "options" | "fresh">, steps = 0) {
    const { optimiser: kind, rate, freshRate, decay, layerDecay, clipNorm, ema, precision } = options;
    if (precision === "f16" && !model.device.features.has("shader-f16"))
      throw new TrainingError("precision f16: this adapter has no 16-bit numbers (shader-f16); train with f32");
    this.#model = model;
    this.#options = options;
    const tensors = model.tensors();
    const groups = parameterGroups(tensors, {
      rate,
      decay,
      fresh: { rate: freshRate, names: new Set(fresh) },
      ...(layerDecay < 1 && { layers: { decay: layerDecay, depth: blockDepth(tensors) } }),
    });
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

  /** One batch forward and backward, in micro-batches when the options ask for them, and into the parameters. */
  async step(pictures: LoadedBatch["pictures"], labels: BatchLabels, rateFactor: number): Promise<StepReport> {
    const reads = this.#record(pictures, labels, rateFactor);
    const [loss, state] = await Promise.all([reads.loss, reads.state]);
    return { loss, ...(state && { gradientNorm: state.norm }) };
  }

  /** What steps need, without doing them: for a rehearsal. Leaves no trace on the host. */
  rehearse(pictures: LoadedBatch["pictures"], labels: BatchLabels, steps: number): void {
    const [before, averaged] = [this.optimiser.steps, this.average?.steps];
    try {
      for (let step = 0; step < steps; step++) this.#record(pictures, labels, 1);
    } finally {
      this.optimiser.steps = before;
      if (this.average) this.average.steps = averaged!;
    }
  }

  #record(pictures: LoadedBatch["pictures"], labels: BatchLabels, rateFactor: number) {
    const { device } = this.#model;
    const parts = microBatches(pictures.length, this.#options.microBatch || pictures.length);
    return device.scope(() => {
      const seed = this.optimiser.seed();
      const loss = accumulateGradients(device, parts, (part) => this.#loss(pictures, labels, part), seed);
      this.optimiser.step(rateFactor);
      this.optimiser.clearGradients();
      this.average?.update();
      return { loss: loss.item(), state: this.optimiser.gradientState?.read() };
    });
  }

  /** Everything that a checkpoint holds beside the model. */
  tensors(): NamedTensor[] {
    return [...this.optimiser.tensors("optimiser"), ...(this.average?.tensors("average") ?? [])];
  }

  dispose(): void {
    this.optimiser.dispose();
    this.average?.dispose();
  }

  #loss(pictures: LoadedBatch["pictures"], labels: BatchLabels, { start, count }: MicroBatch) {
    const { crop, levels } = this.#options;
    const rows = pictures.slice(start, start + count);
    const whole = stack(rows.map(({ tensor }) => tensor));
    const windows = rows.map(({ planned }) => planned.window);
    const { logits } = this.#model.forward(cropAndFlip(whole, windows, crop, crop), true);
    const part = {
      targets: labels.targets.slice(start * levels, (start + count) * levels),
      weights: labels.weights.slice(start, start + count),
      labelled: Math.min(count, Math.max(0, labels.labelled - start)),
      whole: { batch: pictures.length, labelled: labels.labelled },
    };
    return batchLoss(logits, part, this.#options);
  }
}

/**
 * What the learning rates of a stage are multiplied with at its steps, 0 being the first.
 * @throws TrainingError when the warm-up is not shorter than the stage
 */
export function stageSchedule(options: CplOptions, stage: 1 | 2, stepsInEpoch: number): Schedule {
  const { schedule, stepEpochs, stepFactor, warmupSteps, warmupShare } = options;
  const total = stepsInEpoch * (stage === 1 ? options.stageOneEpochs : options.stageTwoEpochs);
  if (total === 0) return constant();
  if (warmupSteps >= total)
    throw new TrainingError(`warmupSteps ${warmupSteps}: stage ${stage} has only ${total} steps; give fewer`);
  return withWarmup(total, { steps: warmupSteps, share: warmupShare }, (steps) => {
    if (schedule === "cosine") return cosine({ steps });
    return schedule === "step" ? stepDecay({ every: stepEpochs * stepsInEpoch, gamma: stepFactor }) : constant();
  });
}

/** Depth of a tensor's layer, by torchvision's names: 0 in the stem, then the residual blocks in order, then the head. */
function blockDepth(tensors: readonly NamedTensor[]): (name: string) => number {
  const blockOf = (name: string) => /^layer\d+\.\d+/.exec(name)?.[0];
  const blocks = [...new Set(tensors.flatMap(({ name }) => blockOf(name) ?? []))];
  return (name) => {
    const block = blockOf(name);
    if (block) return 1 + blocks.indexOf(block);
    return name.startsWith("head.") ? blocks.length + 1 : 0;
  };
}
