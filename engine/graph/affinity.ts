import { any, type Checks, expectArgument, expectOptions, object, oneOf } from "../arguments.ts";
import { rowRanges } from "../kernel/grid.ts";
import { expectOperands, indices as indexType, single } from "../ops/operands.ts";
import { mean } from "../ops/reduce.ts";
import { ShapeError, Tensor } from "../tensor.ts";
import { overAll } from "./flat.ts";
import type { Metric, Neighbours } from "./neighbours.ts";

/** How near two neighbours count: a Gaussian of their distance, or a power of their cosine similarity. */
export type AffinityKind = "rbf" | "cos";

export interface AffinityOptions {
  /** Default `rbf`. */
  readonly kind?: AffinityKind;
  /** Exponent of `cos`, above 0. Default 3. */
  readonly power?: number;
}

/** The metric whose values an affinity is made of. */
export const metricOf: Readonly<Record<AffinityKind, Metric>> = { rbf: "euclidean", cos: "cosine" };

const checks: Checks<AffinityOptions> = { kind: oneOf("rbf", "cos"), power: any };
const types = { indices: indexType, values: single };

/**
 * Edge weights of a neighbour graph, f32 [N, k] in [0, 1] (CPL-IQA Eq. 3):
 *
 * - `rbf`: exp(−d² / (2 s²)), where s² is the mean of all N·k squared distances; 1 everywhere when all of them are 0;
 * - `cos`: max(0, cos)^power; power 3 is the choice of Iscen et al., "Label Propagation for Deep Semi-supervised
 *   Learning", CVPR 2019.
 * @throws ShapeError when the neighbours were found by the other metric or the power is not above 0
 */
export function affinity(neighbours: Neighbours, options: AffinityOptions = {}): Tensor {
  expectOptions("affinity", options, checks);
  expectArgument("affinity", "neighbours", neighbours, object);
  const { kind = "rbf", power = 3 } = options;
  const { indices, values } = neighbours;
  expectOperands("affinity", { indices, values }, types);
  if (neighbours.metric !== metricOf[kind]) {
    throw new ShapeError(
      `affinity "${kind}" needs neighbours by metric "${metricOf[kind]}", found "${neighbours.metric}"`,
    );
  }
  if (!(Number.isFinite(power) && power > 0)) throw new ShapeError(`affinity: power = ${power}; it must be above 0`);
  const { device } = values;
  return device.scope(() => {
    const weights = Tensor.empty(device, values.shape);
    const variance = kind === "rbf" ? mean(values) : undefined;
    for (const { start, count } of rowRanges(device, Math.ceil(values.size / 4), [4])) {
      overAll(
        device,
        count,
        "affinity",
        { KIND: kind },
        {
          x: values.window(start * 4, count * 4),
          y: weights.window(start * 4, count * 4),
          ...(variance && { variance: variance.window() }),
        },
        { count4: count, power },
        // exp of a quotient, or a power of a maximum
        { flops: 2 * Math.min(4 * count, values.size - 4 * start) },
      );
    }
    return weights;
  });
}
