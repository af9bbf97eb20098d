import type { Row } from "../../data/index.ts";
import { type Progress, type TrainingData, TrainingError } from "../../training/training.ts";
import type { PseudoLabels } from "../parts/batch-labels.ts";
import type { Fitness } from "../parts/kernel-regression.ts";
import { qualitySentence } from "../parts/pseudo-labelled.ts";
import type { Seen } from "./graph-space.ts";
import type { CplOptions } from "./options.ts";
import { type Refresh, refreshPseudoLabels } from "./pseudo-labels.ts";
import { expectations } from "./vectors.ts";

/**
 * Pseudo-labels of all unlabelled pictures from what the network makes of those that could be read; the others are not in the
 * graph, have no weight, and are left out when their batch is loaded.
 * @param found of the readable pictures, the labelled ones first
 * @param converted [n, m], row-major: converted labels of all labelled pictures
 * @returns beside them the scores of what the graph gives and of what the network answers, NaN for pictures that could not be read
 */
export async function labelStep(
  found: Seen & { readonly rows: readonly Row[] },
  { labelled, unlabelled }: TrainingData,
  converted: Float32Array<ArrayBuffer>,
  options: CplOptions,
): Promise<{
  pseudo: PseudoLabels;
  refresh: Refresh;
  fitness?: Fitness;
  scores: Readonly<Record<"propagated" | "own", Float64Array>>;
}> {
  const { levels } = options;
  const readable = new Set(found.rows);
  const known = labelled.flatMap((row, i) => (readable.has(row) ? [i] : []));
  const spread = unlabelled.flatMap((row, i) => (readable.has(row) ? [i] : []));
  if (known.length === 0 || spread.length === 0)
    throw new TrainingError("no labelled or no unlabelled picture can be read any more");
  if (!found.answers.every(Number.isFinite))
    throw new TrainingError(
      "the network gives predictions that are not finite; begin with other weights, or with smaller learning rates",
    );
  const labels = new Float32Array(known.length * levels);
  known.forEach((index, i) => {
    labels.set(converted.subarray(index * levels, (index + 1) * levels), i * levels);
  });
  const { pseudo, refresh, fitness, sources } = await refreshPseudoLabels(found, labels, options);
  const scoresOf = (vectors: Float32Array) => {
    const scores = new Float64Array(unlabelled.length).fill(Number.NaN);
    expectations(vectors, levels).forEach((score, i) => {
      scores[spread[i]!] = score;
    });
    return scores;
  };
  const scores = { propagated: scoresOf(sources.propagated), own: scoresOf(sources.own) };
  const step = { refresh, scores, ...(fitness && { fitness }) };
  if (spread.length === unlabelled.length) return { pseudo, ...step };
  const all = { targets: new Float32Array(unlabelled.length * levels), weights: new Float32Array(unlabelled.length) };
  all.targets.fill(1 / levels);
  spread.forEach((index, i) => {
    all.targets.set(pseudo.targets.subarray(i * levels, (i + 1) * levels), index * levels);
    all.weights[index] = pseudo.weights[i]!;
  });
  return { pseudo: all, ...step };
}

/** What a refresh did, for the log. */
export function refreshSentence(refresh: Progress["refreshes"][number]): string {
  const { epoch, iterations, residual, converged, unreachable, meanConfidence, quality, own } = refresh;
  const parts = [
    `pseudo-labels for epoch ${epoch + 1}: ${iterations} solver iterations`,
    `mean confidence ${meanConfidence.toFixed(3)}`,
  ];
  if (!converged) parts.push(`NOT converged (residual ${residual.toExponential(1)}; raise \`solverIterations\`)`);
  if (unreachable > 0) parts.push(`${unreachable} reached by no label`);
  parts.push(...qualitySentence(quality));
  if (own) parts.push(`the network's own predictions SRCC ${own.srcc.toFixed(3)}`);
  return parts.join(", ");
}
