import { z } from "zod";
import { atLeastZero, otherDefault, positive, share } from "../../options.ts";
import type { PhaseContext } from "../../training/method.ts";
import { Alignment, alignmentShape, expectPrior } from "../parts/alignment.ts";
import { Bank } from "../parts/bank.ts";
import { batchLabels, labelsByPeople, weakViews } from "../parts/batch-labels.ts";
import { agreed, taken } from "../parts/consistency.ts";
import { Embedder, projectionShape } from "../parts/embedder.ts";
import { teacherShape } from "../parts/teacher.ts";
import { type UnlabelledPart, unlabelledMethod, unlabelledShape } from "../parts/with-unlabelled.ts";
import { instances, unlabelledLoss } from "./loss.ts";

const schema = z.strictObject({
  ...unlabelledShape,
  ...alignmentShape,
  ema: otherDefault(unlabelledShape.ema, 0.999),
  prior: otherDefault(alignmentShape.prior, "labelled"),
  alignWindow: otherDefault(alignmentShape.alignWindow, 32),
  projection: otherDefault(projectionShape.projection, 128),
  teacher: otherDefault(teacherShape.teacher, 0.999),
  threshold: share.default(0.95).describe("τ: least probability of a pseudo-label that counts"),
  similarityTemperature: positive
    .default(0.1)
    .describe("T: what cosines of the weak views' embeddings with those of labelled pictures are divided by"),
  strongTemperature: positive.default(0.1).describe("the same for strong views"),
  ownShare: share
    .default(0.9)
    .describe("c: what a guess keeps of itself beside the labels of similar labelled pictures; 1 for all"),
  bankMomentum: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe(
      "share of itself that the embedding of a labelled picture in the bank keeps when the picture comes again",
    ),
  instanceWeight: atLeastZero
    .default(1)
    .describe("λ_in: what the loss of likeness to labelled pictures is multiplied with; 0 leaves it out"),
});

export type SimMatchOptions = z.infer<typeof schema>;
export type SimMatchOptionsInput = z.input<typeof schema>;

/**
 * SimMatch (Zheng et al. 2022): guesses are smoothed by the labels of similar labelled pictures, and strong views are to be like the same
 * labelled pictures as weak ones. From the second epoch on, when labelled pictures were seen. The teacher sees the weak views, as with the
 * authors; other defaults are those of USB, whose teacher gives embeddings of labelled pictures alone, or there is none
 * and `bankMomentum` is 0.7. The authors have `alignWindow` 256,
 * `prior` uniform, and for ImageNet `threshold` 0.7, `unlabelledWeight` 10 and `instanceWeight` 5.
 */
export const simMatch = unlabelledMethod({
  name: "simmatch",
  title: "SimMatch",
  description:
    "train SimMatch: guesses and embeddings of unlabelled pictures agree on which labelled ones they are like",
  schema,
  check: expectPrior,
  wholeBatches: true,
  part: simMatchPart,
});

function simMatchPart(options: SimMatchOptions, context: PhaseContext): UnlabelledPart {
  const { model, labels } = context;
  const { levels, projection: length } = options;
  const embedder = new Embedder(context, options);
  const extents = { rows: labels.length / levels, length, levels };
  const bank = new Bank(model.device, "bank", extents, "give a shorter `projection` or fewer labelled pictures");
  const alignment = new Alignment(model.device, options, labelsByPeople(context), { window: "empty" });
  return {
    ...embedder.hooks,
    figures: [taken, agreed, instances],
    modules: embedder.modules,
    state: [alignment, bank, ...embedder.state],
    targets(views, { epoch }) {
      const [known] = weakViews(views);
      return {
        compares: { data: Float32Array.of(epoch > 0 ? 1 : 0), shape: [1] },
        ...(known.length > 0 && {
          places: { data: Uint32Array.from(known, ({ index }) => index), shape: [known.length] },
          known: { data: batchLabels(known, labels, undefined, options).targets, shape: [known.length, levels] },
        }),
      };
    },
    loss(outputs, { labelled, unlabelled }, { compares, places, known: answers }, input) {
      const [strong] = embedder.learnt(outputs, [[unlabelled, 1]]);
      const [weak, known] = embedder.taught(outputs, input, [
        [unlabelled, 0],
        ...(labelled.count > 0 ? [[labelled, 0] as const] : []),
      ]);
      const memory = { alignment, bank, compares: compares! };
      const learnt = unlabelledLoss(known?.logits, weak!, strong!, memory, options);
      if (known) bank.write(known.embedding, answers!, places!, options.bankMomentum);
      return learnt;
    },
  };
}
