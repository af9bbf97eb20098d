import { z } from "zod";
import { batch, wholeFromZero } from "../../options.ts";
import type { Method } from "../../training/method.ts";
import { trainingOptions, trainingShape } from "../../training/options.ts";
import { modelFile } from "../../training/training.ts";
import { givenLabels } from "../parts/batch-labels.ts";
import { lossShape, rowLoss, withLoss } from "../parts/label-loss.ts";

const schema = z.strictObject({
  ...trainingShape,
  ...lossShape,
  epochs: wholeFromZero.min(1).default(5).describe("passes over the labelled pictures"),
  batch: batch.min(2).default(64).describe("labelled pictures in a batch"),
});

export type SupervisedOptions = z.infer<typeof schema>;
export type SupervisedOptionsInput = z.input<typeof schema>;

/** Learns from the labelled pictures alone: what every method that takes unlabelled ones has to beat. */
export const supervised: Method<SupervisedOptions, SupervisedOptionsInput> = {
  name: "supervised",
  title: "supervised",
  description: "train on labelled pictures alone, with any loss and any backbone",
  schema,
  options(input) {
    const options = trainingOptions(schema, withLoss(input));
    rowLoss(options);
    return options;
  },
  phases: (options) => [
    {
      name: "supervised",
      epochs: options.epochs,
      epochsOption: "epochs",
      batch: { labelled: options.batch, unlabelled: 0 },
      batchOptions: ["batch"],
      file: modelFile,
      begin: (context) => givenLabels(options, context),
    },
  ],
};
