import type { Device } from "../../../engine/device/device.ts";
import { add } from "../../../engine/ops/arithmetic.ts";
import { matmul } from "../../../engine/ops/contraction/matmul.ts";
import { slice } from "../../../engine/ops/join.ts";
import {
  earthMoversDistance,
  expectationL1,
  klDivergence,
  softCrossEntropy,
  weightedMean,
} from "../../../engine/ops/losses.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { softmax } from "../../../engine/ops/softmax.ts";
import { relu, scale } from "../../../engine/ops/unary.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { expectation, HIGHEST, LOWEST, scoreSet } from "../../labels/labels.ts";
import type { CplOptions } from "./options.ts";

/** Labels of one batch: those of the labelled pictures come before those of the unlabelled ones. */
export interface BatchLabels {
  /** [B, m], row-major: converted labels and pseudo-labels. */
  readonly targets: Float32Array<ArrayBuffer>;
  /** [B]: 1 for labelled pictures, the confidence of the pseudo-label for others. */
  readonly weights: Float32Array<ArrayBuffer>;
  readonly labelled: number;
  /** [P]: by which share of the scale the first of each ranked pair is to score above the second. None without pairs. */
  readonly margins: Float32Array<ArrayBuffer>;
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

/** The labels of a batch on the device. The pictures of ranked pairs come first in it, the others follow. */
export class LabelTensors {
  /** [P, 1], where there are pairs. */
  readonly #margins: Tensor | undefined;
  readonly #target: Tensor;
  readonly #means: readonly { readonly weights: Tensor; readonly size: number }[];
  readonly #options: CplOptions;

  constructor(device: Device, labels: BatchLabels, options: CplOptions) {
    const { target, means } = lossTerms(labels, options);
    const batch = labels.weights.length;
    this.#options = options;
    const pairs = labels.margins.length;
    this.#margins = pairs > 0 ? Tensor.from(device, labels.margins, [pairs, 1]) : undefined;
    this.#target = Tensor.from(device, target, options.loss === "l1" ? [batch] : [batch, options.levels]);
    this.#means = means.map(({ weights, size }) => ({ weights: Tensor.from(device, weights, [batch]), size }));
  }

  /** Puts other labels in the place of these: as many, and as many labelled ones and pairs. */
  write(labels: BatchLabels): void {
    const { target, means } = lossTerms(labels, this.#options);
    this.#margins?.write(labels.margins);
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
   * the labelled plus the mean over the unlabelled ones; and the loss of the ranked pairs.
   * @param logits [count, m] of the pictures `start … start + count` of the batch, both of a pair or none
   * @returns their share of the batch's loss, [1]
   */
  loss(logits: Tensor, start = 0): Tensor {
    const count = logits.shape[0]!;
    const paired = 2 * (this.#margins?.size ?? 0);
    const ranked = Math.min(count, Math.max(0, paired - start));
    const terms: Tensor[] = [];
    if (ranked < count) {
      const first = start + ranked - paired;
      const rows = rowsOf(logits, ranked, count - ranked);
      const losses = rowLoss(rows, rowsOf(this.#target, first, count - ranked), this.#options);
      for (const { weights, size } of this.#means)
        terms.push(weightedMean(losses, rowsOf(weights, first, count - ranked), size));
    }
    if (ranked > 0) {
      const margins = rowsOf(this.#margins!, start / 2, ranked / 2);
      terms.push(scale(rankingLoss(rowsOf(logits, 0, ranked), margins, paired / 2), this.#options.rankWeight));
    }
    return terms.reduce((total, term) => add(total, term));
  }

  #tensors(): Tensor[] {
    return [...(this.#margins ? [this.#margins] : []), this.#target, ...this.#means.map(({ weights }) => weights)];
  }
}

function rowsOf(x: Tensor, start: number, count: number): Tensor {
  if (count === x.shape[0]) return x;
  const rest = x.shape.slice(1);
  return slice(x, [start, ...rest.map(() => 0)], [start + count, ...rest]);
}

/**
 * What the scores of pairs lack of their order (Liu, van de Weijer & Bagdanov, "RankIQA", 2017, hinge loss with a margin for each
 * pair): Σ_i max(0, margin_i − (s_2i − s_2i+1)) / size, s being the expected score as a share of the
 * scale.
 * @param logits [2 P, m], the better picture of each pair before the worse
 * @param margins [P, 1], as shares of the scale
 * @param size what the sum is divided by
 * @returns [1]
 */
export function rankingLoss(logits: Tensor, margins: Tensor, size: number): Tensor {
  const { device } = logits;
  const [rows, levels] = logits.shape as [number, number];
  const shares = Float32Array.from(scoreSet(levels), (score) => (score - LOWEST) / (HIGHEST - LOWEST));
  const scores = matmul(softmax(logits), Tensor.constant(device, shares, [levels, 1]));
  const drop = Tensor.constant(device, Float32Array.of(-1, 1), [2, 1]);
  const lacking = relu(add(matmul(reshape(scores, [rows / 2, 2]), drop), margins));
  const ones = Tensor.constant(device, new Float32Array(rows / 2).fill(1), [rows / 2]);
  return weightedMean(reshape(lacking, [rows / 2]), ones, size);
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
