import type { LoadedBatch } from "../../training/batches.ts";
import type { BatchLabels } from "./loss.ts";
import type { CplOptions } from "./options.ts";
import type { PseudoLabels } from "./pseudo-labels.ts";

/**
 * Converted labels and pseudo-labels of a batch, and how far its ranked pairs are to lie apart.
 * @param pictures as batches are planned: the pairs first, then the labelled ones
 * @param labels [L, m] of all labelled pictures, row-major
 * @param pseudo of all unlabelled pictures, where the batch has some
 */
export function batchLabels(
  pictures: LoadedBatch["pictures"],
  labels: Float32Array,
  pseudo: PseudoLabels | undefined,
  { levels, rankMargin }: Pick<CplOptions, "levels" | "rankMargin">,
): BatchLabels {
  const planned = pictures.map((picture) => picture.planned);
  const ranked = planned.filter(({ part }) => part === "ranked");
  const rated = planned.slice(ranked.length);
  const targets = new Float32Array(rated.length * levels);
  const weights = new Float32Array(rated.length).fill(1);
  rated.forEach(({ index, part }, i) => {
    const source = part === "labelled" ? labels : pseudo!.targets;
    targets.set(source.subarray(index * levels, (index + 1) * levels), i * levels);
    if (part === "unlabelled") weights[i] = pseudo!.weights[index]!;
  });
  const margins = Float32Array.from({ length: ranked.length / 2 }, (_, pair) => {
    const [better, worse] = [ranked[2 * pair]!, ranked[2 * pair + 1]!];
    return rankMargin * (worse.level! - better.level!);
  });
  return { targets, weights, margins, labelled: rated.filter(({ part }) => part === "labelled").length };
}
