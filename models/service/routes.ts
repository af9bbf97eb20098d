import { createRoute, z } from "@hono/zod-openapi";
import { problemSchema } from "./problem.ts";
import {
  answerSchema,
  failureSchema,
  groupingSchema,
  healthSchema,
  mapSchema,
  modelsSchema,
  rankingSchema,
  readySchema,
  scoreSchema,
} from "./schemas.ts";

const modelQuery = {
  model: z.string().optional().openapi({ description: "Name of the model; the first one unless given" }),
};
const lookQuery = {
  look: z.enum(["0", "1"]).default("0").openapi({
    description: "1: with what tells bursts and compares their pictures, for `/v1/group`",
  }),
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
        ...lookQuery,
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
  group: createRoute({
    method: "post",
    path: "/v1/group",
    summary: "Group pictures into bursts and near-duplicates, the best of each first, with reasons",
    description:
      "Takes what `look=1` gave of each picture, not the pictures: a set may be scored in any number of requests and grouped at once. Groups and orders as `acutance cull` does; a picture that is like no other is a group of its own, and kept.",
    security,
    request: {
      body: {
        required: true,
        content: { "application/json": { schema: { $ref: "#/components/schemas/GroupRequest" } } },
      },
    },
    responses: {
      200: {
        description: "The pictures by group, then rank",
        content: { "application/json": { schema: groupingSchema } },
      },
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
    request: {
      query: z.object({ ...modelQuery, ...lookQuery }),
      body: { required: true, content: { ...rawBody, ...form, ...names } },
    },
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
