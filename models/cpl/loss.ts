import type { Device } from "../../engine/device/device.ts";
import { add } from "../../engine/ops/elementwise.ts";
import { slice } from "../../engine/ops/join.ts";
import {
  earthMoversDistance,
  expectationL1,
  klDivergence,
  softCrossEntropy,
  weightedMean,
} from "../../engine/ops/losses.ts";
import { Tensor } from "../../engine/tensor.ts";
import { expectation, scoreSet } from "./labels.ts";
import type { CplOptions } from "./options.ts";

/** Labels of one batch: the labelled pictures first. */
export interface BatchLabels {
  /** [B, m], row-major: converted labels and pseudo-labels. */
  readonly targets: Float32Array<ArrayBuffer>;
  /** [B]: 1 for labelled pictures, the confidence of the pseudo-label for others. */
  readonly weights: Float32Array<ArrayBuffer>;
  readonly labelled: number;
}

/** What the loss of a batch is made of, on the host: numbers of the same shapes for batches of the same make-up. */
interface LossTerms {
  /** [B, m], or with the loss `l1` the scores [B]. */
  readonly target: Float32Array<ArrayBuffer>;
  /** Weights [B] of the pictures in each mean of the loss, and what its sum is divided by. */
  readonly means: readonly { readonly weights: Float32Array<ArrayBuffer>; readonly size: number }[];
}

function lossTerms({ targets, weights, labelled }: BatchLabels, options: CplOptions): LossTerms {
  const { levels, loss, lossDivision } = options;
  const batch = weights.length;
  const scores = () =>
    Float32Array.from({ length: batch }, (_, i) => expectation(targets.subarray(i * levels, (i + 1) * levels)));
  const target = loss === "l1" ? scores() : targets;
  if (lossDivision === "batch" || labelled === 0 || labelled === batch)
    return { target, means: [{ weights, size: batch }] };
  const part = (of: (i: number) => boolean, size: number) => ({
    weights: weights.map((weight, i) => (of(i) ? weight : 0)),
    size,
  });
  return { target, means: [part((i) => i < labelled, labelled), part((i) => i >= labelled, batch - labelled)] };
}

/** The labels of a batch on the device. */
export class LabelTensors {
  readonly #target: Tensor;
  readonly #means: readonly { readonly weights: Tensor; readonly size: number }[];
  readonly #options: CplOptions;

  constructor(device: Device, labels: BatchLabels, options: CplOptions) {
    const { target, means } = lossTerms(labels, options);
    const batch = labels.weights.length;
    this.#options = options;
    this.#target = Tensor.from(device, target, options.loss === "l1" ? [batch] : [batch, options.levels]);
    this.#means = means.map(({ weights, size }) => ({ weights: Tensor.from(device, weights, [batch]), size }));
  }

  /** Puts other labels in the place of these: as many, and as many labelled ones. */
  write(labels: BatchLabels): void {
    const { target, means } = lossTerms(labels, this.#options);
    this.#target.write(target);
    this.#means.forEach((mean, i) => {
      mean.weights.write(means[i]!.weights);
    });
  }

  /** Takes the tensors out of all scopes. */
  keep(): this {
    for (const tensor of this.#tensors()) tensor.keep();
    return this;
  }

  dispose(): void {
    for (const tensor of this.#tensors()) tensor.dispose();
  }

  /**
   * Eq. 9: L = (1/B) [Σ_labelled l(p_i, y_i) + Σ_unlabelled ω_i l(p_i, ẑ_i)], or with `lossDivision: "parts"` the mean over
   * the labelled plus the mean over the unlabelled ones.
   * @param logits [count, m] of the pictures `start … start + count` of the batch
   * @returns their share of the batch's loss, [1]
   */
  loss(logits: Tensor, start = 0): Tensor {
    const count = logits.shape[0]!;
    const rows = rowLoss(logits, rowsOf(this.#target, start, count), this.#options);
    return this.#means
      .map(({ weights, size }) => weightedMean(rows, rowsOf(weights, start, count), size))
      .reduce((total, mean) => add(total, mean));
  }

  #tensors(): Tensor[] {
    return [this.#target, ...this.#means.map(({ weights }) => weights)];
  }
}

function rowsOf(x: Tensor, start: number, count: number): Tensor {
  if (count === x.shape[0]) return x;
  const rest = x.shape.slice(1);
  return slice(x, [start, ...rest.map(() => 0)], [start + count, ...rest]);
}

/** Loss of each picture, [B]. */
function rowLoss(logits: Tensor, target: Tensor, { loss, levels }: CplOptions): Tensor {
  if (loss === "l1") {
    const set = Tensor.constant(logits.device, Float32Array.from(scoreSet(levels)), [levels]);
    return expectationL1(logits, target, set);
  }
  if (loss === "kl") return klDivergence(logits, target);
  return loss === "emd" ? earthMoversDistance(logits, target) : softCrossEntropy(logits, target);
}
