import { z } from "zod";
import { subtract } from "../../../engine/ops/arithmetic.ts";
import { scale } from "../../../engine/ops/unary.ts";
import type { PartRows } from "../../training/method.ts";
import { viewOf } from "../../training/rows.ts";
import { agreed, taken } from "../parts/consistency.ts";
import { thresholdShape, unlabelledLoss } from "../parts/fixed-threshold.ts";
import { unlabelledMethod, unlabelledShape } from "../parts/with-unlabelled.ts";

const schema = z.strictObject({ ...unlabelledShape, ...thresholdShape });

export type DeFixMatchOptions = z.infer<typeof schema>;
export type DeFixMatchOptionsInput = z.input<typeof schema>;

/** Figure: {@link taken} of the labelled pictures. */
export const takenLabelled = "share of pseudo-labels of labelled pictures taken";

/**
 * DeFixMatch (Schmutz, Humbert & Mattei 2023): FixMatch less the same loss on labelled pictures, whose labels it does not look at there;
 * in the mean over all batches what the unlabelled ones add is then no bias. Labelled pictures learn their labels on weak and strong
 * views in equal parts. Defaults are those of USB.
 */
export const deFixMatch = unlabelledMethod({
  name: "defixmatch",
  title: "DeFixMatch",
  description: "train DeFixMatch: FixMatch less what its loss is on the labelled pictures, which takes its bias away",
  schema,
  views: () => ({ labelled: ["weak", "strong"], unlabelled: ["weak", "strong"] }),
  part: (options) => ({
    figures: [taken, agreed, takenLabelled],
    labelledToo: true,
    loss({ logits }, { labelled, unlabelled }) {
      const of = (rows: PartRows) =>
        rows.count > 0
          ? unlabelledLoss(viewOf(logits, rows, 0), viewOf(logits, rows, 1), rows.size, options)
          : undefined;
      const [given, other] = [of(labelled), of(unlabelled)];
      const figures = { ...other?.figures, ...(given && { [takenLabelled]: given.figures![taken]! }) };
      if (!given || !other) return { loss: other?.loss ?? scale(given!.loss, -1), figures };
      return { loss: subtract(other.loss, given.loss), figures };
    },
  }),
});
