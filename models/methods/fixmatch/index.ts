import { z } from "zod";
import { positive } from "../../options.ts";
import type { Method } from "../../training/method.ts";
import { viewOf } from "../../training/rows.ts";
import { agreed, taken } from "../parts/consistency.ts";
import {
  expectUnlabelled,
  unlabelledOptions,
  unlabelledPhase,
  unlabelledShape,
  withUnlabelled,
} from "../parts/with-unlabelled.ts";
import { unlabelledLoss } from "./loss.ts";

/** Options of a fixed threshold. */
export const thresholdShape = {
  threshold: z.number().min(0).max(1).default(0.95).describe("τ: least probability of a pseudo-label that counts"),
  pseudoLabels: z
    .enum(["hard", "soft"])
    .default("hard")
    .describe("what unlabelled pictures learn: the most probable class, or the probabilities"),
  temperature: positive.default(0.5).describe("with soft pseudo-labels: what their logits are divided by"),
};

const schema = z.strictObject({ ...unlabelledShape, ...thresholdShape });

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
    unlabelledPhase("FixMatch", options, {
      begin: (context) =>
        withUnlabelled(options, context, {
          figures: [taken, agreed],
          loss({ logits }, { unlabelled }) {
            const [weak, strong] = [viewOf(logits, unlabelled, 0), viewOf(logits, unlabelled, 1)];
            return unlabelledLoss(weak, strong, unlabelled.size, options);
          },
        }),
    }),
  ],
  expectData: expectUnlabelled,
};
