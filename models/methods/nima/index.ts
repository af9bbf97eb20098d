import { z } from "zod";
import { batch, OptionError, otherDefault, wholeFromZero } from "../../options.ts";
import type { Method } from "../../training/method.ts";
import { trainingOptions, trainingShape } from "../../training/options.ts";
import { modelFile } from "../../training/training.ts";
import { givenLabels } from "../parts/batch-labels.ts";
import { lossShape, rowLoss } from "../parts/label-loss.ts";

/** What the published trainings do (idealo's image-quality-assessment). */
const presets = {
  ava: { headEpochs: 5, epochs: 9, batch: 96, rate: 3e-5, schedule: "time", timeDecay: 2.3e-5 },
  tid2013: { headEpochs: 25, epochs: 25, batch: 64, rate: 3e-7, schedule: "constant" },
} as const;

const { ava } = presets;

const schema = z.strictObject({
  ...trainingShape,
  ...lossShape,
  preset: z
    .enum(["ava", "tid2013"])
    .default("ava")
    .describe(
      "published training that gives epochs, batch, `rate` and `schedule` where they are not given: of AVA, or of TID2013",
    ),
  embedding: otherDefault(trainingShape.embedding, 0),
  dropout: otherDefault(trainingShape.dropout, 0.75),
  levels: otherDefault(trainingShape.levels, 10),
  labelMode: otherDefault(trainingShape.labelMode, "maxent"),
  loss: otherDefault(lossShape.loss, "emd"),
  schedule: otherDefault(trainingShape.schedule, ava.schedule),
  rate: otherDefault(trainingShape.rate, ava.rate).describe(
    "learning rate of all layers after the head has learnt alone, at `freshRate`",
  ),
  decay: otherDefault(trainingShape.decay, 0),
  headEpochs: wholeFromZero
    .default(ava.headEpochs)
    .describe("passes over the labelled pictures in which the head learns alone, at `freshRate`; 0 for none"),
  epochs: wholeFromZero
    .default(ava.epochs)
    .describe("passes over the labelled pictures in which all layers learn; 0 for none"),
  batch: batch.min(2).default(ava.batch).describe("labelled pictures in a batch"),
});

export type NimaOptions = z.infer<typeof schema>;
export type NimaOptionsInput = z.input<typeof schema>;

/** Options with those of their preset where none are given. */
function withPreset(input: NimaOptionsInput): NimaOptionsInput {
  const given = Object.entries(input).filter(([, value]) => value !== undefined);
  const preset = presets[input.preset as keyof typeof presets] ?? {};
  return { ...preset, ...Object.fromEntries(given) };
}

/**
 * NIMA (Talebi & Milanfar 2018) as idealo trains it: pooled feature → dropout → logits over a few bins, by the earth mover's distance with
 * r = 2; first the head alone, then all layers, each with an optimiser of its own. Labels and scores are over one score set: the published
 * code makes labels of scalar scores over 0..9 and reads them over 1..10, which shifts predictions by one.
 */
export const nima: Method<NimaOptions, NimaOptionsInput> = {
  name: "nima",
  title: "NIMA",
  description:
    "train NIMA: a distribution over ten bins by the earth mover's distance, the head first and then all layers",
  examples: [
    "--data AVA --csv ava.csv --range 1:10 --label-mode histogram --test-resize 224 --backbone mobilenet_v2 --init mobilenet_v2.pth",
    "--data photos --csv mos.csv --range 0:100 --preset tid2013 --init resnet18.pth",
  ],
  schema,
  options(input) {
    const { head = "distribution" } = input;
    if (head !== "distribution")
      throw new OptionError(`\`head\` ${head}: NIMA learns distributions; leave \`head\` out, or train by supervised`);
    const options = trainingOptions(schema, withPreset(input));
    const { headEpochs, epochs } = options;
    if (headEpochs + epochs === 0)
      throw new OptionError("`headEpochs` 0 and `epochs` 0 leave nothing to train; give one of them");
    rowLoss(options);
    return options;
  },
  phases(options) {
    const { headEpochs, epochs, batch: labelled, rate, freshRate } = options;
    const common = {
      batch: { labelled, unlabelled: 0 },
      batchOptions: ["batch"],
      begin: (context: Parameters<typeof givenLabels>[1]) => givenLabels(options, context),
    };
    return [
      {
        ...common,
        name: "head",
        epochs: headEpochs,
        epochsOption: "headEpochs",
        headAlone: true,
        settings: { rate: freshRate, schedule: "constant" },
        file: "head.safetensors",
      },
      {
        ...common,
        name: "all layers",
        epochs,
        epochsOption: "epochs",
        options: ["rate", "schedule", "lastFactor", "stepEpochs", "stepFactor", "timeDecay"],
        settings: { freshRate: rate },
        file: modelFile,
      },
    ];
  },
};
