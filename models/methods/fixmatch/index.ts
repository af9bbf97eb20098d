import { z } from "zod";
import { positive } from "../../options.ts";
import type { Method } from "../../training/method.ts";
import { viewOf } from "../../training/rows.ts";
import { modelFile } from "../../training/training.ts";
import { expectUnlabelled, unlabelledOptions, unlabelledShape, withUnlabelled } from "../parts/with-unlabelled.ts";
import { taken, unlabelledLoss } from "./loss.ts";

const schema = z.strictObject({
  ...unlabelledShape,
  threshold: z.number().min(0).max(1).default(0.95).describe("τ: least probability of a pseudo-label that counts"),
  pseudoLabels: z
    .enum(["hard", "soft"])
    .default("hard")
    .describe("what unlabelled pictures learn: the most probable class, or the probabilities"),
  temperature: positive.default(0.5).describe("with soft pseudo-labels: what their logits are divided by"),
});

export type FixMatchOptions = z.infer<typeof schema>;
export type FixMatchOptionsInput = z.input<typeof schema>;

/**
 * FixMatch (Sohn et al. 2020): what the network is sure of on the weak view of an unlabelled picture, it learns on the strong one.
 * Defaults are those of USB.
 */
export const fixMatch: Method<FixMatchOptions, FixMatchOptionsInput> = {
  name: "fixmatch",
  title: "FixMatch",
  description: "train FixMatch: confident guesses on weak views of unlabelled pictures are learnt on strong ones",
  schema,
  options: (input) => unlabelledOptions(schema, input, "FixMatch"),
  phases: (options) => [
    {
      name: "FixMatch",
      epochs: options.epochs,
      epochsOption: "epochs",
      batch: { labelled: options.labelledBatch, unlabelled: options.unlabelledBatch },
      batchOptions: ["labelledBatch", "unlabelledBatch"],
      views: { labelled: ["weak"], unlabelled: ["weak", "strong"] },
      file: modelFile,
      begin: (context) =>
        withUnlabelled(options, context, [taken], ({ logits }, rows) =>
          unlabelledLoss(viewOf(logits, rows, 0), viewOf(logits, rows, 1), rows.size, options),
        ),
    },
  ],
  expectData: expectUnlabelled,
};
