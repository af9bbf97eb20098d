import { z } from "zod";
import { atLeastZero, OptionError, otherDefault, share } from "../../options.ts";
import type { Method } from "../../training/method.ts";
import { rankShape, stepShape, trainingOptions, trainingShape } from "../../training/options.ts";
import { modelFile, TrainingError } from "../../training/training.ts";
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
  regression: z
    .enum(["ridge", "elastic-net"])
    .default("ridge")
    .describe(
      "how the last layer is solved for: with a penalty on squared weights, or on their sizes too (Zou & Hastie 2005)",
    ),
  ridge: atLeastZero
    .default(0)
    .describe(
      "of ridge regression: λ, the penalty of the last layer's weights; 0 for that with the least error on pictures left out: one by one, of more than 3000 in five folds",
    ),
  alpha: atLeastZero
    .default(0)
    .describe(
      "of the elastic net: α, its penalty, as scikit-learn has it; 0 for that with the least error over five folds",
    ),
  l1Ratio: share
    .default(0)
    .describe(
      "of the elastic net: the share of the penalty on the sizes of weights; 0 for the best of 0.1, 0.5 and 0.9",
    ),
});

export type ReIqaOptions = z.infer<typeof schema>;
export type ReIqaOptionsInput = z.input<typeof schema>;

/** What the last layer must be for it to be solved for. */
const linear = { head: "score", embedding: 0, featureNorm: "none", dropout: 0 } as const;

/**
 * Re-IQA (Saha, Mishra & Bovik 2023): a linear layer on the features of two encoders, which stay as they are. Its weights come of ridge regression or an
 * elastic net on features of mean 0 and variance 1, which the layer holds too. Any network serves whose last layer reads the pooled feature.
 */
export const reIqa: Method<ReIqaOptions, ReIqaOptionsInput> = {
  name: "reiqa",
  title: "Re-IQA",
  description: "fit Re-IQA: ridge regression or an elastic net on the features of a content and a quality encoder",
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
    const { regression, ridge, alpha, l1Ratio } = options;
    const unread = regression === "ridge" ? { alpha, l1Ratio } : { ridge };
    for (const [name, value] of Object.entries(unread))
      if (value > 0)
        throw new OptionError(
          `\`${name}\` ${value}: the \`regression\` ${regression} has none; leave it out, or give \`regression\` ${regression === "ridge" ? "elastic-net" : "ridge"}`,
        );
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
