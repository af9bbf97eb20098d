import { add, divide, subtract } from "../../../engine/ops/arithmetic.ts";
import { cumulativeSum } from "../../../engine/ops/cumulative-sum.ts";
import { concat } from "../../../engine/ops/join.ts";
import { mean } from "../../../engine/ops/reduce.ts";
import { scale, sqrt, square } from "../../../engine/ops/unary.ts";
import { Tensor } from "../../../engine/tensor.ts";
import type { CplOptions } from "./options.ts";

/** What the network makes of pictures. */
export interface Seen {
  /** [N, d], the feature of the graph: with `graphSpace` `pooled` that of the backbone, else the embedding. */
  readonly features: Tensor;
  /** [N, m], row-major: predicted distributions over the score set. */
  readonly answers: Float32Array<ArrayBuffer>;
}

/**
 * Pictures as points of the graph, by the option `graphSpace`. The squared Euclidean distance of two cumulative distributions
 * F_j = p_1 + … + p_j is Cramér's, Σ_j (F_j − G_j)²: it grows with how far apart the scores lie. `both` puts the embedding beside them,
 * each divided by √Σ_c Var(x_c), after which either has a mean squared distance of 2 over all pairs of pictures.
 * @returns [N, length], the caller's to dispose
 */
export async function graphPoints(
  { features, answers }: Seen,
  { graphSpace, levels }: Pick<CplOptions, "graphSpace" | "levels">,
): Promise<Tensor> {
  if (graphSpace === "embedding") return features.alias();
  const { device } = features;
  if (graphSpace === "pooled") return device.owned("graph", () => device.scope(() => standardised(features)));
  const cumulative = () => cumulativeSum(Tensor.from(device, answers, [answers.length / levels, levels]));
  const owned = (make: () => Tensor) => device.owned("graph", () => device.scope(make));
  if (graphSpace === "cdf") return owned(cumulative);
  const parts: Tensor[] = [];
  for (const make of [() => features.alias(), cumulative]) {
    using block = owned(make);
    const spread = await meanSquare(block);
    parts.push(owned(() => scale(block, spread > 0 ? 1 / Math.sqrt(spread * block.shape[1]!) : 1)));
  }
  const joined = owned(() => concat(parts, 1));
  for (const part of parts) part.dispose();
  return joined;
}

/** Columns of x [N, d] at mean 0 and variance 1; those that do not vary at 0. */
function standardised(x: Tensor): Tensor {
  const centred = subtract(x, mean(x, 0));
  return divide(centred, sqrt(add(mean(square(centred), 0), Tensor.constant(x.device, [1e-12], [1]))));
}

/** (1/d) Σ_c Var(x_c) of x [N, d]. */
async function meanSquare(x: Tensor): Promise<number> {
  using variance = x.device.scope(() => mean(square(subtract(x, mean(x, 0)))));
  return (await variance.read())[0]!;
}
