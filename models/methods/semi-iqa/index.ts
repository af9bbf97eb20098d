import { z } from "zod";
import { withoutGradients } from "../../../engine/autograd.ts";
import { add } from "../../../engine/ops/arithmetic.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { scale } from "../../../engine/ops/unary.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import { normalCdf } from "../../labels/opinion-labels.ts";
import { atLeastZero, OptionError, otherDefault } from "../../options.ts";
import type { PlannedPicture } from "../../training/batches.ts";
import type { Method, PhaseContext, PhaseRun, Targets } from "../../training/method.ts";
import { trainingOptions, trainingShape } from "../../training/options.ts";
import { rowsOf } from "../../training/rows.ts";
import { modelFile, type RatedRow, ratedByPeople, type TrainingData, TrainingError } from "../../training/training.ts";
import { expectPictures, unlabelledShape } from "../parts/with-unlabelled.ts";
import { allPairs, diversity, preferenceLoss } from "./pairs.ts";
import { putOnScale } from "./scale.ts";

const { epochs, epochLength, labelledBatch, unlabelledBatch } = unlabelledShape;

const schema = z.strictObject({
  ...trainingShape,
  head: otherDefault(trainingShape.head, "ensemble"),
  levels: otherDefault(trainingShape.levels, 8).describe("M, the number of linear heads"),
  embedding: otherDefault(trainingShape.embedding, 0),
  freshRate: otherDefault(trainingShape.freshRate, 1e-4),
  epochs: otherDefault(epochs, 12),
  epochLength,
  labelledBatch: otherDefault(labelledBatch, 16).describe("labelled pictures in a batch, of which each two are a pair"),
  unlabelledBatch: otherDefault(unlabelledBatch, 16).describe(
    "unlabelled pictures in a batch, of which each two are a pair",
  ),
  pairTarget: z
    .enum(["order", "opinions"])
    .default("order")
    .describe(
      "what is known of two labelled pictures: which has the higher score (½ for equal ones), or how likely an opinion on the first is higher, by the deviations of the opinions on both",
    ),
  diversityWeight: atLeastZero
    .default(0.08)
    .describe("what the disagreement of the heads on unlabelled pairs is rewarded with; 0 takes none"),
});

export type SemiIqaOptions = z.infer<typeof schema>;
export type SemiIqaOptionsInput = z.input<typeof schema>;

/** Figure: how far the heads disagree on pairs of unlabelled pictures, from 0 to 1. */
export const disagreement = "disagreement of the heads on unlabelled pairs";

/**
 * Semi-IQA (Wang, Li & Ma 2021): an ensemble of heads on one trunk learns the order of labelled pairs, and is to disagree on unlabelled
 * ones: L = Σ_pairs w [ l(p̄, g) + mean_k l(p_k, g) ] − weight · disagreement. All pairs within a batch are taken; the published ones are
 * lists of 20,000. Its weights are not published; M and 0.08 are guesses.
 */
export const semiIqa: Method<SemiIqaOptions, SemiIqaOptionsInput> = {
  name: "semi-iqa",
  title: "Semi-IQA",
  description: "train Semi-IQA: several heads learn the order of labelled pairs, and to disagree on unlabelled ones",
  schema,
  options(input) {
    const { head = "ensemble" } = input;
    if (head !== "ensemble")
      throw new OptionError(`\`head\` ${head}: Semi-IQA trains an ensemble of heads; leave \`head\` out`);
    return trainingOptions(schema, input);
  },
  phases(options) {
    const { labelledBatch: labelled, unlabelledBatch, diversityWeight } = options;
    const takesUnlabelled = diversityWeight > 0;
    return [
      {
        name: "Semi-IQA",
        epochs: options.epochs,
        epochsOption: "epochs",
        batch: { labelled, unlabelled: takesUnlabelled ? unlabelledBatch : 0 },
        batchOptions: ["labelledBatch", "unlabelledBatch"],
        length: takesUnlabelled ? options.epochLength : "labelled",
        wholeBatches: true,
        file: modelFile,
        begin: (context) => learnsPairs(options, context),
      },
    ];
  },
  expectData(data, options) {
    expectOrder(data, options);
    if (options.diversityWeight > 0) expectPictures(data.unlabelled.length, "unlabelledBatch", options.unlabelledBatch);
  },
};

/** @throws TrainingError when labelled pictures say nothing of pairs */
function expectOrder({ labelled }: Pick<TrainingData, "labelled">, { pairTarget }: SemiIqaOptions): void {
  const [first] = labelled;
  if (first && labelled.every(({ mos }) => mos === first.mos))
    throw new TrainingError(`all labelled pictures have the score ${first.mos}: no pair of them has an order`);
  if (pairTarget === "order") return;
  const without = ratedByPeople(labelled).filter(({ sd }) => sd === undefined);
  if (without.length > 0)
    throw new TrainingError(
      `\`pairTarget\` opinions: ${without.length} of the labelled pictures, such as ${without[0]!.name}, come without the standard deviation of its opinions`,
      "name the column of the table that has it, leave these pictures out, or give order",
    );
}

/** How likely the first picture is the better one. */
function preferred(first: RatedRow, second: RatedRow, { pairTarget }: SemiIqaOptions): number {
  const difference = first.mos - second.mos;
  const spread = Math.hypot(first.sd ?? 0, second.sd ?? 0);
  if (pairTarget === "order" || spread === 0) return (1 + Math.sign(difference)) / 2;
  return normalCdf(difference / spread);
}

/** g and w of the ranked pairs and of all pairs of labelled pictures of a batch, [P, 1] each. */
function pairTargets(views: readonly PlannedPicture[], options: SemiIqaOptions, { labelled }: TrainingData): Targets {
  const ranked = views.filter(({ part }) => part === "ranked").length / 2;
  const shown = views.filter(({ part }) => part === "labelled").map(({ index }) => labelled[index]!);
  const pairs = allPairs(shown.length);
  const known = pairs.map(([i, j]) => preferred(shown[i]!, shown[j]!, options));
  const weights = pairs.map(([i, j]) => ((shown[i]!.weight ?? 1) * (shown[j]!.weight ?? 1)) / pairs.length);
  const column = (values: number[]) => ({ data: Float32Array.from(values), shape: [values.length, 1] });
  if (ranked + pairs.length === 0) return {};
  const before = (value: number) => Array<number>(ranked).fill(value);
  return {
    known: column([...before(1), ...known]),
    weights: column([...before(options.rankWeight / ranked), ...weights]),
  };
}

function learnsPairs(options: SemiIqaOptions, context: PhaseContext): PhaseRun {
  const { diversityWeight } = options;
  return {
    figures: diversityWeight > 0 ? [disagreement] : [],
    targets: (views) => pairTargets(views, options, context.data),
    loss({ logits }, { known, weights }, { ranked, labelled, unlabelled }) {
      const rankedRows = Array.from({ length: ranked.count }, (_, i) => [2 * i, 2 * i + 1] as const);
      const ofLabelled = allPairs(labelled.count).map(([i, j]) => [labelled.row + i, labelled.row + j] as const);
      const terms = known ? [preferenceLoss(logits, [...rankedRows, ...ofLabelled], known, weights!)] : [];
      if (diversityWeight === 0 || unlabelled.count < 2) return { loss: total(terms, logits) };
      const found = diversity(rowsOf(logits, unlabelled.row, unlabelled.count), allPairs(unlabelled.count));
      return {
        loss: total([...terms, scale(found, -diversityWeight)], logits),
        figures: { [disagreement]: withoutGradients(() => scale(found, 1)) },
      };
    },
    end: () => putOnScale(context),
  };
}

/** Sum of the terms; of none 0, from which nothing is learnt. */
function total(terms: readonly Tensor[], logits: Tensor): Tensor {
  return terms.length > 0 ? terms.reduce((all, term) => add(all, term)) : scale(sum(logits), 0);
}
