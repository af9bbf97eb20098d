import { z } from "zod";
import { withoutGradients } from "../../../engine/autograd.ts";
import { add, multiply, subtract } from "../../../engine/ops/arithmetic.ts";
import { slice } from "../../../engine/ops/join.ts";
import { weightedMean } from "../../../engine/ops/losses.ts";
import { mean } from "../../../engine/ops/reduce.ts";
import { abs } from "../../../engine/ops/unary.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import { OptionError, otherDefault, share } from "../../options.ts";
import type { PhaseContext } from "../../training/method.ts";
import { trainingShape } from "../../training/options.ts";
import { viewOf } from "../../training/rows.ts";
import { lossShape, rowLoss } from "../parts/label-loss.ts";
import { Layers } from "../parts/layers.ts";
import { Teacher, teacherShape } from "../parts/teacher.ts";
import { type Held, type UnlabelledPart, unlabelledMethod, unlabelledShape } from "../parts/with-unlabelled.ts";
import { rampAt, relationConsistency, scoreConsistency } from "./consistency.ts";

const schema = z.strictObject({
  ...unlabelledShape,
  head: otherDefault(trainingShape.head, "score"),
  levels: trainingShape.levels,
  loss: otherDefault(lossShape.loss, "l1"),
  teacher: otherDefault(teacherShape.teacher, 0.999).describe(
    "share of its weights that the second branch, a moving average of the network, keeps at a step; 0 for a second branch that learns: two layers of its own on the pooled feature, or with the `network` branches a backbone and a layer of its own",
  ),
  consistencyRamp: share
    .default(0.3)
    .describe("share of the steps in which the weight of consistency rises to 1, as exp(−5 (1 − t / T)²)"),
});

const branchesOptions = { head: "ensemble", levels: 2, embedding: 0 } as const;

export type SsliqaLikeOptions = z.infer<typeof schema>;
export type SsliqaLikeOptionsInput = z.input<typeof schema>;

/** Figure: how far apart the scores of the two branches are. */
export const apart = "distance of the branches, share of the scale";

/** The branch beside the network: its scores, and the features by which it relates pictures, of rows of a micro-batch. */
interface Branch {
  readonly modules: readonly Held[];
  readonly state: readonly Held[];
  /** Of the unlabelled weak views, without gradients. */
  taught(feature: Tensor, input: Tensor, weak: (rows: Tensor) => Tensor): { scores: Tensor; feature: Tensor };
  /** Scores of rows of features, where the branch learns. */
  readonly learnt?: (feature: Tensor) => Tensor;
  readonly afterUpdate?: () => void;
  readonly beforeEpoch?: () => Promise<boolean>;
}

function branchOf({ teacher, seed }: SsliqaLikeOptions, { model, inputs }: PhaseContext): Branch {
  if (teacher > 0) {
    const average = new Teacher({ model, modules: [] }, [], teacher);
    return {
      modules: [],
      state: [average],
      taught(_, input, weak) {
        const { logits, feature } = average.answers(inputs, weak(input));
        return { scores: logits, feature };
      },
      afterUpdate: () => average.update(),
      async beforeEpoch() {
        average.takeStatistics();
        return false;
      },
    };
  }
  const { featureLength } = model;
  const second = new Layers(model.device, "second", { seed, lengths: [featureLength, 256, 1] });
  return {
    modules: [second],
    state: [],
    taught: (feature, _, weak) =>
      withoutGradients(() => ({ scores: second.forward(weak(feature)), feature: weak(feature) })),
    learnt: (feature) => second.forward(feature),
  };
}

/**
 * Two backbones, each with its score: the mean of their L1 is the loss of labels, so that consistency counts half, too. The first branch sees strong views, the
 * second weak ones, and is not led by the first.
 */
function twoBackbones(
  { unlabelledWeight, consistencyRamp }: SsliqaLikeOptions,
  { model }: PhaseContext,
): UnlabelledPart {
  const [first, second] = model.featureParts as [number, number];
  return {
    figures: [apart],
    targets: (_, place) => ({
      consistency: { data: Float32Array.of((unlabelledWeight * rampAt(consistencyRamp, place)) / 2), shape: [1] },
    }),
    loss({ feature, logits }, { unlabelled }, targets) {
      const column = (rows: Tensor, from: number, until: number) => slice(rows, [0, from], [rows.shape[0]!, until]);
      const known = withoutGradients(() => ({
        scores: column(viewOf(logits, unlabelled, 0), 1, 2),
        feature: column(viewOf(feature, unlabelled, 0), first, first + second),
      }));
      const scores = column(viewOf(logits, unlabelled, 1), 0, 1);
      const own = column(viewOf(feature, unlabelled, 1), 0, first);
      const inconsistent = add(scoreConsistency(scores, known.scores), relationConsistency(own, known.feature));
      const distance = withoutGradients(() => mean(abs(subtract(scores, known.scores))));
      return { loss: multiply(inconsistent, targets.consistency!), figures: { [apart]: distance } };
    },
  };
}

/**
 * What the abstract of SSLIQA (Yue et al. 2023) says, reconstructed: two branches learn labels by L1, and on unlabelled pictures one is to
 * be consistent with the other in scores and in how pictures of a batch relate:
 * L = L1(student) + L1(teacher) + r(t) λ (MSE + ‖N(F_s F_sᵀ) − N(F_t F_tᵀ)‖² / B). The student sees strong views, the teacher weak ones. A
 * teacher that is the student's moving average has no gradient, and no L1 of its own. Weights, views and schedules are not published.
 */
const method = unlabelledMethod({
  name: "ssliqa-like",
  title: "SSLIQA-like",
  description: "train a reconstruction of SSLIQA: two branches, consistent in scores and in relations of pictures",
  schema,
  refuses: { heads: ["distribution", "classes"], why: "learns scores by two branches; leave `head` out" },
  check({ network, head, teacher }) {
    if (head === "ensemble" && network !== "branches")
      throw new OptionError(`\`head\` ${head}: SSLIQA-like learns scores by two branches; leave \`head\` out`);
    if (network === "branches" && teacher > 0)
      throw new OptionError(
        `\`teacher\` ${teacher}: the \`network\` branches has a second branch, which learns; give \`teacher\` 0`,
      );
  },
  wholeBatches: true,
  part(options, context) {
    if (options.network === "branches") return twoBackbones(options, context);
    const branch = branchOf(options, context);
    const { learnt, modules, state, afterUpdate, beforeEpoch } = branch;
    const { unlabelledWeight, consistencyRamp } = options;
    const { data, labels } = context;
    return {
      figures: [apart],
      state,
      modules,
      ...(learnt && { labelledToo: true }),
      ...(afterUpdate && { afterUpdate }),
      ...(beforeEpoch && { beforeEpoch }),
      readsInput: options.teacher > 0,
      targets(views, place) {
        const shown = views.flatMap(({ part, index }) => (part === "labelled" ? [index] : []));
        const column = (of: (index: number) => number) => ({
          data: Float32Array.from(shown, of),
          shape: [shown.length, 1],
        });
        return {
          consistency: { data: Float32Array.of(unlabelledWeight * rampAt(consistencyRamp, place)), shape: [1] },
          ...(learnt && shown.length > 0 && { taughtScores: column((i) => labels[i]!) }),
          ...(learnt &&
            shown.length > 0 && {
              taughtWeights: { ...column((i) => data.labelled[i]!.weight ?? 1), shape: [shown.length] },
            }),
        };
      },
      loss({ feature, logits }, { labelled, unlabelled }, targets, input) {
        const terms: Tensor[] = [];
        if (learnt && labelled.count > 0) {
          const losses = rowLoss(options)(learnt(viewOf(feature, labelled, 0)), targets.taughtScores!);
          terms.push(weightedMean(losses, targets.taughtWeights!, labelled.size));
        }
        const figures: Record<string, Tensor> = {};
        if (unlabelled.count > 0) {
          const known = branch.taught(feature, input, (rows) => viewOf(rows, unlabelled, 0));
          const scores = viewOf(logits, unlabelled, 1);
          const own = viewOf(feature, unlabelled, 1);
          const inconsistent = add(scoreConsistency(scores, known.scores), relationConsistency(own, known.feature));
          terms.push(multiply(inconsistent, targets.consistency!));
          figures[apart] = withoutGradients(() => mean(abs(subtract(scores, known.scores))));
        }
        return { loss: terms.reduce((sum, term) => add(sum, term)), figures };
      },
    };
  },
});

/** The options of the network `branches` follow from it. */
export const ssliqaLike: typeof method = {
  ...method,
  options: (input) =>
    input.network === "branches"
      ? method.options({ ...branchesOptions, ...input, ...(input.teacher === undefined && { teacher: 0 }) })
      : method.options(input),
};
