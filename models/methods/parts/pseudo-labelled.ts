import { denormaliseScore, normaliseMos } from "../../labels/labels.ts";
import { mae, rmse, slope, srcc } from "../../metrics/index.ts";
import type { HostArray, PhaseContext, PhaseRun } from "../../training/method.ts";
import type { RunRecord } from "../../training/run-record.ts";
import { batchLabels, type PseudoLabels } from "./batch-labels.ts";
import { type LossOptions, labelTask } from "./label-loss.ts";

/**
 * Learns labels and, for the other pictures, pseudo-labels, which a checkpoint holds.
 * @param make makes them, before each epoch or, with `refresh` once, before the first
 */
export function pseudoLabelled(
  options: LossOptions & { readonly refresh: "epoch" | "once" },
  { labels }: Pick<PhaseContext, "labels">,
  make: (epoch: number) => Promise<PseudoLabels>,
): PhaseRun {
  let pseudo: PseudoLabels | undefined;
  return {
    ...labelTask(options, (pictures) => batchLabels(pictures, labels, pseudo, options)),
    async beforeEpoch(epoch) {
      if (pseudo) return false;
      pseudo = await make(epoch);
      return true;
    },
    afterEpoch() {
      if (options.refresh === "epoch") pseudo = undefined;
    },
    arrays(): Record<string, HostArray> {
      if (!pseudo) return {};
      const rows = pseudo.weights.length;
      return {
        "pseudo.targets": { data: pseudo.targets, shape: [rows, pseudo.targets.length / rows] },
        "pseudo.weights": { data: pseudo.weights, shape: [rows] },
      };
    },
    async restore(read) {
      const [targets, weights] = [await read("pseudo.targets"), await read("pseudo.weights")];
      if (targets && weights) pseudo = { targets, weights };
    },
  };
}

/**
 * Puts pseudo-labels on record, and tells how they agree with truth that training did not see, where there is some.
 * @param scores of all unlabelled pictures, on [1, 100] @param weights what each weighs
 * @returns on [1, 100]; undefined with the truth of fewer than 3 pictures
 */
export function notePseudoLabels(
  scores: ArrayLike<number>,
  weights: ArrayLike<number>,
  { data: { unlabelled }, range, progress }: Pick<PhaseContext, "data" | "range" | "progress">,
): RunRecord["refreshes"][number]["quality"] {
  progress.pseudoLabels = unlabelled.map(({ name, mos }, i) => ({
    name,
    pseudo: denormaliseScore(scores[i]!, range),
    confidence: weights[i]!,
    ...(mos !== undefined && { mos }),
  }));
  const known = unlabelled.flatMap(({ mos }, i) =>
    mos === undefined ? [] : [{ score: normaliseMos(mos, range), pseudo: scores[i]!, weight: weights[i]! }],
  );
  if (known.length < 3) return undefined;
  const [found, expected] = [known.map((pair) => pair.pseudo), known.map((pair) => pair.score)];
  const confidenceSrcc = srcc(
    known.map(({ weight }) => weight),
    known.map(({ score, pseudo }) => Math.abs(pseudo - score)),
  );
  return {
    n: known.length,
    mae: mae(found, expected),
    rmse: rmse(found, expected),
    srcc: srcc(found, expected),
    slope: slope(found, expected),
    confidenceSrcc,
  };
}

/** {@link notePseudoLabels} in a few words. */
export function qualitySentence(quality: RunRecord["refreshes"][number]["quality"]): string[] {
  if (!quality) return [];
  return [
    `against truth SRCC ${quality.srcc.toFixed(3)}, MAE ${quality.mae.toFixed(2)} of 99, slope ${quality.slope.toFixed(2)}`,
  ];
}
