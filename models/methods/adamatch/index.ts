import { z } from "zod";
import { isTransformer } from "../../networks/options.ts";
import { OptionError, otherDefault, share } from "../../options.ts";
import { viewOf } from "../../training/rows.ts";
import { Alignment, alignmentShape, expectPrior } from "../parts/alignment.ts";
import { labelsByPeople } from "../parts/batch-labels.ts";
import { agreed, taken } from "../parts/consistency.ts";
import { unlabelledMethod, unlabelledShape } from "../parts/with-unlabelled.ts";
import { interpolated, interpolationTargets } from "./interpolation.ts";
import { threshold, unlabelledLoss } from "./loss.ts";

const schema = z.strictObject({
  ...unlabelledShape,
  ...alignmentShape,
  prior: otherDefault(alignmentShape.prior, "predictions"),
  threshold: share
    .default(0.95)
    .describe("τ: a pseudo-label counts from this share of the mean confidence on the batch's labelled pictures"),
  labelledViews: z
    .enum(["weak", "both"])
    .default("weak")
    .describe("what labelled pictures are learnt on: weak views, or weak and strong ones in equal parts"),
  logitInterpolation: z
    .boolean()
    .default(false)
    .describe(
      "learn labelled pictures by logits at random between those with the whole batch and those without the unlabelled pictures, which batch norm makes others of; another pass over the labelled ones",
    ),
});

export type AdaMatchOptions = z.infer<typeof schema>;
export type AdaMatchOptionsInput = z.input<typeof schema>;

/**
 * AdaMatch (Berthelot et al. 2022): guesses are aligned with what is predicted for labelled pictures, and count by how sure the network
 * is of those. Defaults are those of USB; the authors have `threshold` 0.9, `alignWindow` 128, `labelledViews` both,
 * `logitInterpolation`, `strong` ctaugment, `unlabelledRamp` 0.5, `lastFactor` 0.25, and decay in the loss, as the optimiser sgd has it.
 */
export const adaMatch = unlabelledMethod({
  name: "adamatch",
  title: "AdaMatch",
  description:
    "train AdaMatch: guesses are aligned with predictions of labelled pictures, whose confidence is the measure",
  schema,
  check(options) {
    expectPrior(options);
    if (!options.logitInterpolation || !isTransformer(options)) return;
    throw new OptionError(
      `\`logitInterpolation\`: ${options.backbone} has no batch norm, so that its logits are the same with other pictures and without; leave it out`,
    );
  },
  wholeBatches: true,
  views: (options) => ({
    labelled: options.labelledViews === "both" ? ["weak", "strong"] : ["weak"],
    unlabelled: ["weak", "strong"],
  }),
  part(options, context) {
    const alignment = new Alignment(context.model.device, options, labelsByPeople(context));
    return {
      figures: [taken, agreed, threshold],
      state: [alignment],
      ...(options.logitInterpolation && {
        targets: (views, place) => interpolationTargets(views, place, options),
        readsInput: true,
        outputs: (outputs, rows, targets, input) => interpolated(outputs, rows, targets, input, context),
      }),
      loss({ logits }, { labelled, unlabelled }) {
        const known = labelled.count > 0 ? viewOf(logits, labelled, 0) : undefined;
        const [weak, strong] = [viewOf(logits, unlabelled, 0), viewOf(logits, unlabelled, 1)];
        return unlabelledLoss(known, weak, strong, alignment, options);
      },
    };
  },
});
