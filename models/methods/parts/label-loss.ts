import { z } from "zod";
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
import type { PlannedPicture } from "../../training/batches.ts";
import type { BatchRows, HostArray, StepTask } from "../../training/method.ts";

/** Options of the loss of labels. */
export const lossShape = {
  loss: z.enum(["cross-entropy", "kl", "emd", "l1"]).default("cross-entropy").describe("loss of one picture"),
};

/** Options that the loss of a batch is made by. */
export interface LossOptions extends z.infer<z.ZodObject<typeof lossShape>> {
  readonly levels: number;
  readonly rankWeight: number;
  readonly rankMargin: number;
  /** @default "batch" */
  readonly lossDivision?: "batch" | "parts";
}

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

/** Numbers of a batch that {@link labelLoss} reads: of the same shapes for batches of the same make-up. */
function labelTargets(labels: BatchLabels, options: LossOptions): Readonly<Record<string, HostArray>> {
  const { targets, weights, labelled, margins } = labels;
  const { levels, loss, lossDivision = "batch" } = options;
  const batch = weights.length;
  const scores = () =>
    Float32Array.from({ length: batch }, (_, i) => expectation(targets.subarray(i * levels, (i + 1) * levels)));
  const part = (of: (i: number) => boolean) => ({
    data: weights.map((weight, i) => (of(i) ? weight : 0)),
    shape: [batch],
  });
  const isWhole = lossDivision === "batch" || labelled === 0 || labelled === batch;
  return {
    target: loss === "l1" ? { data: scores(), shape: [batch] } : { data: targets, shape: [batch, levels] },
    ...(isWhole
      ? { weights: { data: weights, shape: [batch] } }
      : { labelledWeights: part((i) => i < labelled), unlabelledWeights: part((i) => i >= labelled) }),
    ...(margins.length > 0 && { margins: { data: margins, shape: [margins.length, 1] } }),
  };
}

/**
 * Eq. 9: L = (1/B) [Σ_labelled l(p_i, y_i) + Σ_unlabelled ω_i l(p_i, ẑ_i)], or with `lossDivision: "parts"` the mean over
 * the labelled plus the mean over the unlabelled ones; and the loss of the ranked pairs.
 * @param logits [count, m] of the pictures `start … start + count` of the batch, both of a pair or none
 * @returns their share of the batch's loss, [1]
 */
function labelLoss(
  logits: Tensor,
  targets: Readonly<Record<string, Tensor>>,
  { start, count, ranked: paired, labelled, unlabelled }: BatchRows,
  options: LossOptions,
): Tensor {
  const { target, weights, labelledWeights, unlabelledWeights, margins } = targets;
  const means = weights
    ? [{ weights, size: labelled + unlabelled }]
    : [
        { weights: labelledWeights!, size: labelled },
        { weights: unlabelledWeights!, size: unlabelled },
      ];
  const ranked = Math.min(count, Math.max(0, paired - start));
  const terms: Tensor[] = [];
  if (ranked < count) {
    const first = start + ranked - paired;
    const rows = rowsOf(logits, ranked, count - ranked);
    const losses = rowLoss(rows, rowsOf(target!, first, count - ranked), options);
    for (const mean of means) terms.push(weightedMean(losses, rowsOf(mean.weights, first, count - ranked), mean.size));
  }
  if (ranked > 0) {
    const wanted = rowsOf(margins!, start / 2, ranked / 2);
    terms.push(scale(rankingLoss(rowsOf(logits, 0, ranked), wanted, paired / 2), options.rankWeight));
  }
  return terms.reduce((total, term) => add(total, term));
}

/** Learns given labels. @param labelsOf labels of the pictures of a batch */
export function labelTask(
  options: LossOptions,
  labelsOf: (pictures: readonly PlannedPicture[]) => BatchLabels,
): StepTask {
  return {
    targets: (pictures) => labelTargets(labelsOf(pictures), options),
    loss: ({ logits }, targets, rows) => labelLoss(logits, targets, rows, options),
  };
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
function rowLoss(logits: Tensor, target: Tensor, { loss, levels }: LossOptions): Tensor {
  if (loss === "l1") {
    const set = Tensor.constant(logits.device, Float32Array.from(scoreSet(levels)), [levels]);
    return expectationL1(logits, target, set);
  }
  if (loss === "kl") return klDivergence(logits, target);
  return loss === "emd" ? earthMoversDistance(logits, target) : softCrossEntropy(logits, target);
}
