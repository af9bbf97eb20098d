import { affinity, metricOf } from "../../../engine/graph/affinity.ts";
import { nearestNeighbours } from "../../../engine/graph/neighbours.ts";
import { propagate } from "../../../engine/graph/propagate.ts";
import { symmetricGraph } from "../../../engine/graph/sparse.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { convertScore, expectation, HIGHEST, LOWEST } from "../../labels/labels.ts";
import type { PseudoLabels } from "../parts/batch-labels.ts";
import type { CplOptions } from "./options.ts";

/** What one refresh of the pseudo-labels did. */
export interface Refresh {
  readonly iterations: number;
  readonly residual: number;
  readonly converged: boolean;
  /** Pictures that no labelled one reaches in the graph. */
  readonly unreachable: number;
  readonly meanConfidence: number;
}

/**
 * The label step of stage 2 (Eq. 3-8): exact k-NN graph over the features, affinity, propagation of the labels.
 * @param features [n + U, d], the labelled pictures first
 * @param labels [n, m], row-major: the converted labels
 */
export async function refreshPseudoLabels(
  features: Tensor,
  labels: Float32Array<ArrayBuffer>,
  options: CplOptions,
): Promise<{ pseudo: PseudoLabels; refresh: Refresh }> {
  const { device } = features;
  const { levels, gamma, divideByMaximum, solverIterations } = options;
  const labelled = labels.length / levels;
  const unlabelled = features.shape[0]! - labelled;
  const start = () => {
    const k = Math.min(options.neighbours, features.shape[0]! - 1);
    const neighbours = nearestNeighbours(features, { k, metric: metricOf[options.affinity] });
    const weights = affinity(neighbours, { kind: options.affinity, power: options.affinityPower });
    return {
      graph: symmetricGraph(neighbours.indices, weights),
      targets: Tensor.from(device, labels, [labelled, levels]),
    };
  };
  const { graph, targets } = device.owned("graph", () => device.scope(start));
  const rows = Array.from({ length: labelled }, (_, i) => i);
  const known = { rows, targets };
  const result = await propagate(graph, known, { gamma, divideByMaximum, maximumIterations: solverIterations });
  for (const tensor of [graph.rowStart, graph.columns, graph.values, targets]) tensor.dispose();
  const [all, confidence] = await Promise.all([result.pseudoLabels.read(), result.confidence.read()]);
  result.pseudoLabels.dispose();
  result.confidence.dispose();

  const pseudo = all.slice(labelled * levels);
  const certain = confidence.slice(labelled);
  const meanConfidence = certain.reduce((sum, omega) => sum + omega, 0) / unlabelled;
  return {
    pseudo: {
      targets: trainedOn(pseudo, options),
      weights: weigh(certain, meanConfidence, options),
    },
    refresh: {
      iterations: result.iterations,
      residual: result.residual,
      converged: result.converged,
      unreachable: result.unreachable,
      meanConfidence,
    },
  };
}

function weigh(confidence: Float32Array<ArrayBuffer>, mean: number, options: CplOptions): Float32Array<ArrayBuffer> {
  if (options.confidence === "entropy") return confidence;
  return confidence.map(() => (options.confidence === "off" ? 1 : mean));
}

/** Propagated vectors, row by row, as the option `target` has them; of equal largest entries the first. */
export function trainedOn(pseudo: Float32Array<ArrayBuffer>, options: CplOptions): Float32Array<ArrayBuffer> {
  const { levels, labelMode, labelDeviation, target } = options;
  if (target === "vector") return pseudo;
  const out = new Float32Array(pseudo.length);
  for (let start = 0; start < pseudo.length; start += levels) {
    const row = pseudo.subarray(start, start + levels);
    if (target === "one-hot") {
      out[start + row.indexOf(row.reduce((a, b) => Math.max(a, b)))] = 1;
      continue;
    }
    const score = Math.min(HIGHEST, Math.max(LOWEST, expectation(row)));
    out.set(convertScore(score, labelMode, levels, labelDeviation), start);
  }
  return out;
}

/** Expectation of each row, on [1, 100]. */
export function expectations(rows: Float32Array, levels: number): Float64Array {
  return Float64Array.from({ length: rows.length / levels }, (_, i) =>
    expectation(rows.subarray(i * levels, (i + 1) * levels)),
  );
}
