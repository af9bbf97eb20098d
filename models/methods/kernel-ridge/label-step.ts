import type { Tensor } from "../../../engine/tensor.ts";
import type { Row } from "../../data/index.ts";
import { HIGHEST, LOWEST, normaliseMos } from "../../labels/labels.ts";
import type { LabelOptions } from "../../labels/options.ts";
import type { PhaseContext } from "../../training/method.ts";
import type { RunRecord } from "../../training/run-record.ts";
import { TrainingError } from "../../training/training.ts";
import { features } from "../../views/predict.ts";
import type { PseudoLabels } from "../parts/batch-labels.ts";
import { fitnessOf, fitnessSentence, kernelRidge, type RegressionOptions } from "../parts/kernel-regression.ts";
import { notePseudoLabels, qualitySentence } from "../parts/pseudo-labelled.ts";

export interface LabelStepOptions extends RegressionOptions, LabelOptions {
  readonly levels: number;
  readonly regressOn: "pooled" | "embedding";
  readonly confidence: "variance" | "off";
  readonly unlabelledWeight: number;
}

type Regressed = NonNullable<RunRecord["regressions"]>[number];

/** Pseudo-labels of all unlabelled pictures before an epoch, put on record. */
export async function labelled(epoch: number, options: LabelStepOptions, context: PhaseContext): Promise<PseudoLabels> {
  const { model, inputs, data, hooks, progress, clock } = context;
  const rows = [...data.labelled, ...data.unlabelled];
  const bar = hooks.progress?.("features", rows.length);
  let shown = 0;
  const featureClock = clock("features");
  const advance = (done: number) => {
    bar?.advance(done - shown);
    shown = done;
  };
  const what = options.regressOn === "pooled" ? "feature" : "embedding";
  const found = await features(model, rows, inputs, advance, what).finally(() => bar?.stop());
  const featureSeconds = featureClock();
  const stepClock = clock("kernel ridge regression");
  const { scores, confidences, regressed } = await regression(found, options, context);
  found.features.dispose();
  const quality = notePseudoLabels(scores, confidences, context);
  const noted = { epoch, featureSeconds, seconds: stepClock(), ...regressed, ...(quality && { quality }) };
  progress.regressions = [...(progress.regressions ?? []), noted];
  hooks.log?.(regressionSentence(noted));
  return {
    targets: Float32Array.from(model.head.labels(scores, options)),
    weights: Float32Array.from(confidences, (confidence) => options.unlabelledWeight * confidence),
  };
}

/** Scores of the unlabelled pictures on [1, 100] and what each counts; one that cannot be read counts nothing. */
async function regression(
  found: { readonly features: Tensor; readonly rows: readonly Row[] },
  options: LabelStepOptions,
  { data: { labelled, unlabelled }, range }: Pick<PhaseContext, "data" | "range">,
) {
  const readable = new Set(found.rows);
  const known = labelled.filter((row) => readable.has(row));
  if (known.length < 2 || known.length === found.rows.length)
    throw new TrainingError("fewer than 2 labelled or no unlabelled picture can be read any more");
  const y = known.map(({ mos }) => normaliseMos(mos, range));
  const numbers = await found.features.read();
  if (!numbers.every(Number.isFinite))
    throw new TrainingError(
      "the network gives features that are not finite; begin with other weights, or with smaller learning rates",
    );
  const result = kernelRidge(numbers, found.features.shape[1]!, y, options);
  const meanScore = y.reduce((sum, score) => sum + score, 0) / y.length;
  const scores = unlabelled.map(() => meanScore);
  const confidences = unlabelled.map(() => 0);
  let next = 0;
  unlabelled.forEach((row, i) => {
    if (!readable.has(row)) return;
    scores[i] = Math.min(HIGHEST, Math.max(LOWEST, result.predictions[next]!));
    confidences[i] = options.confidence === "off" ? 1 : result.explained[next]!;
    next++;
  });
  const regressed: Omit<Regressed, "epoch" | "seconds" | "featureSeconds" | "quality"> = {
    ...fitnessOf(result, y),
    meanConfidence: confidences.reduce((sum, confidence) => sum + confidence, 0) / next,
  };
  return { scores, confidences, regressed };
}

function regressionSentence({ epoch, meanConfidence, quality, ...fitness }: Regressed): string {
  return [
    `pseudo-labels for epoch ${epoch + 1}: ${fitnessSentence(fitness)}`,
    `mean confidence ${meanConfidence.toFixed(3)}`,
    ...qualitySentence(quality),
  ].join("; ");
}
