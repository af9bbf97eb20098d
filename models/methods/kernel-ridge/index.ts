import { z } from "zod";
import { atLeastZero, OptionError, otherDefault } from "../../options.ts";
import type { Method } from "../../training/method.ts";
import { trainingOptions, trainingShape } from "../../training/options.ts";
import { modelFile } from "../../training/training.ts";
import { expectRegression } from "../parts/kernel-regression.ts";
import { lossShape, rowLoss, withLoss } from "../parts/label-loss.ts";
import { pseudoLabelled } from "../parts/pseudo-labelled.ts";
import { expectPictures, unlabelledShape } from "../parts/with-unlabelled.ts";
import { labelled } from "./label-step.ts";

const schema = z.strictObject({
  ...trainingShape,
  ...lossShape,
  epochs: otherDefault(unlabelledShape.epochs, 5),
  epochLength: unlabelledShape.epochLength,
  labelledBatch: unlabelledShape.labelledBatch,
  unlabelledBatch: unlabelledShape.unlabelledBatch,
  unlabelledWeight: atLeastZero.default(1).describe("what the weights of the pseudo-labels are multiplied with"),
  kernel: z.enum(["rbf", "linear"]).default("rbf").describe("likeness of two pictures by their features"),
  width: atLeastZero
    .default(0)
    .describe("of the kernel rbf, in standard deviations of a feature; 0 for that with the least leave-one-out error"),
  ridge: atLeastZero
    .default(0)
    .describe("λ, the noise of labels as a multiple of the kernel; 0 for that with the least leave-one-out error"),
  regressOn: z
    .enum(["pooled", "embedding"])
    .default("pooled")
    .describe(
      "features of the regression: those of the backbone, or what the head makes of them, which says something in a model that has learnt",
    ),
  refresh: z
    .enum(["epoch", "once"])
    .default("once")
    .describe(
      "when pseudo-labels are made: before the first epoch, by the start network, or before each, by one that has learnt the labels it regresses on",
    ),
  confidence: z
    .enum(["variance", "off"])
    .default("variance")
    .describe("weight of a pseudo-label: the share of its variance that the labels take away, or 1"),
});

export type KernelRidgeOptions = z.infer<typeof schema>;
export type KernelRidgeOptionsInput = z.input<typeof schema>;

/**
 * Pseudo-labels in closed form: kernel ridge regression of the scores on features of the start network, and then labels and pseudo-labels
 * together. What every method that guesses while it learns has to beat.
 */
export const kernelRidge: Method<KernelRidgeOptions, KernelRidgeOptionsInput> = {
  name: "kernelridge",
  title: "kernel ridge",
  description: "train on labels and on pseudo-labels by kernel ridge regression on the start network's features",
  schema,
  options(input) {
    const options = trainingOptions(schema, withLoss(input));
    rowLoss(options);
    if (options.kernel === "linear" && options.width > 0)
      throw new OptionError(`\`width\` ${options.width}: the \`kernel\` linear has none; leave \`width\` out`);
    return options;
  },
  phases: (options) => [
    {
      name: "kernel ridge",
      epochs: options.epochs,
      epochsOption: "epochs",
      batch: { labelled: options.labelledBatch, unlabelled: options.unlabelledBatch },
      batchOptions: ["labelledBatch", "unlabelledBatch"],
      length: options.epochLength,
      surveys: options.refresh === "epoch",
      file: modelFile,
      begin: (context) => pseudoLabelled(options, context, (epoch) => labelled(epoch, options, context)),
    },
  ],
  expectData(data, options) {
    expectPictures(data.unlabelled.length, "unlabelledBatch", options.unlabelledBatch);
    expectRegression(data.labelled.length);
  },
};
