import { z } from "zod";
import { withoutGradients } from "../../../engine/autograd.ts";
import { concat } from "../../../engine/ops/join.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import { atLeastZero, otherDefault, positive, share, wholeFromZero } from "../../options.ts";
import type { PhaseContext } from "../../training/method.ts";
import { Alignment, alignmentShape, expectPrior } from "../parts/alignment.ts";
import { Bank, ringPlaces } from "../parts/bank.ts";
import { batchLabels, labelsByPeople, weakViews } from "../parts/batch-labels.ts";
import { agreed, taken } from "../parts/consistency.ts";
import { Embedder, projectionShape } from "../parts/embedder.ts";
import { teacherShape } from "../parts/teacher.ts";
import { type UnlabelledPart, unlabelledMethod, unlabelledShape } from "../parts/with-unlabelled.ts";
import { contrast, neighbours, unlabelledLoss } from "./loss.ts";

const schema = z.strictObject({
  ...unlabelledShape,
  ...alignmentShape,
  ...projectionShape,
  ...teacherShape,
  ema: otherDefault(unlabelledShape.ema, 0.999),
  alignWindow: otherDefault(alignmentShape.alignWindow, 32),
  threshold: share.default(0.95).describe("τ: least probability of a pseudo-label that counts"),
  leak: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe("what negative numbers are multiplied with between the layers of the projection; 0 for a ReLU"),
  similarityTemperature: positive.default(0.2).describe("T: what cosines of embeddings are divided by"),
  bankBatches: wholeFromZero
    .min(1)
    .default(32)
    .describe("batches in the bank of earlier pictures that guesses are smoothed by once it is full"),
  ownShare: share
    .default(0.9)
    .describe("α: what a guess keeps of itself beside those of similar pictures in the bank; 1 for all"),
  graphThreshold: share
    .default(0.8)
    .describe("θ: least likeness of two guesses that makes pictures neighbours, whose embeddings are drawn together"),
  graphWeight: atLeastZero
    .default(1)
    .describe("λ_c: what the loss of the embeddings is multiplied with; 0 leaves it out"),
  graphBatches: wholeFromZero
    .default(0)
    .describe("with a teacher: earlier batches whose pictures may be neighbours too; 0 for those of the batch alone"),
});

export type CoMatchOptions = z.infer<typeof schema>;
export type CoMatchOptionsInput = z.input<typeof schema>;

/**
 * CoMatch (Li, Xiong & Hoi 2021): guesses are smoothed by those for pictures with a similar embedding, and embeddings are drawn together
 * where guesses are alike. Defaults are those of USB; the authors have `leak` 0.1 for small pictures, and for ImageNet a `teacher` of
 * 0.996 with `graphBatches`, `projection` 128, `alignWindow` 128, `similarityTemperature` 0.1, `threshold` 0.6 and `graphThreshold` 0.3.
 */
export const coMatch = unlabelledMethod({
  name: "comatch",
  title: "CoMatch",
  description:
    "train CoMatch: guesses smoothed by similar pictures, and embeddings that a graph of the guesses draws together",
  schema,
  check: expectPrior,
  wholeBatches: true,
  views: () => ({ labelled: ["weak"], unlabelled: ["weak", "strong", "strong"] }),
  part: coMatchPart,
});

function coMatchPart(options: CoMatchOptions, context: PhaseContext): UnlabelledPart {
  const { model, labels } = context;
  const { levels, projection: length, bankBatches, graphBatches, labelledBatch, unlabelledBatch } = options;
  const batch = labelledBatch + unlabelledBatch;
  const embedder = new Embedder(context, options);
  const hasGraphBank = options.teacher > 0 && graphBatches > 0;
  const banked = (name: string, rows: number, option: string) =>
    new Bank(model.device, name, { rows, length, levels }, `give fewer \`${option}\` or a shorter \`projection\``);
  const bank = banked("bank", bankBatches * batch, "bankBatches");
  const graphBank = hasGraphBank ? banked("graph", graphBatches * unlabelledBatch, "graphBatches") : undefined;
  // The mean over the batches so far: nothing is added to it.
  const alignment = new Alignment(model.device, options, labelsByPeople(context), { window: "empty", epsilon: 1e-12 });
  return {
    ...embedder.hooks,
    figures: [taken, agreed, contrast, neighbours],
    modules: embedder.modules,
    state: [alignment, bank, ...(graphBank ? [graphBank] : []), ...embedder.state],
    targets(views, { step }) {
      const [known, others] = weakViews(views);
      const places = (batches: number, size: number, count: number) => ({
        data: ringPlaces(step, batches, size, count),
        shape: [count],
      });
      return {
        smooths: { data: Float32Array.of(step >= bankBatches ? 1 : 0), shape: [1] },
        places: places(bankBatches, batch, others.length + known.length),
        ...(graphBank && { graphPlaces: places(graphBatches, unlabelledBatch, others.length) }),
        ...(known.length > 0 && {
          known: { data: batchLabels(known, labels, undefined, options).targets, shape: [known.length, levels] },
        }),
      };
    },
    loss(outputs, { labelled, unlabelled }, { smooths, places, graphPlaces, known: answers }, input) {
      const [first, second] = embedder.learnt(outputs, [
        [unlabelled, 1],
        [unlabelled, 2],
      ]);
      const [weak, other, known] = embedder.taught(outputs, input, [
        [unlabelled, 0],
        [unlabelled, 2],
        ...(labelled.count > 0 ? [[labelled, 0] as const] : []),
      ]);
      const embeddings = {
        weak: weak!.embedding,
        first: first!.embedding,
        // The teacher's have no gradient.
        second: (options.teacher > 0 ? other : second)!.embedding,
      };
      const memory = { alignment, bank, graphBank, smooths: smooths! };
      const seen = { weak: weak!.logits, strong: first!.logits, embeddings };
      const { guessed, ...learnt } = unlabelledLoss(known?.logits, seen, memory, options);
      bank.write(
        joined([embeddings.weak, ...(known ? [known.embedding] : [])]),
        joined([guessed.own, ...(known ? [answers!] : [])]),
        places!,
      );
      graphBank?.write(embeddings.second, guessed.target, graphPlaces!);
      return learnt;
    },
  };
}

const joined = (rows: readonly Tensor[]) => withoutGradients(() => concat(rows));
