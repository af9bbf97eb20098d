import { z } from "zod";
import { positive } from "../../options.ts";
import { viewOf } from "../../training/rows.ts";
import { Alignment, alignmentShape, expectPrior } from "../parts/alignment.ts";
import { labelsByPeople } from "../parts/batch-labels.ts";
import { agreed, taken } from "../parts/consistency.ts";
import { unlabelledMethod, unlabelledShape } from "../parts/with-unlabelled.ts";
import { figures, softMatchState, unlabelledLoss } from "./loss.ts";

const schema = z.strictObject({
  ...unlabelledShape,
  ...alignmentShape,
  deviations: positive
    .max(1000)
    .default(2)
    .describe("n: a guess n-th of a standard deviation below the mean confidence weighs e^−½"),
});

export type SoftMatchOptions = z.infer<typeof schema>;
export type SoftMatchOptionsInput = z.input<typeof schema>;

/**
 * SoftMatch (Chen et al. 2023): every guess counts, the less the further its confidence lies below the mean. Defaults are those of USB.
 */
export const softMatch = unlabelledMethod({
  name: "softmatch",
  title: "SoftMatch",
  description: "train SoftMatch: every guess counts, the less the further its confidence lies below the mean",
  schema,
  check: expectPrior,
  wholeBatches: true,
  part(options, context) {
    const { device } = context.model;
    const alignment = new Alignment(device, options, labelsByPeople(context));
    const state = softMatchState(device, options.levels);
    return {
      figures: [taken, agreed, ...figures],
      state: [alignment, state],
      loss({ logits }, { labelled, unlabelled }) {
        const known = labelled.count > 0 ? viewOf(logits, labelled, 0) : undefined;
        const [weak, strong] = [viewOf(logits, unlabelled, 0), viewOf(logits, unlabelled, 1)];
        return unlabelledLoss(known, weak, strong, alignment, state, options);
      },
    };
  },
});
