import { z } from "@hono/zod-openapi";
import { keptLookSchema } from "../culling/kept-look.ts";
import { cullReasons } from "../culling/reason.ts";
import { headNames } from "../networks/heads.ts";
import { reasons } from "../reasons/names.ts";
import { typicalityWords } from "../trust/typicality.ts";
import { problemSchema } from "./problem.ts";

const rangeSchema = z.tuple([z.number(), z.number()]).openapi({
  description: "Ends of the scale of scores, the lowest quality first",
  example: [0, 100],
});

/** What is compared of a picture: given by the routes that score, taken by the one that groups. */
const lookSchema = z.strictObject(keptLookSchema.shape).openapi("Look", {
  description:
    "What tells bursts and compares their pictures, as `look=1` asks for it: hash, small outline, sharpness, exposure, time of capture. It is for `/v1/group` of the same version",
});

/** A picture's score: what `Scorer.score` gives, and which picture it is. */
export const scoreSchema = z
  .object({
    index: z.int().min(0).openapi({ description: "Place among the pictures of the request" }),
    name: z.string(),
    score: z.number().openapi({ description: "Expected quality on the scale of the range; higher is better" }),
    range: rangeSchema,
    standardDeviation: z.number().optional().openapi({
      description: "Of the predicted probabilities, on the same scale; absent where the model gives a score alone",
    }),
    confidence: z.number().min(0).max(1).optional().openapi({ description: "Of the same; 1 is sure" }),
    ensembleDeviation: z.number().optional().openapi({
      description: "Standard deviation of the scores of the model's heads, on the same scale, where it has several",
    }),
    class: z.int().min(0).optional().openapi({
      description: "The most probable class, 0 for the lowest quality, where the model tells classes",
    }),
    classProbability: z.number().min(0).max(1).optional(),
    interval: z
      .object({ low: z.number(), high: z.number(), level: z.number().gt(0).lt(1) })
      .optional()
      .openapi({
        description:
          "Where people's mean opinion lies with probability `level`, on the same scale, where the model was calibrated",
      }),
    typicality: z
      .object({
        share: z.number().min(0).max(1).openapi({ description: "Of known photographs that are less typical" }),
        word: z.enum(typicalityWords),
      })
      .optional()
      .openapi({
        description:
          "How much the picture is like the photographs that the model knows, where it says so; a score of what is unlike them means little",
      }),
    histogram: z.array(z.number()).optional().openapi({
      description:
        "Predicted probability of each member of the score set, evenly spread over the range, or of each class, which cut the range into equal widths; absent where the model gives a score alone",
    }),
    reasons: z
      .array(z.object({ reason: z.enum(reasons), probability: z.number().min(0).max(1) }))
      .optional()
      .openapi({
        description:
          "What most likely lowers the score, the most probable first; empty for a good picture and where nothing of the kind shows; absent where the service tells none, and for pictures of less than 48 pixels",
      }),
    percentile: z.number().min(0).max(100).optional().openapi({
      description:
        "Place among the scores of the request, where `percentiles=1` asks for it: 100 · (b + t / 2) / n, b of the n scores being lower and t equal, itself among them",
    }),
    referencePercentile: z.number().min(0).max(100).optional().openapi({
      description:
        "Place among the scores of the reference that the model carries, where it carries one; asked for alike",
    }),
    look: lookSchema.optional(),
    width: z.int(),
    height: z.int(),
    model: z.string(),
    milliseconds: z.number(),
  })
  .openapi("Score");

/** A picture of several that has no score. */
export const failureSchema = z
  .object({
    index: z.int().min(0),
    name: z.string(),
    error: problemSchema,
    ends: z.literal(true).optional().openapi({
      description: "In a stream: what is wrong with the body itself. This picture and further ones were not looked at",
    }),
  })
  .openapi("Failure");

export const answerSchema = z
  .object({
    model: z.string(),
    range: rangeSchema,
    direction: z.literal("higher is better"),
    pictures: z.array(z.union([scoreSchema, failureSchema])),
  })
  .openapi("Answer");

/** The place of a picture in its burst, and why. */
const placeShape = {
  rank: z.int().min(1).openapi({ description: "1 for the best" }),
  points: z.number().max(0).openapi({
    description: "0 for one that is behind in nothing, and below; comparable within the burst alone",
  }),
  sharpness: z.number().min(0).max(1).openapi({
    description: "Sharpness of its tiles over that of the sharpest picture",
  }),
  reason: z.enum(cullReasons).optional().openapi({
    description: "What most sets it behind the first; absent of the first",
  }),
  words: z.string().openapi({ description: "Why it has this place", example: "softer than a.jpg" }),
};

/** A picture in the order of its burst. */
export const rankedSchema = scoreSchema.extend(placeShape).openapi("RankedPicture");

export const rankingSchema = z
  .object({
    model: z.string(),
    range: rangeSchema,
    direction: z.literal("higher is better"),
    pictures: z.array(z.union([rankedSchema, failureSchema])),
  })
  .openapi("Ranking");

/** Pictures whose looks are sent at once: their hashes are compared with each other. */
export const mostGrouped = 20_000;

const scoredShape = {
  score: z.number(),
  range: rangeSchema,
  interval: scoreSchema.shape.interval,
};

export const groupRequestSchema = z
  .strictObject({
    pictures: z
      .array(
        z.strictObject({
          name: z.string().max(4096),
          look: lookSchema,
          scored: z
            .object(scoredShape)
            .optional()
            .openapi({ description: "Its score; compared where all of a group have one" }),
        }),
      )
      .min(1)
      .max(mostGrouped),
    keep: z.int().min(1).default(1).openapi({ description: "Pictures kept of each group" }),
    burstGapSeconds: z
      .number()
      .min(0)
      .optional()
      .openapi({ description: "Seconds from one picture of a burst to the next of the same camera, at most" }),
    similarity: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .openapi({ description: "Mean likeness to the pictures of a group from which on one belongs to it" }),
  })
  .openapi("GroupRequest");

export const groupingSchema = z
  .object({
    pictures: z.array(
      z
        .object({
          index: z.int().min(0).openapi({ description: "Place among the pictures of the request" }),
          name: z.string(),
          group: z.int().min(1),
          groupSize: z.int().min(1),
          ...placeShape,
          decision: z.enum(["keep", "reject"]),
        })
        .openapi("GroupedPicture"),
    ),
  })
  .openapi("Grouping");

export const modelSchema = z
  .object({
    name: z.string(),
    range: rangeSchema,
    direction: z.literal("higher is better"),
    backbone: z.string(),
    resize: z.int().openapi({ description: "Side to which pictures are resized where cropFrom says so, pixels" }),
    crop: z.int().openapi({ description: "Side of the parts that the network sees, pixels" }),
    cropFrom: z.enum(["resized", "original"]).openapi({
      description:
        "Whether the part that is scored is the middle of the resized picture or of the one at original size",
    }),
    crops: z.int().min(1).openapi({
      description: "More than 1: the score is the mean over so many parts anywhere in the picture at original size",
    }),
    tiles: z.int().min(0).openapi({
      description:
        "More than 0: the score is the mean over a grid of at most so many tiles at original size that covers the picture; larger ones are reduced until it does",
    }),
    head: z.enum(headNames).openapi({
      description:
        "What the network gives: a distribution over the score set, a score alone, the scores of several heads, or probabilities of classes",
    }),
    levels: z.int().optional().openapi({ description: "Members of the score set, classes, or heads" }),
    batch: z.int().openapi({ description: "The most pictures taken through the network at once" }),
    ready: z.boolean(),
  })
  .openapi("Model");

export const modelsSchema = z.object({ models: z.array(modelSchema) }).openapi("Models");
export const healthSchema = z.object({ status: z.literal("ok") }).openapi("Health");
export const readySchema = z
  .object({ ready: z.boolean(), draining: z.boolean(), models: z.record(z.string(), z.boolean()) })
  .openapi("Ready");

export const mapSchema = z
  .object({
    model: z.string(),
    rows: z.int(),
    columns: z.int(),
    scores: z.array(z.array(z.number())).openapi({ description: "Scores of the tiles by rows, from the upper left" }),
    tile: z.int().openapi({ description: "Side of a tile, pixels" }),
    range: rangeSchema,
    width: z.int(),
    height: z.int(),
  })
  .openapi("QualityMap");

const httpUrl = z.url({ protocol: /^https?$/ }).openapi({ example: "https://example.org/photo.jpg" });

/** A picture by its URL. */
export const urlSchema = z.object({ url: httpUrl });

/** Pictures by their URLs. */
export const urlsSchema = z
  .union([urlSchema, z.object({ urls: z.array(httpUrl).min(1) })])
  .openapi("PictureUrls", { description: "Taken where the service fetches pictures (`--allow-urls`)" });
