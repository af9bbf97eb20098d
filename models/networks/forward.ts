import { withoutGradients } from "../../engine/autograd.ts";
import type { Device } from "../../engine/device/device.ts";
import type { Plan } from "../../engine/kernel/plan.ts";
import { largestFit } from "../../engine/memory/largest-fit.ts";
import { concat } from "../../engine/ops/join.ts";
import { centerCrop, stack } from "../../engine/ops/pictures/image.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Outputs, QualityNetwork } from "./model.ts";

/** What is done to a batch. */
export interface NetworkWork<Item> {
  /** The input of the network for so many items. */
  readonly assemble: (items: readonly Item[]) => Tensor;
  /** The network and what is wanted of its outputs. */
  readonly run: (input: Tensor) => Tensor;
}

/** The answers of a model's head, as a pass takes them. */
export function answersOf({ head }: QualityNetwork): (outputs: Outputs) => Tensor {
  return ({ logits }) => head.answers(logits);
}

/** The same, each with the pooled feature behind it: [N, answerLength + featureLength]. */
export function answersAndFeaturesOf({ head }: QualityNetwork): (outputs: Outputs) => Tensor {
  return ({ logits, feature }) => concat([head.answers(logits), feature], 1);
}

/**
 * Pictures [1, side, side, 3] through a model, which sees the centre of those that are larger than its input.
 * @param output what is wanted of its outputs
 */
export function centrePass(model: QualityNetwork, output: (outputs: Outputs) => Tensor): NetworkWork<Tensor> {
  const { crop } = model.options;
  return {
    assemble: (pictures) => {
      const whole = stack(pictures);
      return whole.shape[1] === crop && whole.shape[2] === crop ? whole : centerCrop(whole, crop, crop);
    },
    run: (input) => output(model.forward(input, false)),
  };
}

/**
 * Batches forward through a network in evaluation mode. From the third full batch on it is the replay of a plan,
 * to the same bits; others are recorded.
 */
export class Forward<Item = Tensor> {
  readonly #device: Device;
  readonly #full: number;
  readonly #pass: NetworkWork<Item>;
  /** Full batches that were recorded. */
  #recorded = 0;
  #tunings = 0;
  #input: Tensor | undefined;
  #plan: Plan<Tensor> | undefined;

  /** @param full items of a full batch */
  constructor(device: Device, full: number, pass: NetworkWork<Item>) {
    this.#device = device;
    this.#full = full;
    this.#pass = pass;
  }

  /**
   * Records a batch and what `use` does with its output, and hands it over; nothing waits.
   * @param items their tensors may end when this returns
   * @param use must record all that reads the output, which the next batch overwrites
   * @returns what `use` returns
   */
  run<T>(items: readonly Item[], use: (output: Tensor) => T): T {
    const device = this.#device;
    const { value } = device.scope(() =>
      withoutGradients(() => {
        if (items.length === this.#full) return { value: use(this.#fullBatch(items)) };
        // The buffers of the plan serve this pass, so that it needs no more memory than a full batch.
        this.dispose();
        return { value: use(this.#pass.run(this.#assemble(items))) };
      }),
    );
    device.stream.flush();
    return value;
  }

  /** Ends the plan and its inputs. */
  dispose(): void {
    this.#plan?.dispose();
    this.#input?.dispose();
    this.#plan = this.#input = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #fullBatch(items: readonly Item[]): Tensor {
    const device = this.#device;
    const input = device.owned("pictures", () => this.#assemble(items));
    const tunings = device.tuner.tunings.length;
    // A plan runs what the tuner had chosen when it was made.
    if (this.#plan && tunings !== this.#tunings) this.#plan.dispose();
    if (this.#plan?.disposed) this.dispose();
    this.#tunings = tunings;
    if (device.numbers || this.#recorded++ === 0) return this.#pass.run(input);
    if (this.#input) device.stream.copy(input.allocation, 0, this.#input.allocation, 0, input.sizeBytes);
    else this.#input = input.keep();
    if (this.#plan) this.#plan.replay();
    else {
      const kept = this.#input;
      this.#plan = device.trace(() => this.#pass.run(kept), { yielding: true });
    }
    return this.#plan.result;
  }

  #assemble(items: readonly Item[]): Tensor {
    return this.#device.labels.within({ phase: "input" }, () => this.#pass.assemble(items));
  }
}

/** Pictures taken through the network at once in evaluation, where memory suffices. */
export const evaluationBatch = 32;

/**
 * Items taken through a network at once on the device as it is now: {@link evaluationBatch}, or fewer that fit.
 * @param item makes one on the device
 * @throws OutOfMemoryError when not even one fits
 */
export function fittingBatch<Item>(device: Device, item: () => Item, pass: NetworkWork<Item>): number {
  const work = (batch: number) => {
    const items = device.owned("pictures", () => Array.from({ length: batch }, item));
    using forward = new Forward(device, batch, pass);
    // The first is recorded, the second makes a plan, the third replays it.
    for (let time = 0; time < 3; time++) forward.run(items, () => {});
  };
  const batch = largestFit(device, 1, evaluationBatch, work);
  if (batch === 0) device.rehearse(() => work(1));
  return batch;
}
