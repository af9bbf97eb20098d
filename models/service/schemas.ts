import { createRoute, z } from "@hono/zod-openapi";
import { cullReasons } from "../culling/reason.ts";
import { headNames } from "../networks/heads.ts";
import { reasons } from "../reasons/names.ts";
import { typicalityWords } from "../trust/typicality.ts";
import { problemSchema } from "./problem.ts";

const rangeSchema = z.tuple([z.number(), z.number()]).openapi({
  description: "Ends of the scale of scores, the lowest quality first",
  example: [0, 100],
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

/** A picture in the order of its burst. */
export const rankedSchema = scoreSchema
  .extend({
    rank: z.int().min(1).openapi({ description: "1 for the best" }),
    points: z.number().max(0).openapi({
      description: "0 for one that is behind in nothing, and below; comparable within the request alone",
    }),
    sharpness: z.number().min(0).max(1).openapi({
      description: "Sharpness of its tiles over that of the sharpest picture",
    }),
    reason: z.enum(cullReasons).optional().openapi({
      description: "What most sets it behind the first; absent of the first",
    }),
    words: z.string().openapi({ description: "Why it has this place", example: "softer than a.jpg" }),
  })
  .openapi("RankedPicture");

export const rankingSchema = z
  .object({
    model: z.string(),
    range: rangeSchema,
    direction: z.literal("higher is better"),
    pictures: z.array(z.union([rankedSchema, failureSchema])),
  })
  .openapi("Ranking");

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

const modelQuery = {
  model: z.string().optional().openapi({ description: "Name of the model; the first one unless given" }),
};

// What nothing here validates by: the bytes of pictures are the decoder's to judge, also where their type says nothing.
const file = { type: "string" as const, format: "binary" };
const rawBody = { "image/*": { schema: file }, "application/octet-stream": { schema: file }, "*/*": { schema: file } };
const files = { anyOf: [file, { type: "array" as const, items: file }] };
const form = { "multipart/form-data": { schema: { type: "object" as const, additionalProperties: files } } };
// By reference, or the router would read and check such bodies itself, without limits.
const names = {
  "application/json": { schema: { $ref: "#/components/schemas/PictureUrls" } },
  "application/x-ndjson": { schema: { $ref: "#/components/schemas/PictureUrls" } },
};

const problem = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: problemSchema } },
});
const refusals = {
  400: problem("The body or the form is broken"),
  401: problem("The bearer token is missing or wrong"),
  403: problem("A web page of another origin, or a name that is not the service's (where it asks for no token)"),
  404: problem("There is no such model"),
  408: problem("The body came too slowly"),
  413: problem("The body, the number of pictures or a picture is too large"),
  415: problem("The body is no picture, or of a kind that cannot be decoded"),
  422: problem("A picture is empty, truncated or damaged, or the request makes no sense"),
  429: problem("The queue is full; Retry-After says when to come again"),
  500: problem("The service failed"),
  503: problem("The device was lost, time ran out, or the service is being shut down"),
};

const security = [{ bearer: [] }];

/** The routes, as they validate requests and as `/openapi.json` describes them. */
export const routes = {
  score: createRoute({
    method: "post",
    path: "/v1/score",
    summary: "Score pictures",
    description:
      "One picture as the body, or several as files of a form, or by their URLs. Of several, one that cannot be scored becomes a row with a problem; a single one is answered with the problem itself.",
    security,
    request: {
      query: z.object({
        ...modelQuery,
        percentiles: z.enum(["0", "1"]).default("0").openapi({
          description: "1: with the place of each score among those of the request, and in the model's reference",
        }),
      }),
      body: { required: true, content: { ...rawBody, ...form, ...names } },
    },
    responses: {
      200: {
        description: "The scores, in the order of the pictures",
        content: { "application/json": { schema: answerSchema } },
      },
      ...refusals,
    },
  }),
  rank: createRoute({
    method: "post",
    path: "/v1/rank",
    summary: "Order the pictures of a burst, the best first, with reasons",
    description:
      "Several pictures of one moment as files of a form, or by their URLs. They are compared with each other: sharpness of their sharpest tiles, clipping, darkness, noise, compression, size and score. Those that cannot be scored come last, with a problem each.",
    security,
    request: { query: z.object(modelQuery), body: { required: true, content: { ...rawBody, ...form, ...names } } },
    responses: {
      200: { description: "The order", content: { "application/json": { schema: rankingSchema } } },
      ...refusals,
    },
  }),
  stream: createRoute({
    method: "post",
    path: "/v1/score/stream",
    summary: "Score pictures, a line of JSON for each as soon as those before it are scored",
    description:
      "The body is read as pictures are scored: the first lines may come before its end. Once they do, what is wrong with the body is a Failure with `ends`, and the last line.",
    security,
    request: { query: z.object(modelQuery), body: { required: true, content: { ...rawBody, ...form, ...names } } },
    responses: {
      200: {
        description: "A Score or a Failure a line, in the order of the pictures",
        content: { "application/x-ndjson": { schema: z.union([scoreSchema, failureSchema]) } },
      },
      ...refusals,
    },
  }),
  explain: createRoute({
    method: "post",
    path: "/v1/explain",
    summary: "Score the tiles of a picture: which parts look better than others",
    security,
    request: {
      query: z.object({
        ...modelQuery,
        tiles: z.coerce.number().int().min(1).max(64).default(32).openapi({ description: "The most tiles" }),
        format: z
          .enum(["json", "png"])
          .default("json")
          .openapi({ description: "The map, or the map drawn over the picture" }),
      }),
      body: { required: true, content: rawBody },
    },
    responses: {
      200: {
        description: "The map",
        content: { "application/json": { schema: mapSchema }, "image/png": { schema: file } },
      },
      ...refusals,
    },
  }),
  models: createRoute({
    method: "get",
    path: "/v1/models",
    summary: "The models that pictures can be scored with",
    security,
    responses: {
      200: { description: "The models", content: { "application/json": { schema: modelsSchema } } },
      401: refusals[401],
      403: refusals[403],
    },
  }),
  health: createRoute({
    method: "get",
    path: "/health",
    summary: "Whether the process answers",
    responses: { 200: { description: "It does", content: { "application/json": { schema: healthSchema } } } },
  }),
  ready: createRoute({
    method: "get",
    path: "/ready",
    summary: "Whether pictures can be scored now",
    responses: {
      200: { description: "They can", content: { "application/json": { schema: readySchema } } },
      503: {
        description: "The device is being opened again, or the service is being shut down",
        content: { "application/json": { schema: readySchema } },
      },
    },
  }),
  metrics: createRoute({
    method: "get",
    path: "/metrics",
    summary: "Figures for Prometheus",
    security,
    responses: {
      200: { description: "The exposition format", content: { "text/plain": { schema: z.string() } } },
      401: refusals[401],
      403: refusals[403],
    },
  }),
};
