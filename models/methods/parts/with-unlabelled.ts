import type { z } from "zod";
import { add } from "../../../engine/ops/arithmetic.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import type { Outputs } from "../../networks/model.ts";
import { atLeastZero, batch, OptionError, otherDefault, wholeFromZero } from "../../options.ts";
import type { BatchRows, PhaseContext, StepLoss, StepTask } from "../../training/method.ts";
import { strongShape, trainingOptions, trainingShape } from "../../training/options.ts";
import { type TrainingData, TrainingError } from "../../training/training.ts";
import { batchLabels } from "./batch-labels.ts";
import { type LossOptions, labelTask, lossShape, rowLoss } from "./label-loss.ts";

/**
 * Options of methods that learn from labelled pictures and from views of unlabelled ones at once. Defaults are those of USB for vision
 * transformers (Wang et al. 2022), with five classes.
 */
export const unlabelledShape = {
  ...trainingShape,
  ...strongShape,
  ...lossShape,
  head: otherDefault(trainingShape.head, "classes"),
  levels: otherDefault(trainingShape.levels, 5),
  optimiser: otherDefault(trainingShape.optimiser, "adamw"),
  schedule: otherDefault(trainingShape.schedule, "cosine"),
  warmupShare: otherDefault(trainingShape.warmupShare, 0.025),
  rate: otherDefault(trainingShape.rate, 1e-3),
  layerDecay: otherDefault(trainingShape.layerDecay, 0.65),
  epochs: wholeFromZero.min(1).default(10).describe("passes over the unlabelled pictures"),
  labelledBatch: batch.min(1).default(8).describe("labelled pictures in a batch"),
  unlabelledBatch: batch.min(1).default(8).describe("unlabelled pictures in a batch"),
  unlabelledWeight: atLeastZero.default(1).describe("λ: what the loss of the unlabelled pictures is multiplied with"),
};

/**
 * Options of a method that guesses probabilities of classes or levels.
 * @throws OptionError as {@link trainingOptions}, for a head that gives none, and for a loss that the head cannot learn by
 */
export function unlabelledOptions<Schema extends z.ZodObject<typeof unlabelledShape>>(
  schema: Schema,
  input: z.input<Schema>,
  title: string,
): z.output<Schema> {
  if ((input as { readonly head?: unknown }).head === "score")
    throw new OptionError(
      `\`head\` score: ${title} needs probabilities to tell what the network is sure of; give classes or distribution`,
    );
  const options = trainingOptions(schema, input);
  rowLoss(options as LossOptions);
  return options;
}

/** Loss of some unlabelled pictures by the network's outputs for all rows of a micro-batch. */
export type UnlabelledLoss = (outputs: Outputs, rows: BatchRows["unlabelled"]) => StepLoss;

/**
 * L = L_x + L_u: labelled pictures (and ranked pairs) learn their labels, unlabelled ones what `unlabelled` says.
 * @param figures names of the figures that `unlabelled` gives
 */
export function withUnlabelled(
  options: LossOptions,
  { labels }: Pick<PhaseContext, "labels">,
  figures: readonly string[],
  unlabelled: UnlabelledLoss,
): StepTask {
  const given = labelTask(options, (pictures) => batchLabels(pictures, labels, undefined, options));
  return {
    figures,
    targets: (views) => given.targets(views.filter(({ part }) => part !== "unlabelled")),
    loss(outputs, targets, rows) {
      const isGiven = rows.labelled.count + rows.ranked.count > 0;
      const known = { ...rows, unlabelled: { ...rows.unlabelled, first: 0, count: 0, size: 0 } };
      const own = isGiven ? given.loss(outputs, targets, known).loss : undefined;
      const other = rows.unlabelled.count > 0 ? unlabelled(outputs, rows.unlabelled) : undefined;
      const terms = [own, other?.loss].filter((term): term is Tensor => term !== undefined);
      return { ...other, loss: terms.reduce((sum, term) => add(sum, term)) };
    },
  };
}

/** @throws TrainingError with fewer unlabelled pictures than a batch has */
export function expectUnlabelled(
  { unlabelled }: TrainingData,
  { unlabelledBatch }: { readonly unlabelledBatch: number },
): void {
  if (unlabelled.length >= unlabelledBatch) return;
  throw new TrainingError(
    `${unlabelled.length} unlabelled pictures are fewer than one batch, \`unlabelledBatch\` ${unlabelledBatch}; give more pictures or a smaller batch`,
  );
}

export type UnlabelledOptions = z.infer<z.ZodObject<typeof unlabelledShape>>;
