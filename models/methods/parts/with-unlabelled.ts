import { z } from "zod";
import type { NamedTensor } from "../../../engine/nn/named.ts";
import { add, multiply } from "../../../engine/ops/arithmetic.ts";
import { concat } from "../../../engine/ops/join.ts";
import { scale } from "../../../engine/ops/unary.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import type { HeadName } from "../../networks/heads.ts";
import type { Outputs } from "../../networks/model.ts";
import { isTransformer } from "../../networks/options.ts";
import { atLeastZero, batch, OptionError, otherDefault, share, wholeFromZero } from "../../options.ts";
import type { PlannedPicture } from "../../training/batches.ts";
import type {
  BatchRows,
  Method,
  Phase,
  PhaseContext,
  PhaseRun,
  StepLoss,
  StepPlace,
  Targets,
} from "../../training/method.ts";
import { strongShape, trainingOptions, trainingShape } from "../../training/options.ts";
import { rowsOf, viewOf } from "../../training/rows.ts";
import { modelFile, TrainingError } from "../../training/training.ts";
import type { PartViews } from "../../views/view-kind.ts";
import { givenLabels } from "./batch-labels.ts";
import { type LossOptions, lossShape, rowLoss, withLoss } from "./label-loss.ts";

/**
 * Options of methods that learn from labelled pictures and from views of unlabelled ones at once. Defaults are those of USB for vision
 * transformers (Wang et al. 2022), with five classes.
 */
export const unlabelledShape = {
  ...trainingShape,
  ...strongShape,
  ...lossShape,
  head: otherDefault(trainingShape.head, "classes"),
  levels: otherDefault(trainingShape.levels, 5),
  optimiser: otherDefault(trainingShape.optimiser, "adamw"),
  schedule: otherDefault(trainingShape.schedule, "quarter-cosine"),
  warmupShare: otherDefault(trainingShape.warmupShare, 0.025),
  rate: otherDefault(trainingShape.rate, 1e-3),
  layerDecay: otherDefault(trainingShape.layerDecay, 0.65),
  epochs: wholeFromZero.min(1).default(10).describe("epochs, each as long as `epochLength` says"),
  epochLength: z
    .enum(["unlabelled", "labelled", "all"])
    .default("unlabelled")
    .describe(
      "an epoch: one pass over the unlabelled pictures, over the labelled ones, or as many batches as both need; the others are gone through again and again",
    ),
  labelledBatch: batch.min(1).default(8).describe("labelled pictures in a batch"),
  unlabelledBatch: batch.min(1).default(8).describe("unlabelled pictures in a batch"),
  unlabelledWeight: atLeastZero.default(1).describe("λ: what the loss of the unlabelled pictures is multiplied with"),
  unlabelledRamp: share
    .default(0)
    .describe(
      "share of the steps in which all that unlabelled pictures add to the loss rises from 0 along half a cosine; 0 for not",
    ),
};

/** Heads that a method has no use for, and why: words behind the method's title. */
interface RefusedHead {
  readonly heads: readonly HeadName[];
  readonly why: string;
}

const withoutProbabilities: RefusedHead = {
  heads: ["score", "ensemble"],
  why: "needs probabilities to tell what the network is sure of; give classes or distribution",
};

/**
 * Options of a method that guesses what unlabelled pictures are.
 * @throws OptionError as {@link trainingOptions}, for a head that it has no use for, and for a loss that the head cannot learn by
 */
function unlabelledOptions<Schema extends z.ZodObject<typeof unlabelledShape>>(
  schema: Schema,
  input: z.input<Schema>,
  title: string,
  { heads, why }: RefusedHead,
): z.output<Schema> {
  const refused = heads.find((head) => head === (input as { readonly head?: unknown }).head);
  if (refused) throw new OptionError(`\`head\` ${refused}: ${title} ${why}`);
  const given = withLoss(input as { readonly head?: unknown }) as z.input<Schema>;
  const options = trainingOptions(schema, withTransformerDefaults(given));
  rowLoss(options as LossOptions);
  return options;
}

/** Options with the defaults that vision transformers alone have. */
function withTransformerDefaults<Input extends { readonly backbone?: unknown; readonly stochasticDepth?: unknown }>(
  input: Input,
): Input {
  return isTransformer(input) && input.stochasticDepth === undefined ? { ...input, stochasticDepth: 0.2 } : input;
}

/** Tensors of a method's own. */
export interface Held {
  tensors(): readonly NamedTensor[];
  dispose(): void;
}

/** What a method does with the unlabelled pictures. */
export interface UnlabelledPart
  extends Pick<PhaseRun, "beforeEpoch" | "beforeStep" | "afterUpdate" | "arrays" | "restore" | "readsInput"> {
  /** Names of the figures that `loss` gives. */
  readonly figures: readonly string[];
  /** What its steps change on the device. */
  readonly state?: readonly Held[];
  /** What learns beside the network. */
  readonly modules?: readonly Held[];
  /** Whether `loss` is asked for labelled pictures, too, in a batch with unlabelled ones. */
  readonly labelledToo?: boolean;
  /** What stands in the place of the network's outputs for a micro-batch, in all losses. */
  outputs?(outputs: Outputs, rows: BatchRows, targets: Readonly<Record<string, Tensor>>, input: Tensor): Outputs;
  /** Of a micro-batch in which there are some, by the network's outputs for all its rows, and what those were made of. */
  loss(outputs: Outputs, rows: BatchRows, targets: Readonly<Record<string, Tensor>>, input: Tensor): StepLoss;
  /** What it reads beside the outputs. */
  targets?(views: readonly PlannedPicture[], place: StepPlace): Targets;
}

/**
 * L = L_x + L_u: labelled pictures (and ranked pairs) learn their labels, in the mean over their views; unlabelled ones what `part` says.
 */
export function withUnlabelled(
  options: LossOptions & { readonly unlabelledRamp?: number },
  context: Pick<PhaseContext, "labels">,
  part: UnlabelledPart,
): PhaseRun {
  const given = givenLabels(options, context);
  const { figures, state = [], modules = [], outputs: changed, ...rest } = part;
  const { loss: unlabelledLoss, targets: unlabelledTargets, ...hooks } = rest;
  const { unlabelledRamp = 0 } = options;
  const isGiven = ({ part, strong }: PlannedPicture) =>
    (part === "labelled" || part === "ranked") && strong === undefined;
  return {
    ...hooks,
    figures,
    targets: (views, place) => ({
      ...given.targets(views.filter(isGiven)),
      ...unlabelledTargets?.(views, place),
      ...(unlabelledRamp > 0 && { [rampTarget]: { data: Float32Array.of(rampAt(unlabelledRamp, place)), shape: [1] } }),
    }),
    loss(found, targets, rows, input) {
      const outputs = changed?.(found, rows, targets, input) ?? found;
      const { labelled, ranked, unlabelled, further } = rows;
      const known = { ...rows, unlabelled: { ...unlabelled, first: 0, count: 0, size: 0 } };
      const own =
        labelled.count + ranked.count > 0
          ? shownLogits(outputs.logits, rows).map((logits) => given.loss({ logits }, targets, known).loss)
          : [];
      const asked = unlabelled.count + further.count + (part.labelledToo ? labelled.count : 0);
      const isThere = unlabelled.size + further.size > 0 && asked > 0;
      const other = isThere ? unlabelledLoss(outputs, rows, targets, input) : undefined;
      const ramp = targets[rampTarget];
      const terms = [
        ...own.map((loss) => (own.length > 1 ? scale(loss, 1 / own.length) : loss)),
        other && ramp ? multiply(other.loss, ramp) : other?.loss,
      ];
      return { ...other, loss: terms.filter((term) => term !== undefined).reduce((sum, term) => add(sum, term)) };
    },
    modules: () => modules.flatMap((one) => one.tensors()),
    tensors: () => state.flatMap((one) => one.tensors()),
    dispose() {
      for (const one of [...modules, ...state]) one.dispose();
    },
  };
}

/** Target: what the loss of the unlabelled pictures is multiplied with in a step. */
const rampTarget = "unlabelled ramp";

/**
 * ½ − ½ cos(π t / (share · T)) at step t of T, and 1 from share · T on; of half the steps that of AdaMatch (Berthelot et al. 2022).
 * 0 < share ≤ 1.
 */
function rampAt(share: number, { step, steps }: StepPlace): number {
  return step >= share * steps ? 1 : 0.5 - 0.5 * Math.cos((Math.PI * step) / (share * steps));
}

/** For each view of the labelled pictures the logits of ranked copies and of that view, as if there were no other. */
function shownLogits(logits: Tensor, { ranked, labelled }: BatchRows): Tensor[] {
  if (labelled.count === 0 || labelled.views === 1) return [logits];
  const before = ranked.count > 0 ? [rowsOf(logits, 0, 2 * ranked.count)] : [];
  return Array.from({ length: labelled.views }, (_, view) => {
    const shown = viewOf(logits, labelled, view);
    return before.length > 0 ? concat([...before, shown]) : shown;
  });
}

/** What a method that learns from both kinds of pictures at once has of its own. */
export interface UnlabelledMethod<Schema extends z.ZodObject<typeof unlabelledShape>>
  extends Pick<Method, "name" | "title" | "description">,
    Pick<Phase, "wholeBatches"> {
  readonly schema: Schema;
  /** @default heads that give no probabilities */
  readonly refuses?: RefusedHead;
  /** @throws OptionError when its options do not go together */
  check?(options: z.output<Schema>): void;
  /** Name of the option that says how many further unlabelled pictures a batch has. @default there are none */
  readonly furtherBatch?: string & keyof z.output<Schema>;
  /** @default labelled pictures weak, unlabelled ones weak and strong */
  views?(options: z.output<Schema>): PartViews;
  part(options: z.output<Schema>, context: PhaseContext): UnlabelledPart;
}

/** A method of one phase that learns from both kinds of pictures at once. */
export function unlabelledMethod<Schema extends z.ZodObject<typeof unlabelledShape>>(
  own: UnlabelledMethod<Schema>,
): Method<z.output<Schema> & UnlabelledOptions, z.input<Schema>> {
  const { name, title, description, schema, furtherBatch, refuses = withoutProbabilities, wholeBatches = false } = own;
  const batchOptions = ["labelledBatch", "unlabelledBatch", ...(furtherBatch ? [furtherBatch] : [])];
  const size = (options: z.output<Schema>, option: string) => options[option as keyof typeof options] as number;
  return {
    name,
    title,
    description,
    schema,
    options(input) {
      const options = unlabelledOptions(schema, input, title, refuses);
      own.check?.(options);
      return options as z.output<Schema> & UnlabelledOptions;
    },
    phases: (options) => [
      {
        name: title,
        epochs: options.epochs,
        epochsOption: "epochs",
        batch: {
          labelled: options.labelledBatch,
          unlabelled: options.unlabelledBatch,
          ...(furtherBatch && { further: size(options, furtherBatch) }),
        },
        batchOptions,
        length: options.epochLength,
        views: own.views?.(options) ?? { labelled: ["weak"], unlabelled: ["weak", "strong"] },
        wholeBatches,
        file: modelFile,
        begin: (context) => withUnlabelled(options, context, own.part(options, context)),
      },
    ],
    expectData({ unlabelled }, options) {
      for (const option of batchOptions.slice(1)) expectPictures(unlabelled.length, option, size(options, option));
    },
  };
}

/** @throws TrainingError with fewer unlabelled pictures than a batch has by an option */
export function expectPictures(found: number, option: string, wanted: number): void {
  if (found >= wanted) return;
  throw new TrainingError(
    `${found} unlabelled pictures are fewer than one batch, \`${option}\` ${wanted}; give more pictures or a smaller batch`,
  );
}

export type UnlabelledOptions = z.infer<z.ZodObject<typeof unlabelledShape>>;
