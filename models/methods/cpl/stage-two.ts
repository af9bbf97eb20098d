import type { PhaseContext, PhaseRun } from "../../training/method.ts";
import { featuresAndAnswers } from "../../views/predict.ts";
import type { PseudoLabels } from "../parts/batch-labels.ts";
import { fitnessSentence } from "../parts/kernel-regression.ts";
import { againstTruth, notePseudoLabels, pseudoLabelled } from "../parts/pseudo-labelled.ts";
import { labelStep, refreshSentence } from "./label-step.ts";
import type { CplOptions } from "./options.ts";
import { expectations } from "./vectors.ts";

/** Options that stage 1 does not read. It has labelled pictures alone, so there is nothing to divide its loss by. */
export const stageTwoOptions = [
  "stageTwoEpoch",
  "refresh",
  "graphSpace",
  "neighbours",
  "affinity",
  "affinityPower",
  "gamma",
  "solverIterations",
  "pseudoSource",
  "confidence",
  "divideByMaximum",
  "target",
  "lossDivision",
] as const satisfies readonly (keyof CplOptions)[];

/** Stage 2: labels for the labelled pictures, pseudo-labels for the others, made anew before each epoch. */
export function stageTwo(options: CplOptions, context: PhaseContext): PhaseRun {
  return pseudoLabelled(options, context, (epoch) => refreshed(epoch, options, context));
}

/** The label step before an epoch, put on record. */
async function refreshed(epoch: number, options: CplOptions, context: PhaseContext): Promise<PseudoLabels> {
  const { model, inputs, data, labels, progress, hooks, clock } = context;
  const rows = [...data.labelled, ...data.unlabelled];
  const bar = hooks.progress?.(`stage 2, epoch ${epoch + 1}: features`, rows.length);
  let shown = 0;
  const featureClock = clock("stage 2 features");
  const found = await featuresAndAnswers(
    model,
    rows,
    inputs,
    (done) => {
      bar?.advance(done - shown);
      shown = done;
    },
    options.graphSpace === "pooled" ? "feature" : "embedding",
  ).finally(() => bar?.stop());
  const featureSeconds = featureClock();
  const stepClock = clock("stage 2 label step");
  const { pseudo, refresh, fitness, scores } = await labelStep(found, data, labels, options);
  found.features.dispose();
  const seconds = stepClock();
  const quality = notePseudoLabels(expectations(pseudo.targets, options.levels), pseudo.weights, context);
  const [propagated, own] = [againstTruth(scores.propagated, context), againstTruth(scores.own, context)];
  const agreement = quality && propagated && own && { quality, propagated, own };
  progress.refreshes.push({ epoch, seconds, featureSeconds, ...refresh, ...agreement });
  hooks.log?.(refreshSentence(progress.refreshes.at(-1)!));
  if (fitness) hooks.log?.(`pseudo-labels by regression: ${fitnessSentence(fitness)}`);
  return pseudo;
}
