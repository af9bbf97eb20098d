import type { DeviceSource } from "../../../engine/device/source.ts";
import type { Method } from "../../training/method.ts";
import { expectHooks, expectStart, resumeTraining, startTraining, type TrainingStart } from "../../training/train.ts";
import {
  modelFile,
  stageOneFile,
  type TrainingData,
  TrainingError,
  type TrainingHooks,
  type TrainingResult,
} from "../../training/training.ts";
import { givenLabels } from "../parts/batch-labels.ts";
import { expectRegression } from "../parts/kernel-regression.ts";
import { type CplOptions, type CplOptionsInput, cplOptions, cplOptionsSchema } from "./options.ts";
import { withRankContrast } from "./rank-contrast.ts";
import { stageTwo, stageTwoOptions } from "./stage-two.ts";

/** CPL-IQA (ICML 2025): stage 1 on the labelled pictures, then stage 2 on all, with pseudo-labels for the others. */
export const cpl: Method<CplOptions, CplOptionsInput> = {
  name: "cpl",
  title: "CPL-IQA",
  description: "train CPL-IQA: stage 1 on labelled pictures, stage 2 with pseudo-labels for the others",
  examples: [
    "--data photos --csv mos.csv --stage-two-epochs 0        stage 1 alone",
    "--data photos --csv mos.csv --stage-one-epochs 0 --from runs/cpl/stage1.safetensors --out runs/two",
  ],
  schema: cplOptionsSchema,
  options: cplOptions,
  phases(options) {
    // All pictures of a batch are compared with each other.
    const contrasts = options.embeddingLoss !== "off";
    return [
      {
        name: "stage 1",
        epochs: options.stageOneEpochs,
        epochsOption: "stageOneEpochs",
        batch: { labelled: options.stageOneBatch, unlabelled: 0 },
        batchOptions: ["stageOneBatch"],
        file: stageOneFile,
        wholeBatches: contrasts,
        begin: (context) => withRankContrast(givenLabels(options, context), options, context),
      },
      {
        name: "stage 2",
        epochs: options.stageTwoEpochs,
        epochsOption: "stageTwoEpochs",
        batch: { labelled: options.labelledBatch, unlabelled: options.unlabelledBatch },
        batchOptions: ["labelledBatch", "unlabelledBatch"],
        options: stageTwoOptions,
        surveys: true,
        length: options.stageTwoEpoch,
        file: modelFile,
        wholeBatches: contrasts,
        begin: (context) => withRankContrast(stageTwo(options, context), options, context),
      },
    ];
  },
  expectData({ labelled, unlabelled }, { stageTwoEpochs, pseudoSource }) {
    if (stageTwoEpochs > 0 && pseudoSource === "regression") expectRegression(labelled.length);
    if (stageTwoEpochs === 0 || unlabelled.length > 0) return;
    throw new TrainingError(
      "stage 2 needs unlabelled pictures; give some, or train stage 1 alone with `stageTwoEpochs` 0",
    );
  },
};

/** {@link startTraining} by CPL-IQA. */
export async function trainCpl(
  source: DeviceSource,
  data: TrainingData,
  input: CplOptionsInput,
  hooks: TrainingHooks,
  start: TrainingStart = {},
): Promise<TrainingResult> {
  expectStart("trainCpl", data, hooks, start);
  return startTraining(cpl, source, data, input, hooks, start);
}

/** {@link resumeTraining} of CPL-IQA. */
export async function resumeCpl(source: DeviceSource, hooks: TrainingHooks): Promise<TrainingResult> {
  expectHooks("resumeCpl", hooks);
  return resumeTraining(cpl, source, hooks);
}
