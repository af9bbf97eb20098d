import { z } from "zod";
import { type CplOptions, cplOptions, cplOptionsSchema } from "../methods/cpl/options.ts";

/** What an experiment can change besides the options of the method: which pictures a run sees, and with which labels. */
export const protocolSchema = z.strictObject({
  protocol: z
    .enum(["random", "official"])
    .default("random")
    .describe("parts drawn by the repeat's seed, or those that the authors of the data set made"),
  ratio: z
    .string()
    .regex(/^\d+(\.\d+)?(:\d+(\.\d+)?){1,2}$/, "expected two or three numbers such as 1:3:1 or 4:1")
    .default("1:3:1")
    .describe(
      "labelled : unlabelled : test, or labelled : test; of an official split only the training part is divided",
    ),
  by: z
    .enum(["auto", "image", "group"])
    .default("auto")
    .describe("what stays together in a split: auto keeps the groups of a known data set and of a named group column"),
  validationShare: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe("share of the labelled part that is held out of training and reported as validation"),
  labelledShare: z.number().gt(0).max(1).default(1).describe("share of the labelled part that is used"),
  remainder: z
    .enum(["left out", "unlabelled"])
    .default("left out")
    .describe("what becomes of labelled pictures beyond labelledShare"),
  unlabelledShare: z.number().min(0).max(1).default(1).describe("share of the data set's unlabelled part that is used"),
  moreUnlabelled: z
    .array(z.string())
    .default([])
    .describe("further data sets without scores, by their names under `unlabelled`"),
  labelNoise: z
    .strictObject({ mean: z.number().default(0), sd: z.number().min(0).default(0) })
    .default({ mean: 0, sd: 0 })
    .describe("Gaussian noise on the MOS of labelled pictures, in units of the data set; clipped to its range"),
  init: z.string().default("").describe("weights file the backbone starts from; empty for random weights"),
});

export type Protocol = z.infer<typeof protocolSchema>;

/** Everything that a variant may set: options of the method but for the seed, and the protocol. */
export type Settings = Omit<CplOptions, "seed"> & Protocol;

type Shape = Record<string, z.ZodType>;

const methodShape = Object.fromEntries(
  Object.entries(cplOptionsSchema.shape).filter(([name]) => name !== "seed"),
) as Shape;

/** Fields without their defaults: a change sets what it names and nothing else. */
function optional(shape: Shape): Shape {
  const bare = (field: z.ZodType) => (field instanceof z.ZodDefault ? (field.unwrap() as z.ZodType) : field);
  return Object.fromEntries(
    Object.entries(shape).map(([name, field]) => [
      name,
      bare(field)
        .optional()
        .describe(field.description ?? ""),
    ]),
  );
}

/** Schema of a field of every setting, none of them needed. */
export const settingFields: Readonly<Shape> = optional({ ...methodShape, ...protocolSchema.shape });

/** Names of all settings. */
export const settingNames: readonly string[] = Object.keys(settingFields);

export type Changes = Partial<Settings>;

/**
 * Settings in force: those given, the defaults for the rest.
 * @throws OptionError when options of the method do not go together
 */
export function settingsOf(changes: Changes): Settings {
  const pick = (of: (name: string) => boolean) =>
    Object.fromEntries(Object.entries(changes).filter(([name]) => of(name)));
  const isProtocol = (name: string) => name in protocolSchema.shape;
  const { seed: _, ...options } = cplOptions(pick((name) => !isProtocol(name)));
  return { ...options, ...protocolSchema.parse(pick(isProtocol)) };
}

/** The options of the method among the settings, with a seed. */
export function optionsOf(settings: Settings, seed: number): CplOptions {
  const options = Object.entries(settings).filter(([name]) => name in methodShape);
  return cplOptions({ ...Object.fromEntries(options), seed });
}
