import { affinity, metricOf } from "../../../engine/graph/affinity.ts";
import { propagate } from "../../../engine/graph/propagate.ts";
import { neighboursByRanks } from "../../../engine/graph/rank-neighbours.ts";
import { symmetricGraph } from "../../../engine/graph/sparse.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { confidences } from "../../labels/labels.ts";
import type { PseudoLabels } from "../parts/batch-labels.ts";
import type { Fitness } from "../parts/kernel-regression.ts";
import { graphPoints, type Seen } from "./graph-space.ts";
import type { CplOptions } from "./options.ts";
import { regress } from "./regress.ts";
import { converted, expectations } from "./vectors.ts";

/** What one refresh of the pseudo-labels did. */
export interface Refresh {
  readonly iterations: number;
  readonly residual: number;
  readonly converged: boolean;
  /** Pictures that no labelled one reaches in the graph. */
  readonly unreachable: number;
  readonly meanConfidence: number;
}

/** Of the unlabelled pictures. */
export interface Step {
  readonly pseudo: PseudoLabels;
  readonly refresh: Refresh;
  /** Where pseudo-labels come of a regression. */
  readonly fitness?: Fitness;
  /** What the graph gives, and what the network answers, [U, m] each, whichever is learnt. */
  readonly sources: Readonly<Record<"propagated" | "own", Float32Array>>;
}

/**
 * The label step of stage 2 (Eq. 3-8): exact k-NN graph over the pictures, affinity, propagation of the labels; pseudo-labels of what that
 * gives or what the network answers.
 * @param seen of n + U pictures, the labelled ones first
 * @param labels [n, m], row-major: the converted labels
 */
export async function refreshPseudoLabels(
  seen: Seen,
  labels: Float32Array<ArrayBuffer>,
  options: CplOptions,
): Promise<Step> {
  const { device } = seen.features;
  const { levels, gamma, solverIterations, affinity: kind, affinityPower: power } = options;
  const labelled = labels.length / levels;
  using points = await graphPoints(seen, options);
  const k = Math.min(options.neighbours, points.shape[0]! - 1);
  const neighbours = await neighboursByRanks(points, { k, metric: metricOf[kind] });
  const start = () => {
    const graph = symmetricGraph(neighbours.indices, affinity(neighbours, { kind, power }));
    for (const tensor of [neighbours.indices, neighbours.values]) tensor.dispose();
    return { graph, targets: Tensor.from(device, labels, [labelled, levels]) };
  };
  const { graph, targets } = device.owned("graph", () => device.scope(start));
  const rows = Array.from({ length: labelled }, (_, i) => i);
  const known = { rows, targets };
  const result = await propagate(graph, known, { gamma, keepLabels: false, maximumIterations: solverIterations });
  for (const tensor of [graph.rowStart, graph.columns, graph.values, targets]) tensor.dispose();
  const [spread, reach] = await Promise.all([result.pseudoLabels.read(), result.confidence.read()]);
  result.pseudoLabels.dispose();
  result.confidence.dispose();

  const regressed = options.pseudoSource === "regression" ? await regress(points, labels, options) : undefined;
  const vectors = regressed ? undefined : sourceVectors(spread, seen.answers, reach, options);
  const certain = regressed ? divided(regressed.explained, options) : certainties(vectors!, labelled, options);
  const meanConfidence = certain.reduce((sum, omega) => sum + omega, 0) / certain.length;
  return {
    pseudo: {
      targets: trainedOn(regressed?.vectors ?? vectors!.slice(labelled * levels), options),
      weights: weigh(certain, meanConfidence, options),
    },
    refresh: {
      iterations: result.iterations,
      residual: result.residual,
      converged: result.converged,
      unreachable: result.unreachable,
      meanConfidence,
    },
    ...(regressed && { fitness: regressed.fitness }),
    sources: { propagated: spread.subarray(labelled * levels), own: seen.answers.subarray(labelled * levels) },
  };
}

/**
 * Pseudo-labels by the option `pseudoSource`, [n + U, m]. In the mean a picture that no label reaches has its own prediction alone.
 * @param reach [n + U], 0 where no label came to
 */
export function sourceVectors(
  propagated: Float32Array<ArrayBuffer>,
  own: Float32Array<ArrayBuffer>,
  reach: ArrayLike<number>,
  { pseudoSource, levels }: Pick<CplOptions, "pseudoSource" | "levels">,
): Float32Array<ArrayBuffer> {
  if (pseudoSource === "propagated") return propagated;
  if (pseudoSource === "own") return own;
  return own.map((share, i) => (reach[Math.floor(i / levels)] === 0 ? share : (share + propagated[i]!) / 2));
}

/**
 * Eq. 8 of the unlabelled pictures, [U], divided as the option `divideByMaximum` says. With `all` the largest is among what the labelled
 * pictures are given as if they had no label, too, as in the code of Iscen et al.
 * @param vectors [n + U, m], the labelled pictures first
 */
export function certainties(
  vectors: Float32Array<ArrayBuffer>,
  labelled: number,
  { divideByMaximum, levels }: Pick<CplOptions, "divideByMaximum" | "levels">,
): Float32Array<ArrayBuffer> {
  const first = divideByMaximum === "all" ? 0 : labelled;
  const found = confidences(vectors.subarray(first * levels), levels, { divideByMaximum: divideByMaximum !== "off" });
  return Float32Array.from(found.subarray(labelled - first));
}

/** Of a regression, whose labelled pictures are certain. */
function divided(
  explained: Float32Array<ArrayBuffer>,
  { divideByMaximum }: Pick<CplOptions, "divideByMaximum">,
): Float32Array<ArrayBuffer> {
  const largest = explained.reduce((a, b) => Math.max(a, b), 0);
  return divideByMaximum === "unlabelled" && largest > 0 ? explained.map((share) => share / largest) : explained;
}

function weigh(confidence: Float32Array<ArrayBuffer>, mean: number, options: CplOptions): Float32Array<ArrayBuffer> {
  if (options.confidence === "entropy") return confidence;
  return confidence.map(() => (options.confidence === "off" ? 1 : mean));
}

/** Propagated vectors, row by row, as the option `target` has them; of equal largest entries the first. */
export function trainedOn(pseudo: Float32Array<ArrayBuffer>, options: CplOptions): Float32Array<ArrayBuffer> {
  const { levels, target } = options;
  if (target === "vector") return pseudo;
  if (target === "reconverted") return converted(expectations(pseudo, levels), options);
  const out = new Float32Array(pseudo.length);
  for (let start = 0; start < pseudo.length; start += levels) {
    const row = pseudo.subarray(start, start + levels);
    out[start + row.indexOf(row.reduce((a, b) => Math.max(a, b)))] = 1;
  }
  return out;
}
