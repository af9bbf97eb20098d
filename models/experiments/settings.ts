import { z } from "zod";
import { methods } from "../methods/index.ts";
import type { Method } from "../training/method.ts";
import type { TrainingOptions } from "../training/options.ts";

/** The method of a recipe that names none. */
export const defaultMethod = "cpl";

const methodNames = methods.map(({ name }) => name) as [string, ...string[]];

/** What an experiment can change besides the options of a method: which one it is, which pictures a run sees, and with which labels. */
export const protocolSchema = z.strictObject({
  method: z.enum(methodNames).default(defaultMethod).describe("how is trained: as in `acutance train <method>`"),
  protocol: z
    .enum(["random", "official"])
    .default("random")
    .describe(
      "parts drawn by the repeat's seed, or those that the authors of the data set made; with folds, those are the test parts",
    ),
  ratio: z
    .string()
    .regex(/^\d+(\.\d+)?(:\d+(\.\d+)?){1,2}$/, "expected two or three numbers such as 1:3:1 or 4:1")
    .default("1:3:1")
    .describe(
      "labelled : unlabelled : test, or labelled : test; of an official split, and of folds, only the training part is divided",
    ),
  by: z
    .enum(["auto", "image", "group"])
    .default("auto")
    .describe("what stays together in a split: auto keeps the groups of a known data set and of a named group column"),
  strata: z
    .number()
    .int()
    .min(0)
    .default(0)
    .describe(
      "classes of equal width that are spread evenly over the parts that are drawn (a stratified split); 0 for none",
    ),
  validationShare: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe("share of the labelled part that is held out of training and reported as validation"),
  classes: z
    .number()
    .int()
    .refine((count) => count === 0 || count >= 2, "expected at least 2, or 0 for none")
    .default(0)
    .describe(
      "scores of networks that tell no classes are cut into so many of equal width and stand among those that do in the table of classes; 0 for none",
    ),
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
  labelledBy: z
    .string()
    .default("")
    .describe(
      "the variant whose final model labels the unlabelled pictures, which are then trained on as labelled ones; empty for none",
    ),
  asLongAs: z
    .string()
    .default("")
    .describe(
      "the variant that this one is to train as long as: its one phase has the epochs that take as many pictures through the network as all phases of that variant together; empty for its own epochs",
    ),
  labelWeight: z
    .enum(["confidence", "one"])
    .default("confidence")
    .describe("with labelledBy: what such a label weighs in the loss"),
  labelTarget: z
    .enum(["soft", "hard"])
    .default("soft")
    .describe("with labelledBy: probabilities, or the class or score alone"),
  leastConfidence: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("with labelledBy: pictures with labels of less confidence are left out"),
  labelNoise: z
    .strictObject({ mean: z.number().default(0), sd: z.number().min(0).default(0) })
    .default({ mean: 0, sd: 0 })
    .describe("Gaussian noise on the MOS of labelled pictures, in units of the data set; clipped to its range"),
  init: z.string().default("").describe("weights file the backbone starts from; empty for random weights"),
  parts: z
    .array(z.string().min(1))
    .default([])
    .describe(
      "further weights files that the network starts from, by their names under `weights`, such as scnn for DB-CNN",
    ),
});

export type Protocol = z.infer<typeof protocolSchema>;

/** Everything that a variant may set: options of its method but for the seed, and the protocol. */
export type Settings = Omit<TrainingOptions, "seed"> & Protocol & Readonly<Record<string, unknown>>;

type Shape = Record<string, z.ZodType>;

/** The method of a name. @throws TypeError when there is none */
export function methodOf(name: string): Method {
  const found = methods.find((method) => method.name === name);
  if (!found) throw new TypeError(`there is no method "${name}"; there are: ${methodNames.join(", ")}`);
  return found;
}

function optionShape({ schema }: Method): Shape {
  return Object.fromEntries(Object.entries(schema.shape as Shape).filter(([name]) => name !== "seed"));
}

/** Fields without their defaults: a change sets what it names and nothing else. */
function withoutDefaults(shape: Shape): Shape {
  const bare = (field: z.ZodType) => (field instanceof z.ZodDefault ? (field.unwrap() as z.ZodType) : field);
  return mapped(shape, (field) => bare(field).describe(field.description ?? ""));
}

function optional(shape: Shape): Shape {
  return mapped(shape, (field) => field.optional().describe(field.description ?? ""));
}

function mapped(shape: Shape, to: (field: z.ZodType) => z.ZodType): Shape {
  return Object.fromEntries(Object.entries(shape).map(([name, field]) => [name, to(field)]));
}

/** Where methods mean different things by a name, what one of them means will do: each checks its own values. */
function joined(shapes: readonly Shape[]): Shape {
  const byName = Map.groupBy(
    shapes.flatMap((shape) => Object.entries(shape)),
    ([name]) => name,
  );
  return Object.fromEntries(
    [...byName].map(([name, entries]) => {
      const different = new Map(entries.map(([, field]) => [schemaText(field), field]));
      return [name, different.size === 1 ? entries[0]![1] : eitherOf([...different.values()])];
    }),
  );
}

function eitherOf(fields: readonly z.ZodType[]): z.ZodType {
  const messages = (input: unknown) => fields.map((field) => field.safeParse(input).error?.issues[0]?.message);
  return z
    .union(fields, { error: ({ input }) => messages(input).join(", or: ") })
    .describe(fields.map(({ description }) => description).join("; or "));
}

const schemaText = (field: z.ZodType) => JSON.stringify(z.toJSONSchema(field, { io: "input" }));

/** Schema of a field of every setting of any method, none of them needed. */
export const settingFields: Readonly<Shape> = optional(
  joined([...methods.map(optionShape), protocolSchema.shape].map(withoutDefaults)),
);

/** Names of the settings of a method; of all methods unless it is the name of one. */
export function settingNames(method?: string): readonly string[] {
  if (method === undefined || !methodNames.includes(method)) return Object.keys(settingFields);
  return [...Object.keys(optionShape(methodOf(method))), ...Object.keys(protocolSchema.shape)];
}

export type Changes = Readonly<Record<string, unknown>>;

/** The method that changes mean. */
export const methodIn = ({ method = defaultMethod }: Changes): string => String(method);

/** Changes without those that a method has no option for. */
export function ownChanges(changes: Changes, method: string): Changes {
  const names = settingNames(method);
  return Object.fromEntries(Object.entries(changes).filter(([name]) => names.includes(name)));
}

/**
 * Settings in force: those given, the defaults for the rest.
 * @throws OptionError for an option that the method does not have, and when options do not go together
 */
export function settingsOf(changes: Changes): Settings {
  const pick = (of: (name: string) => boolean) =>
    Object.fromEntries(Object.entries(changes).filter(([name]) => of(name)));
  const isProtocol = (name: string) => name in protocolSchema.shape;
  const { seed: _, ...options } = methodOf(methodIn(changes)).options(pick((name) => !isProtocol(name)) as never);
  return { ...options, ...protocolSchema.parse(pick(isProtocol)) };
}

/** The options of the method among the settings, with a seed. */
export function optionsOf(settings: Settings, seed: number): TrainingOptions {
  const method = methodOf(settings.method);
  const options = Object.entries(settings).filter(([name]) => name in method.schema.shape);
  return method.options({ ...Object.fromEntries(options), seed } as never);
}
