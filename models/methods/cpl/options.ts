import { z } from "zod";
import { batch, count, OptionError, positive, wholeFromZero } from "../../options.ts";
import { trainingOptions, trainingShape } from "../../training/options.ts";
import { lossShape, rowLoss } from "../parts/label-loss.ts";

/**
 * Settings of CPL-IQA. Equations are the paper's (ICML 2025); what it leaves open is an option. Defaults are the paper's where it states them, but
 * for the backbone, which there is ResNet-101.
 */
export const cplOptionsSchema = z.strictObject({
  ...trainingShape,
  ...lossShape,
  lossDivision: z
    .enum(["batch", "parts"])
    .default("batch")
    .describe("Eq. 9 divided by the batch size, or the sum of the two parts' means"),
  embeddingLoss: z
    .enum(["off", "rank-contrast"])
    .default("off")
    .describe(
      "what the embedding of labelled pictures learns beside the loss, which is not in the paper: rank-contrast has those with nearer scores nearer (Zha et al. 2023)",
    ),
  embeddingWeight: positive.default(0.1).describe("with `embeddingLoss`: what it is multiplied with in the loss"),
  stageOneEpochs: wholeFromZero.default(5).describe("passes over the labelled pictures; 0 skips stage 1"),
  stageTwoEpochs: wholeFromZero.default(5).describe("epochs with pseudo-labels; 0 skips stage 2"),
  stageOneBatch: batch.min(2).default(64).describe("labelled pictures in a batch of stage 1"),
  labelledBatch: batch.default(8).describe("B_L, labelled pictures in a batch of stage 2"),
  unlabelledBatch: batch.default(56).describe("B_U, unlabelled pictures in a batch of stage 2"),
  stageTwoEpoch: z
    .enum(["unlabelled", "labelled", "all"])
    .default("unlabelled")
    .describe(
      "length of a stage-2 epoch: one pass over the unlabelled pictures, over the labelled ones, or as many batches as both need; the others are gone through again and again",
    ),
  refresh: z
    .enum(["epoch", "once"])
    .default("epoch")
    .describe("when pseudo-labels are made: before every epoch of stage 2, or only before its first"),
  graphSpace: z
    .enum(["embedding", "pooled", "cdf", "both"])
    .default("embedding")
    .describe(
      "what makes pictures neighbours (Eq. 3): the embedding, as in the paper, the pooled feature of the backbone with each entry at mean 0 and variance 1, the cumulative distribution over the score set that the network predicts, or embedding and distribution at equal mean squared distance",
    ),
  neighbours: z.number().int().min(1).max(64).default(10).describe("k, neighbours of a picture in the graph (Eq. 3)"),
  affinity: z.enum(["rbf", "cos"]).default("rbf").describe("weight of an edge (Eq. 3)"),
  affinityPower: positive.default(3).describe("exponent of the affinity cos"),
  gamma: z.number().min(0).lt(1).default(0.99).describe("share of the neighbours in a label (Eq. 5-6)"),
  solverIterations: count.default(1000).describe("cap on the iterations that solve Eq. 6; reported when hit"),
  pseudoSource: z
    .enum(["propagated", "own", "mean", "regression"])
    .default("propagated")
    .describe(
      "pseudo-labels are what the graph gives, as in the paper, what the network itself predicts of the picture, the mean of both, or scores by kernel ridge regression over the points that `graphSpace` names, converted as labels are. Eq. 8 takes the entropy of whichever it is; for a regression the weight is the share of variance that the labels explain",
    ),
  confidence: z
    .enum(["entropy", "off", "constant"])
    .default("entropy")
    .describe("weight of a pseudo-label: Eq. 8, 1, or the mean of Eq. 8 for all"),
  divideByMaximum: z
    .enum(["off", "all", "unlabelled"])
    .default("off")
    .describe(
      "divide the confidences by the largest: not at all, as Eq. 8 has it, by that of all pictures, as the code of Iscen et al. does, or by that of the unlabelled ones",
    ),
  target: z
    .enum(["vector", "reconverted", "one-hot"])
    .default("vector")
    .describe(
      "train on the propagated vector, on its expectation converted anew by the label mode, or on its largest entry alone",
    ),
});

export type CplOptions = z.infer<typeof cplOptionsSchema>;
export type CplOptionsInput = z.input<typeof cplOptionsSchema>;

/**
 * Fills in defaults and checks every option. `divideByMaximum` may be true or false, as cards of earlier versions have it: over the
 * unlabelled pictures, or off.
 * @throws OptionError naming the option, what was given and what is allowed
 */
export function cplOptions(input: CplOptionsInput = {}): CplOptions {
  const options = trainingOptions(cplOptionsSchema, asNow(input));
  if (options.head !== "distribution") {
    throw new OptionError(
      `\`head\` ${options.head}: CPL-IQA spreads distributions over the score set; leave \`head\` out, or train by another method such as supervised`,
    );
  }
  rowLoss(options);
  return options;
}

function asNow(input: CplOptionsInput): CplOptionsInput {
  const before: unknown = input.divideByMaximum;
  if (typeof before !== "boolean") return input;
  return { ...input, divideByMaximum: before ? "unlabelled" : "off" };
}
