import { z } from "zod";
import { isLocal } from "../../networks/hyperiqa.ts";
import { isOfHead } from "../../networks/model.ts";
import { batch, OptionError, otherDefault, wholeFromZero } from "../../options.ts";
import type { Method } from "../../training/method.ts";
import { trainingOptions, trainingShape } from "../../training/options.ts";
import { modelFile } from "../../training/training.ts";
import { batchLabels } from "../parts/batch-labels.ts";
import { labelTask, lossShape, rowLoss, withLoss } from "../parts/label-loss.ts";

const schema = z.strictObject({
  ...trainingShape,
  ...lossShape,
  network: otherDefault(trainingShape.network, "hyperiqa"),
  backbone: otherDefault(trainingShape.backbone, "resnet50"),
  head: otherDefault(trainingShape.head, "score"),
  loss: otherDefault(lossShape.loss, "l1"),
  cropFrom: otherDefault(trainingShape.cropFrom, "original"),
  trainCrops: otherDefault(trainingShape.trainCrops, 25),
  testTiles: otherDefault(trainingShape.testTiles, 25),
  rate: otherDefault(trainingShape.rate, 2e-5),
  freshRate: otherDefault(trainingShape.freshRate, 2e-4).describe(
    "learning rate of the hyper network at first; a tenth from the eighth epoch on, and from the eleventh on that of the backbone by ten for every six epochs",
  ),
  epochs: wholeFromZero.min(1).default(16).describe("passes over the crops of the labelled pictures"),
  batch: batch.min(2).default(96).describe("crops in a batch"),
  publishedBehaviour: z
    .boolean()
    .default(false)
    .describe(
      "do what the authors' code does under Python 3: every epoch begins with a new optimiser, and the hyper network learns in the first alone",
    ),
});

export type HyperIqaOptions = z.infer<typeof schema>;
export type HyperIqaOptionsInput = z.input<typeof schema>;

/** Epochs after which the rate of the hyper network is divided by ten. */
const fall = 6;
/** Epoch, 0 the first, from which it starts from the backbone's rate. */
const lowered = 10;

/** The rate of the hyper network in an epoch, 0 the first, as the authors set it after each; as a new optimiser takes none of it, without it. */
function hyperRate({ rate, freshRate, publishedBehaviour }: HyperIqaOptions, epoch: number): number {
  if (epoch === 0) return freshRate;
  if (publishedBehaviour) return 0;
  return (epoch < lowered ? freshRate : rate) / 10 ** Math.floor((epoch - 1) / fall);
}

/**
 * HyperIQA as its authors mean to train it (Su et al. 2020): L1, Adam, all layers at once, the hyper network at a rate of its own and the
 * layers of the local vector at that of the backbone. The authors learn the MOS itself and take the best epoch of the test part; here scores are
 * shares of the scale, and the last epoch counts. Biases have no weight decay.
 */
export const hyperIqaMethod: Method<HyperIqaOptions, HyperIqaOptionsInput> = {
  name: "hyperiqa",
  title: "HyperIQA",
  description:
    "train HyperIQA on labelled pictures: a small net judges each with weights that the picture itself makes",
  examples: ["--data photos --csv mos.csv --range 0:100 --ratio 4:1 --init resnet50.pth"],
  schema,
  options(input) {
    const options = trainingOptions(schema, withLoss({ ...input, head: input.head ?? "score" }));
    rowLoss(options);
    const { publishedBehaviour, clipNorm, precision } = options;
    if (publishedBehaviour && (clipNorm > 0 || precision === "f16"))
      throw new OptionError(
        `\`publishedBehaviour\` renews the optimiser, and with \`clipNorm\` ${clipNorm} and \`precision\` ${precision} the adapter counts its steps; give 0 and f32`,
      );
    return options;
  },
  phases(options) {
    const backboneRate = () => options.rate;
    const hyper = (epoch: number) => hyperRate(options, epoch);
    return [
      {
        name: "HyperIQA",
        epochs: options.epochs,
        epochsOption: "epochs",
        batch: { labelled: options.batch, unlabelled: 0 },
        batchOptions: ["batch"],
        rates: (name) => (isOfHead(name) && !isLocal(name) ? hyper : backboneRate),
        renewsOptimiser: options.publishedBehaviour,
        file: modelFile,
        begin: ({ labels }) => labelTask(options, (pictures) => batchLabels(pictures, labels, undefined, options)),
      },
    ];
  },
};
