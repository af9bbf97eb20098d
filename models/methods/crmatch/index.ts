import { z } from "zod";
import { withoutGradients } from "../../../engine/autograd.ts";
import { add } from "../../../engine/ops/arithmetic.ts";
import { scale } from "../../../engine/ops/unary.ts";
import { atLeastZero, wholeFromZero } from "../../options.ts";
import type { StepLoss } from "../../training/method.ts";
import { rowsOf, viewOf } from "../../training/rows.ts";
import { agreed, learnt, taken } from "../parts/consistency.ts";
import { guess, thresholdShape } from "../parts/fixed-threshold.ts";
import { Layers } from "../parts/layers.ts";
import { unlabelledMethod, unlabelledShape } from "../parts/with-unlabelled.ts";
import { cosine, distance, distanceLoss, told, turnLoss, turns } from "./loss.ts";

const schema = z.strictObject({
  ...unlabelledShape,
  ...thresholdShape,
  featDistWeight: atLeastZero
    .default(1)
    .describe("what the loss of the feature distance, between views that are taken, is multiplied with"),
  featDistGrad: z
    .enum(["both", "strong"])
    .default("both")
    .describe("which views learn by the feature distance: both, or the strong one alone"),
  rotationWeight: atLeastZero.default(1).describe("what the loss of the turns that are to be told is multiplied with"),
  rotationBatch: wholeFromZero
    .max(65_536)
    .default(8)
    .describe("further unlabelled pictures in a batch, whose turn by quarters is to be told; with 0 turns are no task"),
});

export type CrMatchOptions = z.infer<typeof schema>;
export type CrMatchOptionsInput = z.input<typeof schema>;

/**
 * CR-Match (Fan, Kukleva & Schiele 2021): FixMatch, with the features of both views driven apart while they are called the same, and the
 * turns of further unlabelled pictures to be told. L = L_x + λ L_u + w_d L_d + w_r L_r. Defaults are those of USB, and so are the heads,
 * a linear map g and two layers for the turns; g takes pooled features of convolutional networks too, not their maps.
 */
export const crMatch = unlabelledMethod({
  name: "crmatch",
  title: "CR-Match",
  description: "train CR-Match: FixMatch, with features of both views driven apart, and turns of pictures to be told",
  schema,
  furtherBatch: "rotationBatch",
  views: ({ rotationBatch }) => ({
    labelled: ["weak"],
    unlabelled: ["weak", "strong"],
    ...(rotationBatch > 0 && { further: ["weak", ...Array<"turned">(turns - 1).fill("turned")] }),
  }),
  part(options, { model }) {
    const { featDistGrad, featDistWeight, rotationWeight, rotationBatch, unlabelledWeight, seed } = options;
    const d = model.featureLength;
    const g = new Layers(model.device, "crmatch.distance", { seed, lengths: [d, d] });
    const turn =
      rotationBatch > 0 ? new Layers(model.device, "crmatch.turn", { seed, lengths: [d, d, turns] }) : undefined;
    return {
      figures: [taken, agreed, cosine, distance, ...(turn ? [told] : [])],
      modules: turn ? [g, turn] : [g],
      loss({ logits, feature }, { unlabelled, further }) {
        const terms: StepLoss[] = [];
        if (unlabelled.count > 0) {
          const { size } = unlabelled;
          const guessed = guess(viewOf(logits, unlabelled, 0), options);
          terms.push(learnt(viewOf(logits, unlabelled, 1), guessed, size, unlabelledWeight));
          const weak = () => g.forward(viewOf(feature, unlabelled, 0));
          const strong = g.forward(viewOf(feature, unlabelled, 1));
          const apart = distanceLoss(featDistGrad === "both" ? weak() : withoutGradients(weak), strong, guessed, size);
          terms.push({ ...apart, loss: scale(apart.loss, featDistWeight) });
        }
        if (turn && further.count > 0) {
          const logits = turn.forward(rowsOf(feature, further.row, turns * further.count));
          const shown = turnLoss(logits, further.size);
          terms.push({ ...shown, loss: scale(shown.loss, rotationWeight) });
        }
        return {
          loss: terms.map(({ loss }) => loss).reduce(add),
          figures: Object.assign({}, ...terms.map(({ figures }) => figures)),
        };
      },
    };
  },
});
