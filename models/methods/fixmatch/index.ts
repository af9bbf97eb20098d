import { z } from "zod";
import { viewOf } from "../../training/rows.ts";
import { agreed, taken } from "../parts/consistency.ts";
import { thresholdShape, unlabelledLoss } from "../parts/fixed-threshold.ts";
import { unlabelledMethod, unlabelledShape } from "../parts/with-unlabelled.ts";

const schema = z.strictObject({ ...unlabelledShape, ...thresholdShape });

export type FixMatchOptions = z.infer<typeof schema>;
export type FixMatchOptionsInput = z.input<typeof schema>;

/**
 * FixMatch (Sohn et al. 2020): what the network is sure of on the weak view of an unlabelled picture, it learns on the strong one.
 * Defaults are those of USB.
 */
export const fixMatch = unlabelledMethod({
  name: "fixmatch",
  title: "FixMatch",
  description: "train FixMatch: confident guesses on weak views of unlabelled pictures are learnt on strong ones",
  schema,
  part: (options) => ({
    figures: [taken, agreed],
    loss({ logits }, { unlabelled }) {
      const [weak, strong] = [viewOf(logits, unlabelled, 0), viewOf(logits, unlabelled, 1)];
      return unlabelledLoss(weak, strong, unlabelled.size, options);
    },
  }),
});
