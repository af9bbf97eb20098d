import { z } from "zod";
import { distortionNames, levelSets } from "../../data/degraded/distortions.ts";
import { batch, OptionError, otherDefault, some } from "../../options.ts";
import type { Method } from "../../training/method.ts";
import { trainingOptions, trainingShape } from "../../training/options.ts";
import { encoderPhase, encoderShape, expectDegraded, fromPicturesAlone } from "../parts/encoder.ts";
import { classes } from "./classes.ts";

const schema = z.strictObject({
  ...trainingShape,
  ...encoderShape,
  backbone: otherDefault(trainingShape.backbone, "scnn"),
  crop: otherDefault(trainingShape.crop, 224),
  rate: otherDefault(trainingShape.rate, 1e-3),
  batch: batch.default(16).describe("pictures in a batch, each in all its degraded views"),
  degraded: some.default(4).describe("views of a picture in a batch, each degraded by another kind of distortion"),
  kinds: z
    .array(z.enum(distortionNames as [string, ...string[]]))
    .min(1)
    .default([...distortionNames])
    .describe("kinds of distortion that are told apart, each at five levels"),
  amounts: z
    .enum(levelSets)
    .default("own")
    .describe(
      "which amounts the five levels are, as of `acutance data degrade`: a kind's own, all of which can be seen, or KADID-10k's",
    ),
  region: z
    .number()
    .int()
    .min(16)
    .max(8192)
    .default(384)
    .describe("longest sides of the part of a picture, at its own size, that is degraded before a crop is cut of it"),
});

export type DbCnnScnnOptions = z.infer<typeof schema>;
export type DbCnnScnnOptionsInput = z.input<typeof schema>;

/**
 * The pre-training of DB-CNN's S-CNN (Zhang et al. 2020): which kind of distortion a crop has, and at which level. The authors tell 39 classes of the Waterloo
 * Exploration database; here they are KADID-10k's kinds at five levels each, made of photographs of one's own.
 */
export const dbCnnScnn: Method<DbCnnScnnOptions, DbCnnScnnOptionsInput> = {
  name: "dbcnn-scnn",
  title: "DB-CNN's S-CNN",
  description: "train DB-CNN's branch for distortions on pictures without labels: which kind, at which level",
  examples: [
    "--unlabelled photos",
    "--unlabelled photos --kinds gaussian-blur,jpeg,white-noise --crop 96 --region 128",
  ],
  schema,
  ...fromPicturesAlone,
  options(input) {
    const options = trainingOptions(schema, input);
    const { network, crop, region, kinds } = options;
    if (network !== "standard")
      throw new OptionError(`\`network\` ${network}: a backbone is trained alone; leave \`network\` out`);
    expectDegraded(options);
    if (region < crop)
      throw new OptionError(`\`region\` ${region}: a crop of ${crop} pixels is cut of it; give at least as many`);
    if (new Set(kinds).size < kinds.length)
      throw new OptionError(`\`kinds\` ${kinds.join(",")}: one is there twice; name each once`);
    return options;
  },
  phases: (options) => [
    encoderPhase(options, Array(options.degraded).fill("degraded"), {
      name: "DB-CNN's S-CNN",
      begin: (context) => classes(options, context),
    }),
  ],
};
