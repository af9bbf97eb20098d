import { z } from "zod";
import { LABEL_MODES } from "./labels.ts";

const count = z.number().int().min(1);
const positive = z.number().positive();

/**
 * Settings of CPL-IQA with the defaults of the paper (ICML 2025) where it states them. Equations are the paper's; what it
 * leaves open is an option.
 */
export const cplOptionsSchema = z.strictObject({
  backbone: z.enum(["resnet18", "resnet34"]).default("resnet18"),
  /** Length of the feature that the graph is built on. */
  embedding: count.default(256),
  /** m, the size of the score set. */
  levels: z.number().int().min(2).default(100),
  /** Eq. 2. */
  labelMode: z.enum(LABEL_MODES).default("adjacent"),
  /** Ends of Eq. 1: the data set's nominal scale, or the labelled part's own extremes. */
  range: z.enum(["nominal", "observed"]).default("nominal"),
  loss: z.enum(["cross-entropy", "kl", "emd", "l1"]).default("cross-entropy"),
  /** Eq. 9 divided by the batch size, or the mean of each part on its own. */
  lossDivision: z.enum(["batch", "parts"]).default("batch"),
  optimiser: z.enum(["adam", "adamw", "sgd"]).default("adam"),
  /** Learning rate of layers that start from given weights. */
  rate: positive.default(1e-4),
  /** Learning rate of layers that start fresh. */
  freshRate: positive.default(1e-3),
  /** Weight decay of convolutions and matrices. */
  decay: z.number().min(0).default(5e-4),
  /** Pictures are resized to a square of this side, pixels; the aspect ratio is not kept. */
  resize: count.default(256),
  /** Side of the square that the network sees, pixels. */
  crop: count.default(224),
  /** Horizontal flips in training. */
  flip: z.boolean().default(true),
  stageOneEpochs: z.number().int().min(0).default(5),
  stageTwoEpochs: z.number().int().min(0).default(5),
  stageOneBatch: z.number().int().min(2).default(64),
  /** B_L and B_U: labelled and unlabelled pictures in a batch of stage 2. */
  labelledBatch: count.default(8),
  unlabelledBatch: count.default(56),
  /** Length of a stage-2 epoch: one pass over the unlabelled pictures, or over all. */
  stageTwoEpoch: z.enum(["unlabelled", "all"]).default("unlabelled"),
  /** k of Eq. 3. */
  neighbours: z.number().int().min(1).max(64).default(10),
  /** Eq. 3. */
  affinity: z.enum(["rbf", "cos"]).default("rbf"),
  /** Exponent of the affinity `cos`. */
  affinityPower: positive.default(3),
  /** g of Eq. 5-6. */
  gamma: z.number().min(0).lt(1).default(0.99),
  /** Cap on the iterations of the solver of Eq. 6. */
  solverIterations: count.default(50),
  /** Weight of a pseudo-label: Eq. 8, 1, or the mean of Eq. 8 for all. */
  confidence: z.enum(["entropy", "off", "constant"]).default("entropy"),
  /** Confidences divided by the largest. */
  divideByMaximum: z.boolean().default(true),
  /** What unlabelled pictures are trained on: the propagated vector, or its expectation converted anew by Eq. 2. */
  target: z.enum(["vector", "reconverted"]).default("vector"),
  /** Crops that a test score is the mean of: 1 is the centre crop of the resized picture, more are taken at original size. */
  testCrops: count.default(1),
  seed: z.number().int().min(0).default(1),
});

export type CplOptions = z.infer<typeof cplOptionsSchema>;
export type CplOptionsInput = z.input<typeof cplOptionsSchema>;

/** An option has a value that it cannot have. */
export class OptionError extends Error {
  override name = "OptionError";
}

/**
 * Fills in defaults and checks every option.
 * @throws OptionError naming the option, what was given and what is allowed
 */
export function cplOptions(input: CplOptionsInput = {}): CplOptions {
  const result = cplOptionsSchema.safeParse(input);
  if (!result.success) {
    const lines = result.error.issues.map((issue) => `${issue.path.join(".") || "options"}: ${issue.message}`);
    throw new OptionError(`wrong training options: ${lines.join("; ")}`);
  }
  const options = result.data;
  if (options.crop > options.resize) {
    throw new OptionError(`crop ${options.crop} is larger than resize ${options.resize}; pictures are cropped after they are resized`);
  }
  if (options.crop < 32) throw new OptionError(`crop ${options.crop}: the backbone needs at least 32 pixels`);
  return options;
}
