import { denormaliseScore, normaliseMos } from "../../labels/labels.ts";
import type { HostArray, PhaseContext, PhaseRun } from "../../training/method.ts";
import { features } from "../../views/predict.ts";
import { batchLabels, type PseudoLabels } from "../parts/batch-labels.ts";
import { labelTask } from "../parts/label-loss.ts";
import { labelStep, refreshSentence } from "./label-step.ts";
import type { CplOptions } from "./options.ts";
import { expectations, pseudoLabelQuality } from "./pseudo-labels.ts";

/** Options that stage 1 does not read. It has labelled pictures alone, so there is nothing to divide its loss by. */
export const stageTwoOptions = [
  "stageTwoEpoch",
  "refresh",
  "neighbours",
  "affinity",
  "affinityPower",
  "gamma",
  "solverIterations",
  "confidence",
  "divideByMaximum",
  "target",
  "lossDivision",
] as const satisfies readonly (keyof CplOptions)[];

/** Stage 2: labels for the labelled pictures, pseudo-labels for the others, made anew before each epoch. */
export function stageTwo(options: CplOptions, context: PhaseContext): PhaseRun {
  const { labels } = context;
  let pseudo: PseudoLabels | undefined;
  return {
    ...labelTask(options, (pictures) => batchLabels(pictures, labels, pseudo, options)),
    async beforeEpoch(epoch) {
      if (pseudo) return false;
      pseudo = await refreshed(epoch, options, context);
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

/** The label step before an epoch, put on record. */
async function refreshed(
  epoch: number,
  options: CplOptions,
  { model, inputs, data, range, labels, progress, hooks, clock }: PhaseContext,
): Promise<PseudoLabels> {
  const { labelled, unlabelled } = data;
  const rows = [...labelled, ...unlabelled];
  const bar = hooks.progress?.(`stage 2, epoch ${epoch + 1}: features`, rows.length);
  let shown = 0;
  const featureClock = clock("stage 2 features");
  const found = await features(model, rows, inputs, (done) => {
    bar?.advance(done - shown);
    shown = done;
  }).finally(() => bar?.stop());
  const featureSeconds = featureClock();
  const stepClock = clock("stage 2 label step");
  const { pseudo, refresh } = await labelStep(found, data, labels, options);
  found.features.dispose();
  const seconds = stepClock();
  const truth = unlabelled.map(({ mos }) => (mos === undefined ? undefined : normaliseMos(mos, range)));
  const quality = pseudoLabelQuality(pseudo, options.levels, truth);
  progress.refreshes.push({ epoch, seconds, featureSeconds, ...refresh, ...(quality && { quality }) });
  const scores = expectations(pseudo.targets, options.levels);
  progress.pseudoLabels = unlabelled.map(({ name, mos }, i) => ({
    name,
    pseudo: denormaliseScore(scores[i]!, range),
    confidence: pseudo.weights[i]!,
    ...(mos !== undefined && { mos }),
  }));
  hooks.log?.(refreshSentence(progress.refreshes.at(-1)!));
  return pseudo;
}
