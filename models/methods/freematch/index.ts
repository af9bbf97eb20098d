import { z } from "zod";
import { atLeastZero, OptionError, share } from "../../options.ts";
import { viewOf } from "../../training/rows.ts";
import { momentumShape } from "../parts/alignment.ts";
import { agreed, taken } from "../parts/consistency.ts";
import { unlabelledMethod, unlabelledShape } from "../parts/with-unlabelled.ts";
import { figuresOf, freeMatchState, unlabelledLoss } from "./loss.ts";

const schema = z.strictObject({
  ...unlabelledShape,
  ...momentumShape,
  fairnessWeight: atLeastZero
    .default(0.001)
    .describe("what the loss that keeps predictions of strong views balanced is multiplied with; 0 leaves it out"),
  confidence: z
    .enum(["mean", "quantile"])
    .default("mean")
    .describe("of a batch's guesses: their mean probability, or the 0.8-quantile"),
  leastThreshold: share.default(0).describe("the threshold of all classes is at least this"),
  mostThreshold: share.default(1).describe("the threshold of all classes is at most this"),
  leastClassThreshold: share.default(0).describe("the threshold of each class is at least this"),
  mostClassThreshold: share.default(1).describe("the threshold of each class is at most this"),
});

export type FreeMatchOptions = z.infer<typeof schema>;
export type FreeMatchOptionsInput = z.input<typeof schema>;

/**
 * FreeMatch (Wang et al. 2023): the threshold of a class grows with how sure the network is of it, and strong views are to fall on the
 * classes as weak ones do. Defaults are those of USB, which has `mostThreshold` 0.95 for street numbers.
 */
export const freeMatch = unlabelledMethod({
  name: "freematch",
  title: "FreeMatch",
  description: "train FreeMatch: as FixMatch, with thresholds that grow by class with the confidence in it",
  schema,
  check(options) {
    for (const [least, most] of [
      ["leastThreshold", "mostThreshold"],
      ["leastClassThreshold", "mostClassThreshold"],
    ] as const)
      if (options[least] > options[most])
        throw new OptionError(`\`${least}\` ${options[least]} is above \`${most}\` ${options[most]}; exchange them`);
  },
  wholeBatches: true,
  part(options, context) {
    const state = freeMatchState(context.model.device, options.levels);
    return {
      figures: [taken, agreed, ...figuresOf(options.levels)],
      state: [state],
      loss: ({ logits }, { unlabelled }) =>
        unlabelledLoss(viewOf(logits, unlabelled, 0), viewOf(logits, unlabelled, 1), state, options),
    };
  },
});
