import { z } from "zod";
import { relu } from "../../../engine/ops/activations.ts";
import { add, subtract } from "../../../engine/ops/arithmetic.ts";
import { matmul } from "../../../engine/ops/contraction/matmul.ts";
import {
  earthMoversDistance,
  expectationL1,
  klDivergence,
  softCrossEntropy,
  weightedMean,
} from "../../../engine/ops/losses.ts";
import { mean } from "../../../engine/ops/reduce.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { abs, scale, square } from "../../../engine/ops/unary.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { expectation, scoreSet } from "../../labels/labels.ts";
import { type HeadName, headOf, heads } from "../../networks/heads.ts";
import type { Outputs } from "../../networks/model.ts";
import { OptionError } from "../../options.ts";
import type { PlannedPicture } from "../../training/batches.ts";
import type { BatchRows, HostArray, StepTask } from "../../training/method.ts";
import { rowsOf } from "../../training/rows.ts";

/** Options of the loss of labels. */
export const lossShape = {
  loss: z
    .enum(["cross-entropy", "kl", "emd", "l1", "l2"])
    .default("cross-entropy")
    .describe(
      "loss of one picture; with the head score the distance l1 or its square l2, as shares of the scale, l1 unless given",
    ),
};

/** Options that the loss of a batch is made by. */
export interface LossOptions extends z.infer<z.ZodObject<typeof lossShape>> {
  readonly head: HeadName;
  readonly levels: number;
  readonly classEdges?: readonly number[] | undefined;
  readonly rankWeight: number;
  readonly rankMargin: number;
  /** @default "batch" */
  readonly lossDivision?: "batch" | "parts";
}

/** Labels of one batch: those of the labelled pictures come before those of the unlabelled ones. */
export interface BatchLabels {
  /** [B, length], row-major: labels and pseudo-labels, as the network's head learns them. */
  readonly targets: Float32Array<ArrayBuffer>;
  /** [B]: 1 for pictures that people rated, the weight of the pseudo-label for others. */
  readonly weights: Float32Array<ArrayBuffer>;
  readonly labelled: number;
  /** [P]: by which share of the scale the first of each ranked pair is to score above the second. None without pairs. */
  readonly margins: Float32Array<ArrayBuffer>;
}

/** Numbers of a batch that {@link labelLoss} reads: of the same shapes for batches of the same make-up. */
function labelTargets(labels: BatchLabels, options: LossOptions): Readonly<Record<string, HostArray>> {
  const { targets, weights, labelled, margins } = labels;
  const { head, levels, loss, lossDivision = "batch" } = options;
  const batch = weights.length;
  const length = heads[head].length(levels);
  const scores = () =>
    Float32Array.from({ length: batch }, (_, i) => expectation(targets.subarray(i * levels, (i + 1) * levels)));
  const part = (of: (i: number) => boolean) => ({
    data: weights.map((weight, i) => (of(i) ? weight : 0)),
    shape: [batch],
  });
  const isWhole = lossDivision === "batch" || labelled === 0 || labelled === batch;
  return {
    target:
      head === "distribution" && loss === "l1"
        ? { data: scores(), shape: [batch] }
        : { data: targets, shape: [batch, length] },
    ...(isWhole
      ? { weights: { data: weights, shape: [batch] } }
      : { labelledWeights: part((i) => i < labelled), unlabelledWeights: part((i) => i >= labelled) }),
    ...(margins.length > 0 && { margins: { data: margins, shape: [margins.length, 1] } }),
  };
}

/**
 * Eq. 9: L = (1/B) [Σ_labelled l(p_i, y_i) + Σ_unlabelled ω_i l(p_i, ẑ_i)], or with `lossDivision: "parts"` the mean over
 * the labelled plus the mean over the unlabelled ones; and the loss of the ranked pairs.
 * @param logits [rows, length] of a micro-batch in which each picture has one view
 * @returns its share of the batch's loss, [1]
 */
function labelLoss(
  logits: Tensor,
  targets: Readonly<Record<string, Tensor>>,
  { ranked, labelled, unlabelled }: BatchRows,
  options: LossOptions,
): Tensor {
  const { target, weights, labelledWeights, unlabelledWeights, margins } = targets;
  const means = weights
    ? [{ weights, size: labelled.size + unlabelled.size }]
    : [
        { weights: labelledWeights!, size: labelled.size },
        { weights: unlabelledWeights!, size: unlabelled.size },
      ];
  const count = labelled.count + unlabelled.count;
  const terms: Tensor[] = [];
  if (count > 0) {
    const first = labelled.first + unlabelled.first;
    const rows = rowsOf(logits, 2 * ranked.count, count);
    const lost = rowLoss(options)(rows, rowsOf(target!, first, count));
    for (const mean of means) terms.push(weightedMean(lost, rowsOf(mean.weights, first, count), mean.size));
  }
  if (ranked.count > 0) {
    const wanted = rowsOf(margins!, ranked.first, ranked.count);
    const shares = headOf(options).shares(rowsOf(logits, 0, 2 * ranked.count));
    terms.push(scale(rankingLoss(shares, wanted, ranked.size), options.rankWeight));
  }
  return terms.reduce((total, term) => add(total, term));
}

/** Learns given labels. @param labelsOf labels of the pictures of a batch */
export function labelTask(options: LossOptions, labelsOf: (pictures: readonly PlannedPicture[]) => BatchLabels) {
  return {
    targets: (pictures: readonly PlannedPicture[]) => labelTargets(labelsOf(pictures), options),
    loss: ({ logits }: Pick<Outputs, "logits">, targets: Readonly<Record<string, Tensor>>, rows: BatchRows) => ({
      loss: labelLoss(logits, targets, rows, options),
    }),
  } satisfies StepTask;
}

/**
 * What the scores of pairs lack of their order (Liu, van de Weijer & Bagdanov, "RankIQA", 2017, hinge loss with a margin for each
 * pair): Σ_i max(0, margin_i − (s_2i − s_2i+1)) / size.
 * @param scores s, [2 P, 1], as shares of the scale; the better picture of each pair before the worse
 * @param margins [P, 1], as shares of the scale
 * @param size what the sum is divided by
 * @returns [1]
 */
export function rankingLoss(scores: Tensor, margins: Tensor, size: number): Tensor {
  const { device } = scores;
  const rows = scores.shape[0]!;
  const drop = Tensor.constant(device, Float32Array.of(-1, 1), [2, 1]);
  const lacking = relu(add(matmul(reshape(scores, [rows / 2, 2]), drop), margins));
  const ones = Tensor.constant(device, new Float32Array(rows / 2).fill(1), [rows / 2]);
  return weightedMean(reshape(lacking, [rows / 2]), ones, size);
}

type Loss = LossOptions["loss"];
/** Loss of each picture, [B], from what the network's last layer gives of it and its target. */
type RowLoss = (logits: Tensor, target: Tensor) => Tensor;

const ofProbabilities = { "cross-entropy": softCrossEntropy, kl: klDivergence, emd: earthMoversDistance };

/** The losses that a head can learn by, the default first. */
const losses: Readonly<Record<HeadName, Partial<Record<Loss, RowLoss>>>> = {
  distribution: {
    ...ofProbabilities,
    // |Σ_j M_j p_j − y|
    l1: (logits, scores) => {
      const levels = logits.shape[1]!;
      const set = Tensor.constant(logits.device, Float32Array.from(scoreSet(levels)), [levels]);
      return expectationL1(logits, scores, set);
    },
  },
  score: {
    // |s − y|
    l1: (shares, target) => abs(flat(subtract(shares, target))),
    // (s − y)²
    l2: (shares, target) => square(flat(subtract(shares, target))),
  },
  ensemble: {
    // (1/M) Σ_k |s_k − y|
    l1: (shares, target) => mean(abs(subtract(shares, target)), 1),
    // (1/M) Σ_k (s_k − y)²
    l2: (shares, target) => mean(square(subtract(shares, target)), 1),
  },
  classes: ofProbabilities,
};

const flat = (x: Tensor) => reshape(x, [x.size]);

/** Options with the loss that is the default of their head. */
export function withLoss<Input extends { readonly head?: unknown; readonly loss?: unknown }>(input: Input): Input {
  const known: Partial<Record<Loss, RowLoss>> | undefined = losses[input.head as HeadName];
  return known && input.loss === undefined ? { ...input, loss: Object.keys(known)[0] } : input;
}

/** The loss of each picture that options ask for. @throws OptionError when the head cannot learn by it */
export function rowLoss({ head, loss }: Pick<LossOptions, "head" | "loss">): RowLoss {
  const found = losses[head][loss];
  if (found) return found;
  const known = Object.keys(losses[head]);
  throw new OptionError(
    `\`loss\` ${loss}: a network with the \`head\` ${head} learns by ${known.join(", ")}; give one of them`,
  );
}
