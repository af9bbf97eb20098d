import { heads } from "../../networks/heads.ts";
import type { PlannedPicture } from "../../training/batches.ts";
import type { PhaseContext } from "../../training/method.ts";
import { type BatchLabels, type LossOptions, labelTask } from "./label-loss.ts";

/** Labels for the unlabelled pictures, by their place in the list. */
export interface PseudoLabels {
  /** [U, length], row-major. */
  readonly targets: Float32Array<ArrayBuffer>;
  /** [U], what each weighs in the loss. */
  readonly weights: Float32Array<ArrayBuffer>;
}

/** Labels [L, length] of the pictures that people rated, row-major: what shares of classes are told by. */
export function labelsByPeople({ labels, data: { labelled } }: Pick<PhaseContext, "labels" | "data">): Float32Array {
  const length = labels.length / labelled.length;
  return labels.filter((_, i) => labelled[Math.floor(i / length)]!.weight === undefined);
}

/**
 * Converted labels and pseudo-labels of a batch, and how far its ranked pairs are to lie apart.
 * @param planned as batches are planned: the pairs first, then the labelled ones
 * @param labels [L, length] of all labelled pictures, row-major
 * @param pseudo of all unlabelled pictures; in a rehearsal there are none yet
 */
export function batchLabels(
  planned: readonly PlannedPicture[],
  labels: Float32Array,
  pseudo: PseudoLabels | undefined,
  { head, levels, rankMargin }: Pick<LossOptions, "head" | "levels" | "rankMargin">,
): BatchLabels {
  const length = heads[head].length(levels);
  const ranked = planned.filter(({ part }) => part === "ranked");
  const rated = planned.slice(ranked.length);
  const targets = new Float32Array(rated.length * length);
  const weights = new Float32Array(rated.length).fill(1);
  rated.forEach(({ index, part, weight = 1 }, i) => {
    const source = part === "labelled" ? labels : pseudo?.targets;
    if (source) targets.set(source.subarray(index * length, (index + 1) * length), i * length);
    if (part === "labelled") weights[i] = weight;
    else if (pseudo) weights[i] = pseudo.weights[index]!;
  });
  const margins = Float32Array.from({ length: ranked.length / 2 }, (_, pair) => {
    const [better, worse] = [ranked[2 * pair]!, ranked[2 * pair + 1]!];
    return rankMargin * (worse.level! - better.level!);
  });
  return { targets, weights, margins, labelled: rated.filter(({ part }) => part === "labelled").length };
}

/** Learns the labels of the labelled pictures. */
export function givenLabels(options: LossOptions, { labels }: Pick<PhaseContext, "labels">) {
  return labelTask(options, (pictures) => batchLabels(pictures, labels, undefined, options));
}

/** Of the rows of a batch the weak views of the labelled pictures, and those of the unlabelled ones. */
export function weakViews(views: readonly PlannedPicture[]): [PlannedPicture[], PlannedPicture[]] {
  const weak = (wanted: PlannedPicture["part"]) =>
    views.filter(({ part, strong }) => part === wanted && strong === undefined);
  return [weak("labelled"), weak("unlabelled")];
}
