import { z } from "zod";
import { backboneNames, poolings } from "../backbones/index.ts";
import { OptionError, optionsBy, side, some, wholeFromZero } from "../options.ts";
import { headNames } from "./heads.ts";
import { expectPair, expectPatches, isTransformer } from "./seen-sides.ts";
import { expectReadOptions } from "./unread-options.ts";

export { isTransformer };

/** Entries of an answer unless `levels` says otherwise: members of the score set, and classes. */
const defaultLevels = { distribution: 100, classes: 5, ensemble: 8 } as const;

/** Words of the option `network`. */
export const networkNames = ["standard", "reiqa", "reiqa-quality", "dbcnn", "hyperiqa", "paired", "branches"] as const;

export type NetworkName = (typeof networkNames)[number];

const depths = z.array(some).max(1000).default([]);
const sides = z.array(z.number().int().min(32).max(8192)).max(8).default([]);

/** Options that say what a network is. */
export const networkShape = {
  network: z
    .enum(networkNames)
    .default("standard")
    .describe(
      "what is made of the backbone's maps: a pooled feature, a shorter one and the answer (standard); the same of two such backbones, each of which sees a picture whole and at half its size (reiqa); that for quality alone, which sees it whole (reiqa-quality); products with the map of a branch that knows distortions (dbcnn); a small net whose weights are the picture's own (hyperiqa); the features of two unlike backbones, each of which sees pictures at sizes of its own (paired); or two such backbones, each with a score of its own (branches)",
    ),
  encoders: z
    .enum(["both", "content", "quality"])
    .default("both")
    .describe(
      "of the network reiqa: its backbones: one that sees pictures as it does elsewhere (content), one that sees them without normalisation (quality), or both. All count as one section",
    ),
  backbone: z.enum(backboneNames).default("resnet18").describe("network below the head"),
  stages: z.number().int().min(1).max(4).default(4).describe("stages of a ResNet that are used, 1 to 4"),
  featureDepths: depths.describe(
    "sections of the backbone after which its map is pooled, all pooled maps being the feature; sections after the deepest are left out; none for the last alone. A section is the stem or embedding, or a block",
  ),
  second: z
    .enum(backboneNames)
    .default("resnet18")
    .describe("of the networks paired and branches: its second backbone"),
  secondDepths: depths.describe("of the networks paired and branches: `featureDepths` of the second backbone"),
  sides: sides.describe(
    "of the networks paired and branches: sides of the squares that the first backbone sees, pixels, all made of the crop; none for the crop itself",
  ),
  secondSides: sides.describe("of the networks paired and branches: `sides` of the second backbone"),
  pooling: z
    .enum(poolings)
    .default("standard")
    .describe(
      "how a map is pooled: class token (ViT) or mean over the places (others), or with mean and standard deviation over the places beside it",
    ),
  featureNorm: z
    .enum(["none", "batch", "fixed"])
    .default("none")
    .describe(
      "normalisation of the pooled feature, for entries of very different sizes: by batch norm, or by mean and deviation of the labelled pictures before training",
    ),
  frozen: wholeFromZero
    .default(0)
    .describe(
      "sections of the backbone, from the input on, that keep their start weights; what they make of a picture is computed once and kept on disk",
    ),
  embedding: z
    .number()
    .int()
    .min(0)
    .max(65_536)
    .default(256)
    .describe("length of the feature that the graph is built on; 0 for the pooled one, without a layer between"),
  dropout: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe(
      "share of that feature's entries that training sets to 0 at random before the logits (Srivastava et al. 2014)",
    ),
  stochasticDepth: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe(
      "of a vision transformer: how likely training leaves out a residual branch of the last block for a picture; blocks before it are left out less, the first never (Huang et al. 2016)",
    ),
  head: z
    .enum(headNames)
    .default("distribution")
    .describe(
      "what the network gives of a picture: a distribution over the score set, a score alone, the scores of several heads, whose mean is the score (ensemble), or probabilities of ordered classes",
    ),
  levels: z
    .number()
    .int()
    .min(2)
    .max(10_000)
    .default(defaultLevels.distribution)
    .describe(
      `m, the size of the score set; with the head classes their number, which is ${defaultLevels.classes} unless given, with the head ensemble that of the heads, ${defaultLevels.ensemble} unless given`,
    ),
  classesBy: z
    .enum(["width", "quantile", "histogram"])
    .default("width")
    .describe(
      "with the head classes: what makes them: equal widths of the scale (or `classEdges`), equal numbers of labelled pictures, or for each picture the grade that most gave",
    ),
  classEdges: z
    .array(z.number().gt(1).lt(100))
    .max(9999)
    .default([])
    .describe(
      "with the head classes: where they meet, ascending on the scale 1 to 100; none for what `classesBy` says, which a model keeps here",
    ),
  precision: z
    .enum(["f32", "f16"])
    .default("f32")
    .describe(
      "how feature maps lie in memory in training; f16 takes half, with f32 parameters and a moving loss scale",
    ),
  seed: z.number().int().min(0).default(1).describe("seed of every random choice in training"),
};

/** Options that say what a network is shown of a picture. */
export const viewShape = {
  resize: side.default(256).describe("pictures are resized to a square of this side, pixels"),
  crop: side.default(224).describe("side of the square that the network sees, pixels"),
  cropFrom: z
    .enum(["resized", "original"])
    .default("resized")
    .describe(
      "what crops are cut from: the square that a picture is resized to, or the picture at its own size (enlarged to a crop when it is smaller)",
    ),
  trainCrops: some.default(1).describe("random crops of each picture in an epoch of training"),
  flip: z.boolean().default(true).describe("mirror pictures at random in training"),
  views: some
    .default(2)
    .describe(
      "with frozen sections: crops of a picture that are computed: the centre, its mirror image, then others; training draws among them",
    ),
  tokenShare: z
    .number()
    .positive()
    .max(1)
    .default(1)
    .describe(
      "with frozen sections of a vision transformer: share of the patches, drawn for each picture and step, that training takes through the sections that learn (Liu et al. 2023, PatchDropout)",
    ),
  testCrops: some
    .default(1)
    .describe(
      "crops that a test score is the mean of: 1 is the centre of what `cropFrom` says, more are random ones at original size",
    ),
  testResize: z
    .number()
    .int()
    .min(0)
    .max(8192)
    .default(0)
    .describe(
      "of pictures that are resized: the side of the square whose centre a test score is of, pixels, such as `crop` for the whole picture; 0 for `resize`",
    ),
  testTiles: z
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(0)
    .describe(
      "a test score is the mean over a grid of at most so many tiles at original size that covers the picture; larger pictures are reduced until it does; 0 for `testCrops`",
    ),
};

const modelSchema = z.strictObject({ ...networkShape, ...viewShape });

export type NetworkOptions = z.infer<z.ZodObject<typeof networkShape>>;
export type ViewOptions = z.infer<z.ZodObject<typeof viewShape>>;
/** Options of a network and of its views, the only ones that opening and using a model take. */
export type ModelOptions = NetworkOptions & ViewOptions;

/** Options with the defaults that depend on their head. */
export function withHeadDefaults<Input extends { readonly head?: unknown; readonly levels?: unknown }>(
  input: Input,
): Input {
  const { head, levels } = input;
  if (levels !== undefined || (head !== "classes" && head !== "ensemble")) return input;
  return { ...input, levels: defaultLevels[head] };
}

/**
 * Options of a model, whatever method trained it.
 * @throws OptionError naming the option, what was given and what is allowed
 */
export function modelOptions(input: Record<string, unknown>): ModelOptions {
  const options = optionsBy(modelSchema, withHeadDefaults(input) as z.input<typeof modelSchema>);
  expectModelOptions(options);
  return options;
}

/** The options that are a model's, and those of the method that trained it. */
export function partedOptions(options: Readonly<Record<string, unknown>>) {
  const entries = Object.entries(options);
  const isModels = ([name]: [string, unknown]) => name in modelSchema.shape;
  return {
    model: Object.fromEntries(entries.filter(isModels)),
    method: Object.fromEntries(entries.filter((entry) => !isModels(entry))),
  };
}

/** @throws OptionError when options of classes are for another head, or do not go together */
function expectClassOptions({ head, levels, classesBy, classEdges }: ModelOptions): void {
  const said = classEdges.length > 0 ? `\`classEdges\` ${classEdges}` : `\`classesBy\` ${classesBy}`;
  if (head !== "classes") {
    if (classEdges.length === 0 && classesBy === "width") return;
    throw new OptionError(`${said} says what classes are, and the \`head\` ${head} has none; give \`head\` classes`);
  }
  if (classEdges.length === 0) return;
  if (classesBy === "histogram")
    throw new OptionError(`${said} and \`classesBy\` histogram both say which pictures are of a class; give one`);
  if (classEdges.length !== levels - 1)
    throw new OptionError(
      `${said} cut the scale into ${classEdges.length + 1} classes, \`levels\` is ${levels}; give ${levels - 1} edges, or \`levels\` ${classEdges.length + 1}`,
    );
  if (classEdges.some((edge, i) => i > 0 && edge <= classEdges[i - 1]!))
    throw new OptionError(`${said}: give each edge once, in ascending order`);
}

/** @throws OptionError when there are no encoders to choose among, or they cannot see a picture at half its size */
function expectEncoders({ network, encoders, backbone }: ModelOptions): void {
  if (network !== "reiqa" && encoders !== "both")
    throw new OptionError(`\`encoders\` ${encoders}: the \`network\` ${network} has none; give \`network\` reiqa`);
  if (network.startsWith("reiqa") && isTransformer({ backbone }))
    throw new OptionError(
      `\`backbone\` ${backbone}: the \`network\` ${network} sees pictures at two sizes, and vision transformers are made for one; give a convolutional one`,
    );
}

/** Side of the square that evaluation resizes pictures to. */
export function shownSide({ testResize, resize }: Pick<ModelOptions, "testResize" | "resize">): number {
  return testResize || resize;
}

/** @throws OptionError where nothing is resized to it, or it is smaller than what is cut from it */
function expectTestResize({ testResize, crop, cropFrom, frozen, testCrops, testTiles }: ModelOptions): void {
  if (testResize === 0) return;
  const said = `\`testResize\` ${testResize}`;
  if (testResize < crop) throw new OptionError(`${said} is smaller than \`crop\` ${crop}, which is cut from it`);
  if (cropFrom === "original" || testCrops > 1 || testTiles > 0)
    throw new OptionError(
      `${said}: with \`cropFrom\` original, \`testCrops\` or \`testTiles\` scores are of pictures at their own size; leave it out`,
    );
  if (frozen > 0)
    throw new OptionError(
      `${said}: with \`frozen\` ${frozen} all views are kept of pictures resized to \`resize\`; leave one of them out`,
    );
}

/** @throws OptionError when options of a model do not go together */
export function expectModelOptions(options: ModelOptions): void {
  if (options.head === "score" && options.levels !== defaultLevels.distribution) {
    throw new OptionError(
      `\`levels\` ${options.levels}: a network with the \`head\` score gives one number; leave \`levels\` out`,
    );
  }
  expectClassOptions(options);
  expectReadOptions(options);
  if (options.crop > options.resize && options.cropFrom === "resized") {
    throw new OptionError(
      `\`crop\` ${options.crop} is larger than \`resize\` ${options.resize}; pictures are cropped after they are resized`,
    );
  }
  expectTestResize(options);
  if (options.testTiles > 0 && options.testCrops > 1) {
    throw new OptionError(
      `\`testTiles\` ${options.testTiles} and \`testCrops\` ${options.testCrops} both say what a test score is the mean of; give one`,
    );
  }
  if (options.crop < 32) throw new OptionError(`\`crop\` ${options.crop}: the backbone needs at least 32 pixels`);
  if (options.stages < 4 && !options.backbone.startsWith("resnet")) {
    throw new OptionError(
      `\`stages\` ${options.stages}: only ResNets can be cut to fewer stages, ${options.backbone} cannot`,
    );
  }
  expectEncoders(options);
  if (options.stochasticDepth > 0 && !isTransformer(options)) {
    throw new OptionError(
      `\`stochasticDepth\` ${options.stochasticDepth}: only vision transformers leave branches out, ${options.backbone} cannot`,
    );
  }
  if (options.tokenShare < 1 && !isTransformer(options)) {
    throw new OptionError(
      `\`tokenShare\` ${options.tokenShare}: only vision transformers have tokens, ${options.backbone} has none`,
    );
  }
  if (options.tokenShare < 1 && options.frozen === 0) {
    throw new OptionError(
      `\`tokenShare\` ${options.tokenShare}: tokens are drawn from what frozen sections leave; give \`frozen\``,
    );
  }
  for (const name of ["featureDepths", "secondDepths"] as const) {
    if (options[name].some((depth, i) => i > 0 && depth <= options[name][i - 1]!))
      throw new OptionError(`\`${name}\` ${options[name]}: give each depth once, in ascending order`);
  }
  expectPair(options);
  expectPatches(options);
}
