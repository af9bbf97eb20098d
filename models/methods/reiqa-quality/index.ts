import { z } from "zod";
import { batch, count, OptionError, otherDefault, positive } from "../../options.ts";
import type { Method } from "../../training/method.ts";
import { trainingOptions, trainingShape } from "../../training/options.ts";
import { versionViews } from "../../views/version-inputs.ts";
import { versionKinds } from "../../views/version-plan.ts";
import { projectionShape } from "../parts/embedder.ts";
import { encoderPhase, encoderShape, expectDegraded, fromPicturesAlone } from "../parts/encoder.ts";
import { teacherShape } from "../parts/teacher.ts";
import { contrast } from "./contrast.ts";

const schema = z.strictObject({
  ...trainingShape,
  ...projectionShape,
  ...teacherShape,
  ...encoderShape,
  network: otherDefault(trainingShape.network, "reiqa-quality"),
  backbone: otherDefault(trainingShape.backbone, "resnet50"),
  crop: otherDefault(trainingShape.crop, 160),
  rate: otherDefault(trainingShape.rate, 3e-4),
  freshRate: otherDefault(trainingShape.freshRate, 3e-4),
  decay: otherDefault(trainingShape.decay, 1e-4),
  projection: otherDefault(projectionShape.projection, 128),
  teacher: otherDefault(teacherShape.teacher, 0.999),
  epochs: otherDefault(encoderShape.epochs, 40),
  batch: batch.default(5).describe("pictures in a batch, each in all its versions at both sizes"),
  degraded: z
    .number()
    .int()
    .min(1)
    .max(versionKinds.length)
    .default(11)
    .describe("versions of a picture beside itself, each degraded by another kind of distortion"),
  region: z
    .number()
    .int()
    .min(64)
    .max(8192)
    .default(512)
    .describe("longest sides of the part of a picture, at its own size, that versions are made of, pixels"),
  queue: count.default(8192).describe("embeddings of earlier crops that others are told apart from, at most"),
  contrastTemperature: positive.default(0.2).describe("T: what cosines of embeddings are divided by"),
});

export type ReIqaQualityOptions = z.infer<typeof schema>;
export type ReIqaQualityOptionsInput = z.input<typeof schema>;

/**
 * The quality encoder of Re-IQA (Saha, Mishra & Bovik 2023) by MoCo v2 (Chen et al. 2020), from pictures without labels: two crops of one version of a
 * picture are to be alike, and unlike those of other versions and pictures.
 */
export const reIqaQuality: Method<ReIqaQualityOptions, ReIqaQualityOptionsInput> = {
  name: "reiqa-quality",
  title: "Re-IQA's quality encoder",
  description: "train Re-IQA's quality encoder on pictures without labels: crops of one degraded version are alike",
  examples: [
    "--unlabelled photos --init resnet50.pth",
    "--unlabelled photos --backbone resnet18 --crop 96 --region 320",
  ],
  schema,
  ...fromPicturesAlone,
  options(input) {
    const options = trainingOptions(schema, input);
    const { network, teacher, encoders } = options;
    if (network !== "reiqa-quality")
      throw new OptionError(`\`network\` ${network}: the quality encoder is trained alone; leave \`network\` out`);
    expectDegraded(options);
    if (teacher === 0)
      throw new OptionError("`teacher` 0: what crops are compared with is by a moving average; give more than 0");
    if (encoders !== "both") throw new OptionError(`\`encoders\` ${encoders}: there is one; leave \`encoders\` out`);
    return options;
  },
  phases: (options) => [
    encoderPhase(options, Array(versionViews(options)).fill("version"), {
      name: "Re-IQA's quality encoder",
      wholeBatches: true,
      begin: (context) => contrast(options, context),
    }),
  ],
};
