import type { Tensor } from "../../../engine/tensor.ts";
import { type Fitness, fitnessOf, kernelRidge } from "../parts/kernel-regression.ts";
import type { CplOptions } from "./options.ts";
import { converted, expectations } from "./vectors.ts";

/** Pseudo-labels of the unlabelled pictures by regression. */
export interface Regressed {
  /** [U, m], row-major */
  readonly vectors: Float32Array<ArrayBuffer>;
  /** [U], 0 to 1: the share of a score's prior variance that the labels take away. */
  readonly explained: Float32Array<ArrayBuffer>;
  readonly fitness: Fitness;
}

/**
 * Not of the paper: scores by kernel ridge regression (rbf, width and penalty by leave-one-out) from the labelled pictures to the others, over the
 * points of the graph, each converted as a label is.
 * @param points [n + U, d], the labelled pictures first @param labels [n, m], row-major: the converted labels
 */
export async function regress(
  points: Tensor,
  labels: Float32Array<ArrayBuffer>,
  options: CplOptions,
): Promise<Regressed> {
  const y = [...expectations(labels, options.levels)];
  const found = kernelRidge(await points.read(), points.shape[1]!, y, { kernel: "rbf", width: 0, ridge: 0 });
  return {
    vectors: converted(found.predictions, options),
    explained: Float32Array.from(found.explained),
    fitness: fitnessOf(found, y),
  };
}
