import { z } from "zod";
import { atLeastZero, OptionError, otherDefault } from "../../options.ts";
import type { Method } from "../../training/method.ts";
import { rankShape, stepShape, trainingOptions, trainingShape } from "../../training/options.ts";
import { modelFile, TrainingError } from "../../training/training.ts";
import { expectRegression } from "../parts/kernel-regression.ts";
import { fitted } from "./fit.ts";

const schema = z.strictObject({
  ...trainingShape,
  network: otherDefault(trainingShape.network, "reiqa"),
  backbone: otherDefault(trainingShape.backbone, "resnet50"),
  frozen: otherDefault(trainingShape.frozen, 1),
  embedding: otherDefault(trainingShape.embedding, 0),
  head: otherDefault(trainingShape.head, "score"),
  resize: otherDefault(trainingShape.resize, 512),
  crop: otherDefault(trainingShape.crop, 512),
  views: otherDefault(trainingShape.views, 1),
  ridge: atLeastZero
    .default(0)
    .describe("λ, the penalty of the last layer's weights; 0 for that with the least leave-one-out error"),
});

export type ReIqaOptions = z.infer<typeof schema>;
export type ReIqaOptionsInput = z.input<typeof schema>;

/** What the last layer must be for it to be solved for. */
const linear = { head: "score", embedding: 0, featureNorm: "none", dropout: 0 } as const;

/**
 * Re-IQA (Saha, Mishra & Bovik 2023): a linear layer on the features of two encoders, which stay as they are. Its weights come of ridge regression in
 * closed form, on features of mean 0 and variance 1, which the layer holds too. Any network serves whose last layer reads the pooled feature.
 */
export const reIqa: Method<ReIqaOptions, ReIqaOptionsInput> = {
  name: "reiqa",
  title: "Re-IQA",
  description: "fit Re-IQA: ridge regression on the features of a content and a quality encoder, in closed form",
  examples: [
    "--data photos --csv mos.csv --range 0:100 --init content.pth --init runs/reiqa-quality/encoder.safetensors",
  ],
  schema,
  options(input) {
    const options = trainingOptions(schema, input);
    for (const [name, value] of Object.entries(linear)) {
      const found = options[name as keyof typeof linear];
      if (found !== value)
        throw new OptionError(
          `\`${name}\` ${found}: Re-IQA solves for a linear layer; leave \`${name}\` out, or give ${value}`,
        );
    }
    for (const [name, option] of Object.entries({ ...stepShape, ...rankShape })) {
      const found = options[name as keyof typeof options];
      if (found !== option.parse(undefined))
        throw new OptionError(`\`${name}\` ${found}: Re-IQA is solved for and takes no steps; leave \`${name}\` out`);
    }
    return options;
  },
  phases: (options) => [
    {
      name: "Re-IQA",
      epochs: 1,
      batch: { labelled: 2, unlabelled: 0 },
      batchOptions: [],
      headAlone: true,
      file: modelFile,
      begin: (context) => fitted(options, context),
    },
  ],
  expectData({ labelled, ranked = [] }) {
    expectRegression(labelled.length);
    const guessed = labelled.filter(({ weight }) => weight !== undefined).length;
    if (guessed > 0)
      throw new TrainingError(
        `${guessed} pictures that a model labelled: Re-IQA weighs all labels alike; leave them out`,
      );
    if (ranked.length > 0)
      throw new TrainingError(
        `${ranked.length} ranked sets of copies: Re-IQA learns from scores alone; leave them out`,
      );
  },
};
