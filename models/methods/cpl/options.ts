import { z } from "zod";
import { shown } from "../../../engine/arguments.ts";
import { nearest } from "../../../engine/nearest.ts";
import { backboneNames, poolings } from "../../backbones/index.ts";
import { LABEL_MODES, ONE_HOT_LEVELS } from "../../labels/labels.ts";

// Bounds are far beyond what is of use, and below what would ask for memory or time without end: options are read from files, too.
const count = z.number().int().min(1).max(1_000_000);
const some = z.number().int().min(1).max(1000);
const side = z.number().int().min(1).max(8192);
const batch = z.number().int().min(1).max(65_536);
// The kernels count in f32.
const positive = z.number().positive().max(3e38);
const atLeastZero = z.number().min(0).max(3e38);
const wholeFromZero = z.number().int().min(0).max(1_000_000);

/**
 * Settings of CPL-IQA with the defaults of the paper (ICML 2025) where it states them. Equations are the paper's; what it
 * leaves open is an option.
 */
export const cplOptionsSchema = z.strictObject({
  backbone: z.enum(backboneNames).default("resnet18").describe("network below the head"),
  stages: z.number().int().min(1).max(4).default(4).describe("stages of a ResNet that are used, 1 to 4"),
  featureDepths: z
    .array(some)
    .max(1000)
    .default([])
    .describe(
      "sections of the backbone after which its map is pooled, all pooled maps being the feature; sections after the deepest are left out; none for the last alone. A section is the stem or embedding, or a block",
    ),
  pooling: z
    .enum(poolings)
    .default("standard")
    .describe(
      "how a map is pooled: class token (ViT) or mean over the places (others), or with mean and standard deviation over the places beside it",
    ),
  featureNorm: z
    .enum(["none", "batch", "fixed"])
    .default("none")
    .describe(
      "normalisation of the pooled feature, for entries of very different sizes: by batch norm, or by mean and deviation of the labelled pictures before training",
    ),
  frozen: wholeFromZero
    .default(0)
    .describe(
      "sections of the backbone, from the input on, that keep their start weights; what they make of a picture is computed once and kept on disk",
    ),
  views: some
    .default(2)
    .describe(
      "with frozen sections: crops of a picture that are computed: the centre, its mirror image, then others; training draws among them",
    ),
  tokenShare: z
    .number()
    .positive()
    .max(1)
    .default(1)
    .describe(
      "with frozen sections of a vision transformer: share of the patches, drawn for each picture and step, that training takes through the sections that learn (Liu et al. 2023, PatchDropout)",
    ),
  embedding: z
    .number()
    .int()
    .min(1)
    .max(65_536)
    .default(256)
    .describe("length of the feature that the graph is built on"),
  dropout: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe(
      "share of that feature's entries that training sets to 0 at random before the logits (Srivastava et al. 2014)",
    ),
  levels: z.number().int().min(2).max(10_000).default(100).describe("m, the size of the score set"),
  labelMode: z.enum(LABEL_MODES).default("adjacent").describe("how a score becomes a distribution (Eq. 2)"),
  labelDeviation: positive
    .default(10)
    .describe("with the label mode gauss: standard deviation of a label, on the scale 1 to 100"),
  range: z
    .enum(["nominal", "observed"])
    .default("nominal")
    .describe("ends of Eq. 1: the data set's scale, or the extremes of the labelled part"),
  loss: z.enum(["cross-entropy", "kl", "emd", "l1"]).default("cross-entropy").describe("loss of one picture"),
  lossDivision: z
    .enum(["batch", "parts"])
    .default("batch")
    .describe("Eq. 9 divided by the batch size, or the sum of the two parts' means"),
  optimiser: z.enum(["adam", "adamw", "sgd"]).default("adam").describe("update rule"),
  schedule: z
    .enum(["constant", "cosine", "step"])
    .default("constant")
    .describe("learning rates over a stage: kept, falling to 0 along half a cosine, or falling every `stepEpochs`"),
  stepEpochs: count.default(1).describe("with the schedule step: epochs after which the rates fall"),
  stepFactor: positive.default(0.1).describe("with the schedule step: what the rates are multiplied with then"),
  warmupSteps: wholeFromZero.default(0).describe("steps at the start of a stage in which the rates rise"),
  warmupShare: z.number().min(0).lt(1).default(0).describe("the same as a share of the stage's steps"),
  rate: positive.default(1e-4).describe("learning rate of layers that start from given weights"),
  freshRate: positive.default(1e-3).describe("learning rate of layers that start fresh"),
  decay: atLeastZero.default(5e-4).describe("weight decay of convolutions and matrices"),
  layerDecay: z
    .number()
    .positive()
    .max(1)
    .default(1)
    .describe("factor of the rates from each block of the backbone to the one before it; 1 for equal rates"),
  clipNorm: atLeastZero.default(0).describe("largest norm of all gradients together; 0 for any"),
  ema: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe(
      "decay of a moving average of the weights, which a stage ends with: tested, saved, continued from; 0 for none",
    ),
  microBatch: wholeFromZero
    .default(0)
    .describe(
      "most pictures in one pass through the network; the gradients of a batch add up, batch norm sees one pass alone; 0 for the whole batch",
    ),
  precision: z
    .enum(["f32", "f16"])
    .default("f32")
    .describe(
      "how feature maps lie in memory in training; f16 takes half, with f32 parameters and a moving loss scale",
    ),
  resize: side.default(256).describe("pictures are resized to a square of this side, pixels"),
  crop: side.default(224).describe("side of the square that the network sees, pixels"),
  cropFrom: z
    .enum(["resized", "original"])
    .default("resized")
    .describe(
      "what crops are cut from: the square that a picture is resized to, or the picture at its own size (enlarged to a crop when it is smaller)",
    ),
  trainCrops: some.default(1).describe("random crops of each picture in an epoch of training"),
  flip: z.boolean().default(true).describe("mirror pictures at random in training"),
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
  neighbours: z.number().int().min(1).max(64).default(10).describe("k, neighbours of a picture in the graph (Eq. 3)"),
  affinity: z.enum(["rbf", "cos"]).default("rbf").describe("weight of an edge (Eq. 3)"),
  affinityPower: positive.default(3).describe("exponent of the affinity cos"),
  gamma: z.number().min(0).lt(1).default(0.99).describe("share of the neighbours in a label (Eq. 5-6)"),
  solverIterations: count.default(200).describe("cap on the iterations that solve Eq. 6; reported when hit"),
  confidence: z
    .enum(["entropy", "off", "constant"])
    .default("entropy")
    .describe("weight of a pseudo-label: Eq. 8, 1, or the mean of Eq. 8 for all"),
  divideByMaximum: z.boolean().default(true).describe("divide the confidences by the largest"),
  target: z
    .enum(["vector", "reconverted", "one-hot"])
    .default("vector")
    .describe(
      "train on the propagated vector, on its expectation converted anew by the label mode, or on its largest entry alone",
    ),
  testCrops: some
    .default(1)
    .describe(
      "crops that a test score is the mean of: 1 is the centre of what `cropFrom` says, more are random ones at original size",
    ),
  testTiles: z
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(0)
    .describe(
      "a test score is the mean over a grid of at most so many tiles at original size that covers the picture; larger pictures are reduced until it does; 0 for `testCrops`",
    ),
  rankPairs: batch
    .default(32)
    .describe("with ranked copies: pairs of them, a better and a worse one, that each batch has beside its pictures"),
  rankMargin: positive
    .default(0.03)
    .describe(
      "with ranked copies: share of the scale by which a copy is to score below another for each level between them",
    ),
  rankWeight: atLeastZero
    .default(0.5)
    .describe(
      "with ranked copies: what the mean of what pairs lack of that is multiplied with in the loss (Liu et al. 2017, RankIQA); 0 leaves them out",
    ),
  seed: z.number().int().min(0).default(1).describe("seed of every random choice in training"),
});

export type CplOptions = z.infer<typeof cplOptionsSchema>;
export type CplOptionsInput = z.input<typeof cplOptionsSchema>;

/** An option has a value that it cannot have. Messages have names of options in back-quotes. */
export class OptionError extends Error {
  override name = "OptionError";
}

function unknown(key: string): string {
  const near = nearest(key, Object.keys(cplOptionsSchema.shape));
  return `unknown option "${key}"${near ? `; did you mean "${near}"?` : ""}`;
}

/**
 * Fills in defaults and checks every option.
 * @throws OptionError naming the option, what was given and what is allowed
 */
export function cplOptions(input: CplOptionsInput = {}): CplOptions {
  const result = cplOptionsSchema.safeParse(input);
  if (!result.success) {
    const lines = result.error.issues.map((issue) => {
      if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknown(key)).join(", ");
      const [name, ...within] = issue.path;
      if (name === undefined) return `the options: ${issue.message}`;
      const value = (input as Readonly<Record<PropertyKey, unknown>>)[name];
      const entry = within.length > 0 ? `, entry ${Number(within[0]) + 1}` : "";
      return `\`${String(name)}\` ${shown(value)}${entry}: ${issue.message}`;
    });
    throw new OptionError(`wrong training options: ${lines.join("; ")}`);
  }
  const options = result.data;
  if (options.crop > options.resize && options.cropFrom === "resized") {
    throw new OptionError(
      `\`crop\` ${options.crop} is larger than \`resize\` ${options.resize}; pictures are cropped after they are resized`,
    );
  }
  if (options.testTiles > 0 && options.testCrops > 1) {
    throw new OptionError(
      `\`testTiles\` ${options.testTiles} and \`testCrops\` ${options.testCrops} both say what a test score is the mean of; give one`,
    );
  }
  if (options.warmupSteps > 0 && options.warmupShare > 0) {
    throw new OptionError(
      `\`warmupSteps\` ${options.warmupSteps} and \`warmupShare\` ${options.warmupShare} both give the length of the warm-up; give one`,
    );
  }
  if (options.crop < 32) throw new OptionError(`\`crop\` ${options.crop}: the backbone needs at least 32 pixels`);
  if (options.labelMode === "onehot5" && options.levels !== ONE_HOT_LEVELS) {
    throw new OptionError(
      `\`labelMode\` onehot5 has one level for each fifth of the scale, \`levels\` is ${options.levels}; give \`levels\` ${ONE_HOT_LEVELS}`,
    );
  }
  if (options.stages < 4 && !options.backbone.startsWith("resnet")) {
    throw new OptionError(
      `\`stages\` ${options.stages}: only ResNets can be cut to fewer stages, ${options.backbone} cannot`,
    );
  }
  if (options.tokenShare < 1 && !options.backbone.startsWith("vit")) {
    throw new OptionError(
      `\`tokenShare\` ${options.tokenShare}: only vision transformers have tokens, ${options.backbone} has none`,
    );
  }
  if (options.tokenShare < 1 && options.frozen === 0) {
    throw new OptionError(
      `\`tokenShare\` ${options.tokenShare}: tokens are drawn from what frozen sections leave; give \`frozen\``,
    );
  }
  if (options.featureDepths.some((depth, i) => i > 0 && depth <= options.featureDepths[i - 1]!)) {
    throw new OptionError(`\`featureDepths\` ${options.featureDepths}: give each depth once, in ascending order`);
  }
  if (options.crop % 16 !== 0 && options.backbone.startsWith("vit")) {
    throw new OptionError(`\`crop\` ${options.crop}: ${options.backbone} takes whole patches of 16 pixels`);
  }
  return options;
}
