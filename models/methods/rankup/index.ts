import { z } from "zod";
import { add } from "../../../engine/ops/arithmetic.ts";
import { scale } from "../../../engine/ops/unary.ts";
import { expectation, HIGHEST, LOWEST, shareOf } from "../../labels/labels.ts";
import { type HeadName, heads } from "../../networks/heads.ts";
import { atLeastZero, count, otherDefault, share } from "../../options.ts";
import type { PlannedPicture } from "../../training/batches.ts";
import { trainingShape } from "../../training/options.ts";
import { viewOf } from "../../training/rows.ts";
import { labelsByPeople } from "../parts/batch-labels.ts";
import { agreed, taken } from "../parts/consistency.ts";
import { lossShape } from "../parts/label-loss.ts";
import { Layers } from "../parts/layers.ts";
import { unlabelledMethod, unlabelledShape } from "../parts/with-unlabelled.ts";
import { inOrder, pairLoss, pairTargets } from "./pairs.ts";
import { distance, RankAlignment } from "./rank-alignment.ts";

const schema = z.strictObject({
  ...unlabelledShape,
  head: otherDefault(trainingShape.head, "score"),
  levels: trainingShape.levels,
  loss: otherDefault(lossShape.loss, "l1"),
  unlabelledWeight: atLeastZero
    .default(1)
    .describe("λ: what the ranking loss of pairs of unlabelled pictures is multiplied with, before `arcWeight`"),
  arcWeight: atLeastZero
    .default(0.2)
    .describe("ARC: what the ranking losses of all pairs in a batch are multiplied with; 0 leaves them out"),
  threshold: share.default(0.95).describe("τ: an order of two pictures counts from this probability"),
  rdaWeight: atLeastZero
    .default(1)
    .describe(
      "RDA: what the squared distance of unlabelled scores from the labels' quantiles at their ranks is multiplied with; it takes the unlabelled pictures to be as good as the labelled ones overall, which is true of random splits and false of pools such as KADIS' pristine photographs: there give 0, which leaves it out",
    ),
  rdaEvery: count
    .default(1024)
    .describe("RDA: steps from one ranking of the scores to the next; each epoch but the first begins with one, too"),
  rdaRamp: share.default(0.4).describe("RDA: share of the steps in which its weight grows from 0 to `rdaWeight`"),
});

export type RankUpOptions = z.infer<typeof schema>;
export type RankUpOptionsInput = z.input<typeof schema>;

/**
 * RankUp (Huang et al. 2024): beside scores the network learns which of two pictures is better, from labels and from its own sure guesses
 * (ARC), and scores of unlabelled pictures are to be spread as labels are (RDA). All views go through the network together, so that batch
 * norm in weak views learns and goes by the batch; the authors keep its statistics fixed there. Optimiser and batches are those of USB for
 * vision transformers; the authors train a WRN-28-2 on faces by SGD with rate 0.01 and batches of 32 and 224.
 */
export const rankUp = unlabelledMethod({
  name: "rankup",
  title: "RankUp",
  description: "train RankUp: scores, and the order of pairs as a second task that unlabelled pictures take part in",
  schema,
  refuses: {
    heads: ["classes", "ensemble"],
    why: "learns scores, and classes have no order within them; give score or distribution",
  },
  wholeBatches: true,
  part(options, context) {
    const { model, data } = context;
    const { head, levels, arcWeight, rdaWeight, seed } = options;
    const { device } = model;
    const arc = new Layers(device, "arc", { seed, lengths: [model.embeddingLength, 2] });
    const rda =
      rdaWeight > 0
        ? new RankAlignment(device, data.unlabelled.length, labelShares(labelsByPeople(context), head, levels), options)
        : undefined;
    return {
      figures: [taken, agreed, inOrder, ...(rda ? [distance] : [])],
      labelledToo: true,
      state: rda ? [rda] : [],
      modules: [arc],
      targets(views, place) {
        const weak = (wanted: PlannedPicture["part"]) =>
          views.flatMap(({ part, strong, index }) => (part === wanted && strong === undefined ? [index] : []));
        const [labelled, unlabelled] = [weak("labelled"), weak("unlabelled")];
        return {
          ...(labelled.length > 0 && pairTargets(labelled.map((index) => data.labelled[index]!.mos))),
          ...(unlabelled.length > 0 && rda?.targets(unlabelled, place)),
        };
      },
      loss({ embedding, logits }, { labelled, unlabelled }, targets) {
        const a = arc.forward(embedding);
        const known =
          labelled.count > 0
            ? { a: viewOf(a, labelled, 0), order: targets.order!, unlike: targets.unlike! }
            : undefined;
        const ranked = pairLoss(known, viewOf(a, unlabelled, 0), viewOf(a, unlabelled, 1), options);
        const loss = scale(ranked.loss, arcWeight);
        if (!rda) return { ...ranked, loss };
        const aligned = rda.loss(heads[head].shares(viewOf(logits, unlabelled, 0)), targets);
        return { loss: add(loss, aligned.loss), figures: { ...ranked.figures, ...aligned.figures } };
      },
      ...(rda && {
        beforeStep: (place) => rda.beforeStep(place),
        arrays: () => rda.arrays(),
        restore: (read) => rda.restore(read),
      }),
    };
  },
});

/** Scores of labels as shares of the scale. */
function labelShares(labels: Float32Array, head: HeadName, levels: number): number[] {
  const length = heads[head].length(levels);
  if (length === 1) return [...labels];
  return Array.from({ length: labels.length / length }, (_, i) =>
    shareOf(Math.min(HIGHEST, Math.max(LOWEST, expectation(labels.subarray(i * length, (i + 1) * length))))),
  );
}
