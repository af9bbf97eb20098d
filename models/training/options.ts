import { z } from "zod";
import { expectLabelOptions, labelShape } from "../labels/options.ts";
import { givesProbabilities } from "../networks/heads.ts";
import { expectModelOptions, networkShape, viewShape, withHeadDefaults } from "../networks/options.ts";
import { atLeastZero, batch, count, OptionError, optionsBy, positive, some, wholeFromZero } from "../options.ts";
import { strongWords } from "../views/strong.ts";

/** cos(7π/16): where the schedule of FixMatch, and of USB, ends. */
const usbLastFactor = Math.cos((7 * Math.PI) / 16);

/** Options of the steps. */
export const stepShape = {
  optimiser: z.enum(["adam", "adamw", "sgd", "lars"]).default("adam").describe("update rule"),
  schedule: z
    .enum(["constant", "cosine", "quarter-cosine", "step", "time"])
    .default("constant")
    .describe(
      "learning rates over a phase: kept, falling to 0 along half a cosine, falling along a quarter of one to `lastFactor`, falling every `stepEpochs`, or as 1 / (1 + `timeDecay` · step)",
    ),
  lastFactor: z
    .number()
    .min(0)
    .max(1)
    .default(usbLastFactor)
    .describe(
      "with the schedule quarter-cosine: what the rates are multiplied with at its end; cos(7π/16) unless given",
    ),
  stepEpochs: count.default(1).describe("with the schedule step: epochs after which the rates fall"),
  stepFactor: positive.default(0.1).describe("with the schedule step: what the rates are multiplied with then"),
  timeDecay: positive.default(2.3e-5).describe("with the schedule time: how fast the rates fall, as in Keras"),
  warmupSteps: wholeFromZero.default(0).describe("steps at the start of a phase in which the rates rise"),
  warmupShare: z.number().min(0).lt(1).default(0).describe("the same as a share of the phase's steps"),
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
      "decay of a moving average of the weights, which a phase ends with: tested, saved, continued from; 0 for none",
    ),
  microBatch: wholeFromZero
    .default(0)
    .describe(
      "most pictures in one pass through the network; the gradients of a batch add up, batch norm sees one pass alone; 0 for the whole batch",
    ),
  normsOver: z
    .enum(["ranks", "own"])
    .default("ranks")
    .describe(
      "over several processes (mpirun): what batch norms take mean and variance over, the pictures of all ranks, as one process does, or each rank's own, which exchanges less",
    ),
};

/** Options of ranked copies. */
export const rankShape = {
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
};

/** Options of methods that take strong views. */
export const strongShape = {
  strong: z
    .enum(strongWords)
    .default("quality")
    .describe(
      "what strong views change: nothing that is judged (quality), everything as in RandAugment (randaugment), or that as far as the network still knows labelled pictures (ctaugment)",
    ),
  strongViews: some
    .default(2)
    .describe("with frozen sections: strong views of a picture that are computed; training draws among them"),
};

export type StrongOptions = z.infer<z.ZodObject<typeof strongShape>>;

/** Options that every method has. */
export const trainingShape = { ...networkShape, ...viewShape, ...labelShape, ...stepShape, ...rankShape };

export type TrainingOptions = z.infer<z.ZodObject<typeof trainingShape>>;

/**
 * Fills in the defaults of a method's options, which have those of {@link trainingShape} among them, and checks every one.
 * @throws OptionError naming the option, what was given and what is allowed
 */
export function trainingOptions<Schema extends z.ZodObject<typeof trainingShape>>(
  schema: Schema,
  input: z.input<Schema>,
): z.output<Schema> {
  const options = optionsBy(schema, withHeadDefaults(input));
  const common = options as TrainingOptions;
  expectModelOptions(common);
  expectLabelOptions(common);
  expectWarmUp(common);
  if ("strong" in options) expectStrong(common as TrainingOptions & StrongOptions);
  return options;
}

function expectStrong({ strong, frozen, head }: TrainingOptions & StrongOptions): void {
  if (strong !== "ctaugment") return;
  if (frozen > 0) {
    throw new OptionError(
      `\`strong\` ctaugment learns in every step how views are made, and with \`frozen\` ${frozen} views are kept; give quality or randaugment, or leave \`frozen\` out`,
    );
  }
  if (!givesProbabilities(head)) {
    throw new OptionError(
      `\`strong\` ctaugment learns from probabilities, and the \`head\` ${head} gives none; give quality or randaugment`,
    );
  }
}

function expectWarmUp(options: TrainingOptions): void {
  if (options.warmupSteps > 0 && options.warmupShare > 0) {
    throw new OptionError(
      `\`warmupSteps\` ${options.warmupSteps} and \`warmupShare\` ${options.warmupShare} both give the length of the warm-up; give one`,
    );
  }
}
