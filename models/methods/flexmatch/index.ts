import { z } from "zod";
import { share } from "../../options.ts";
import type { Targets } from "../../training/method.ts";
import { viewOf } from "../../training/rows.ts";
import { agreed, taken } from "../parts/consistency.ts";
import { unlabelledMethod, unlabelledShape } from "../parts/with-unlabelled.ts";
import { figuresOf, flexMatchState, unlabelledLoss } from "./loss.ts";

const schema = z.strictObject({
  ...unlabelledShape,
  threshold: share.default(0.95).describe("τ: threshold of the class that is guessed most often"),
  thresholdWarmUp: z
    .boolean()
    .default(true)
    .describe("thresholds stay low while most pictures have had no guess that reaches `threshold`"),
});

export type FlexMatchOptions = z.infer<typeof schema>;
export type FlexMatchOptionsInput = z.input<typeof schema>;

/**
 * FlexMatch (Zhang et al. 2021): as FixMatch, with a lower threshold for classes that are guessed less often. Defaults are those of USB.
 */
export const flexMatch = unlabelledMethod({
  name: "flexmatch",
  title: "FlexMatch",
  description: "train FlexMatch: as FixMatch, with lower thresholds for classes that are guessed less often",
  schema,
  wholeBatches: true,
  part(options, context) {
    const state = flexMatchState(context.model.device, context.data.unlabelled.length, options.levels);
    return {
      figures: [taken, agreed, ...figuresOf(options.levels)],
      state: [state],
      targets(views): Targets {
        const shown = views.filter(({ part, strong }) => part === "unlabelled" && strong === undefined);
        if (shown.length === 0) return {};
        return { pictures: { data: Uint32Array.from(shown, ({ index }) => index), shape: [shown.length] } };
      },
      loss({ logits }, { unlabelled }, { pictures }) {
        const [weak, strong] = [viewOf(logits, unlabelled, 0), viewOf(logits, unlabelled, 1)];
        return unlabelledLoss(weak, strong, pictures!, state, options);
      },
    };
  },
});
