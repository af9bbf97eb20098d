import { denormaliseScore, normaliseMos } from "../../labels/labels.ts";
import { mae, plcc, rmse, slope, srcc } from "../../metrics/index.ts";
import type { HostArray, PhaseContext, PhaseRun } from "../../training/method.ts";
import type { PseudoLabelQuality } from "../../training/run-record.ts";
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
 * @returns undefined with the truth of fewer than 3 pictures
 */
export function notePseudoLabels(
  scores: ArrayLike<number>,
  weights: ArrayLike<number>,
  context: Pick<PhaseContext, "data" | "range" | "progress">,
): PseudoLabelQuality | undefined {
  const { data, range, progress } = context;
  progress.pseudoLabels = data.unlabelled.map(({ name, mos }, i) => ({
    name,
    pseudo: denormaliseScore(scores[i]!, range),
    confidence: weights[i]!,
    ...(mos !== undefined && { mos }),
  }));
  return againstTruth(scores, context, weights);
}

/**
 * How scores of the unlabelled pictures agree with truth that training did not see.
 * @param scores of all, on [1, 100]; NaN for one that has none @param weights what each weighs
 * @returns undefined with the truth of fewer than 3 pictures
 */
export function againstTruth(
  scores: ArrayLike<number>,
  { data: { unlabelled }, range }: Pick<PhaseContext, "data" | "range">,
  weights?: ArrayLike<number>,
): PseudoLabelQuality | undefined {
  const known = unlabelled.flatMap(({ mos }, i) =>
    mos === undefined || Number.isNaN(scores[i])
      ? []
      : [{ score: normaliseMos(mos, range), pseudo: scores[i]!, weight: weights?.[i] ?? 1 }],
  );
  if (known.length < 3) return undefined;
  const [found, expected] = [known.map((pair) => pair.pseudo), known.map((pair) => pair.score)];
  const confidenceSrcc = () =>
    srcc(
      known.map(({ weight }) => weight),
      known.map(({ score, pseudo }) => Math.abs(pseudo - score)),
    );
  return {
    n: known.length,
    mae: mae(found, expected),
    rmse: rmse(found, expected),
    srcc: srcc(found, expected),
    plcc: plcc(found, expected),
    slope: slope(found, expected),
    ...(weights && { confidenceSrcc: confidenceSrcc() }),
  };
}

/** {@link notePseudoLabels} in a few words. */
export function qualitySentence(quality: PseudoLabelQuality | undefined): string[] {
  if (!quality) return [];
  return [
    `against truth SRCC ${quality.srcc.toFixed(3)}, MAE ${quality.mae.toFixed(2)} of 99, slope ${quality.slope.toFixed(2)}`,
  ];
}
