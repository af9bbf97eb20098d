import { z } from "zod";
import { batch, OptionError, otherDefault, positive, wholeFromZero } from "../../options.ts";
import type { Method, Phase } from "../../training/method.ts";
import { trainingOptions, trainingShape } from "../../training/options.ts";
import { modelFile } from "../../training/training.ts";
import { batchLabels } from "../parts/batch-labels.ts";
import { labelTask, lossShape, rowLoss, withLoss } from "../parts/label-loss.ts";

const schema = z.strictObject({
  ...trainingShape,
  ...lossShape,
  network: otherDefault(trainingShape.network, "dbcnn"),
  backbone: otherDefault(trainingShape.backbone, "vgg16"),
  head: otherDefault(trainingShape.head, "score"),
  loss: otherDefault(lossShape.loss, "l2"),
  resize: otherDefault(trainingShape.resize, 500),
  crop: otherDefault(trainingShape.crop, 448),
  rate: otherDefault(trainingShape.rate, 1e-5),
  freshRate: otherDefault(trainingShape.freshRate, 1e-5),
  headEpochs: wholeFromZero
    .default(50)
    .describe("passes over the labelled pictures in which the last layer learns alone"),
  headRate: positive.default(1e-3).describe("learning rate of the last layer then"),
  headOptimiser: otherDefault(trainingShape.optimiser, "sgd").describe("update rule then, sgd with momentum 0.9"),
  drifting: z
    .boolean()
    .default(false)
    .describe(
      "let batch norms go by the batch while the last layer learns alone, so that their running statistics move on: what the authors' code does",
    ),
  epochs: wholeFromZero.default(50).describe("passes over the labelled pictures in which all layers learn"),
  batch: batch.min(2).default(8).describe("labelled pictures in a batch"),
});

export type DbCnnOptions = z.infer<typeof schema>;
export type DbCnnOptionsInput = z.input<typeof schema>;

/**
 * DB-CNN as its authors train it (Zhang et al. 2020): first the last layer alone, by SGD, then all layers, by Adam, with the squared
 * error. They learn the MOS itself and take the best epoch of the test part; here scores are shares of the scale, and a phase goes on
 * from the last epoch of the one before. Biases have no weight decay.
 */
export const dbCnn: Method<DbCnnOptions, DbCnnOptionsInput> = {
  name: "dbcnn",
  title: "DB-CNN",
  description:
    "train DB-CNN on labelled pictures: the last layer alone, then the backbone and the branch for distortions, too",
  examples: ["--data photos --csv mos.csv --range 0:100 --ratio 4:1 --init vgg16.pth scnn.pkl"],
  schema,
  options(input) {
    const { head = "score" } = input;
    const loss = head === "score" ? (input.loss ?? "l2") : input.loss;
    const options = trainingOptions(schema, withLoss({ ...input, head, loss }));
    rowLoss(options);
    if (options.drifting && options.frozen > 0)
      throw new OptionError(
        `\`drifting\`: with \`frozen\` ${options.frozen} what batch norms make of a picture is kept; leave one of them out`,
      );
    return options;
  },
  phases(options) {
    const { headEpochs, headRate, headOptimiser, drifting, epochs, batch } = options;
    const phase = {
      batch: { labelled: batch, unlabelled: 0 },
      batchOptions: ["batch"],
      begin: ({ labels }) => labelTask(options, (pictures) => batchLabels(pictures, labels, undefined, options)),
    } satisfies Partial<Phase>;
    return [
      {
        ...phase,
        name: "last layer",
        epochs: headEpochs,
        epochsOption: "headEpochs",
        options: ["headRate", "headOptimiser", "drifting"],
        settings: { optimiser: headOptimiser, rate: headRate, freshRate: headRate },
        headAlone: true,
        drifting,
        file: "last-layer.safetensors",
      },
      {
        ...phase,
        name: "all layers",
        epochs,
        epochsOption: "epochs",
        options: ["rate", "freshRate", "optimiser"],
        file: modelFile,
      },
    ];
  },
};
