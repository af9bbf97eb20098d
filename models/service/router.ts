import { createHash, timingSafeEqual } from "node:crypto";
import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { cors } from "hono/cors";
import { getPath } from "hono/utils/url";
import packageJson from "../../package.json" with { type: "json" };
import type { QualityMap } from "../scoring/explain.ts";
import type { Scorer } from "../scoring/scorer.ts";
import { type AccessOptions, checkAccess } from "./access.ts";
import { groupOf } from "./group.ts";
import type { Metrics } from "./metrics.ts";
import type { Limits } from "./options.ts";
import { servicePage } from "./page.ts";
import { withPercentiles } from "./percentiles.ts";
import { Problem } from "./problem.ts";
import { routes } from "./routes.ts";
import { groupRequestSchema, urlsSchema } from "./schemas.ts";
import { type Account, mutable, type Work } from "./work.ts";

/** What the routes are made of. */
export interface RouterParts {
  readonly limits: Limits;
  readonly token: string | undefined;
  readonly access: AccessOptions;
  readonly work: Work;
  readonly metrics: Metrics;
  /** By their names, the one that is taken where a request names none first. */
  readonly scorers: ReadonlyMap<string, Scorer>;
  readonly readiness: () => Record<string, boolean>;
  readonly isDraining: () => boolean;
  /** The answer to what was thrown. */
  readonly failed: (error: unknown, account: Account) => Response;
}

type Environment = { Variables: { account: Account } };

export type Router = OpenAPIHono<Environment>;

/** The routes of a service; its account comes with each request as the environment. */
export function routerOf(parts: RouterParts): Router {
  const { access, failed } = parts;
  const app = new OpenAPIHono<Environment>({
    // Without a host (HTTP/1.0) Bun gives the path alone.
    getPath: (request) => (/^https?:/.test(request.url) ? getPath(request) : request.url.split("?", 1)[0]!),
    defaultHook: (result) => {
      if (result.success) return;
      const detail = result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
      return new Problem(422, "query", `The query makes no sense: ${detail}.`).response();
    },
  });
  // Before what is refused: pages that may call read that as well.
  if (access.corsOrigins) app.use(crossOrigin(access.corsOrigins));
  const guard = guardOf(parts);
  app.use(async (context, next) => {
    context.set("account", (context.env as { account: Account }).account);
    guard(context);
    await next();
  });
  addPictureRoutes(app, parts);
  addStateRoutes(app, parts);
  addDocument(app);
  app.notFound(({ req: { method, path } }) => {
    const methods = app.routes
      .filter((route) => route.path === path && route.method !== "ALL")
      .map((each) => each.method);
    const allow = [...new Set(methods), ...(methods.includes("GET") ? ["HEAD"] : []), "OPTIONS"].join(", ");
    if (methods.length === 0) return new Problem(404, "no-route", `There is no ${method} ${path}.`).response();
    if (method === "OPTIONS") return new Response(null, { status: 204, headers: { allow } });
    const advice = `It takes ${allow}.`;
    return new Problem(405, "method", `${path} takes no ${method}.`, { advice, headers: { allow } }).response();
  });
  app.onError((error, context) => failed(error, (context.env as { account: Account }).account));
  return app;
}

/** Routes that take pictures. */
function addPictureRoutes(app: Router, { work, scorers }: RouterParts): void {
  app.openapi(routes.score, async (context) => {
    const { model, percentiles, look } = context.req.valid("query");
    const scorer = scorerOf(scorers, model);
    const looks = look === "1";
    const answer = await work.score(context.req.raw, scorer, account(context, routes.score.path), { looks });
    const { reference } = scorer.companions;
    return context.json(percentiles === "1" ? withPercentiles(answer, reference?.facts) : answer, 200);
  });
  app.openapi(routes.rank, async (context) => {
    const { model } = context.req.valid("query");
    const scorer = scorerOf(scorers, model);
    return context.json(await work.rank(context.req.raw, scorer, account(context, routes.rank.path)), 200);
  });
  app.openapi(routes.stream, async (context) => {
    const { model, look } = context.req.valid("query");
    const scorer = scorerOf(scorers, model);
    const looks = look === "1";
    const lines = await work.stream(context.req.raw, scorer, account(context, routes.stream.path), { looks });
    // The types know no bodies of several documents.
    return context.body(lines, 200, { "content-type": "application/x-ndjson" }) as never;
  });
  app.openapi(routes.group, async (context) => {
    const entry = account(context, routes.group.path);
    return context.json(await work.read(context.req.raw, entry, groupRequestSchema, groupOf), 200);
  });
  app.openapi(routes.explain, async (context) => {
    const { model, tiles, format } = context.req.valid("query");
    const scorer = scorerOf(scorers, model);
    const entry = account(context, routes.explain.path);
    if (format === "png") {
      const use = (map: QualityMap) => map.draw();
      const drawing = await work.explain(context.req.raw, scorer, entry, { tiles, use });
      return context.body(new Uint8Array(drawing), 200, { "content-type": "image/png" });
    }
    const use = async ({ rows, columns, scores, tile, range, width, height }: QualityMap) => ({
      model: scorer.name,
      ...{ rows, columns, tile, width, height },
      range: mutable(range),
      scores: scores.map((row) => [...row]),
    });
    return context.json(await work.explain(context.req.raw, scorer, entry, { tiles, use }), 200);
  });
}

/** The page, and routes that tell what the service is and how it does. */
function addStateRoutes(app: Router, { limits, metrics, scorers, readiness, isDraining }: RouterParts): void {
  const page = servicePage(limits);
  app.get("/", (context) => {
    account(context, "/");
    return context.body(page.html, 200, page.headers);
  });
  app.openapi(routes.models, (context) => {
    account(context, routes.models.path);
    return context.json({ models: [...scorers.values()].map(describe) }, 200);
  });
  app.openapi(routes.health, (context) => {
    account(context, routes.health.path);
    return context.json({ status: "ok" as const }, 200);
  });
  app.openapi(routes.ready, (context) => {
    account(context, routes.ready.path);
    for (const scorer of scorers.values()) if (!scorer.ready) scorer.recover().catch(() => {});
    const models = readiness();
    const draining = isDraining();
    const ready = !draining && Object.values(models).every(Boolean);
    return context.json({ ready, draining, models }, ready ? 200 : 503);
  });
  app.openapi(routes.metrics, async (context) => {
    account(context, routes.metrics.path);
    const { text, type } = await metrics.text();
    return context.text(text, 200, { "content-type": type });
  });
}

function addDocument(app: Router): void {
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", { type: "http", scheme: "bearer" });
  app.openAPIRegistry.register("PictureUrls", urlsSchema);
  app.openAPIRegistry.register("GroupRequest", groupRequestSchema);
  const { version, description } = packageJson;
  app.doc31("/openapi.json", (context) => {
    account(context, "/openapi.json");
    return { openapi: "3.1.0", info: { title: "Acutance", version, description } };
  });
}

/** Throws Problem 403 for web pages of others, 401 without the token, 503 for work while the service is shut down. */
function guardOf({ access, token, isDraining }: RouterParts): (context: Context<Environment>) => void {
  const tokenHash = token === undefined ? undefined : hashOf(token);
  return ({ req }) => {
    checkAccess(req.raw, access);
    // A browser asks without the token whether it may send it.
    const isOpen =
      req.method === "OPTIONS" || ["/", routes.health.path, routes.ready.path, "/openapi.json"].includes(req.path);
    if (!isOpen && tokenHash) {
      const [, given = ""] = /^bearer +(.+)$/i.exec(req.header("authorization") ?? "") ?? [];
      // Hashes have one length, whatever was sent.
      if (!timingSafeEqual(hashOf(given), tokenHash)) {
        throw new Problem(401, "token", "The bearer token is missing or wrong.", {
          headers: { "www-authenticate": "Bearer", connection: "close" },
        });
      }
    }
    if (isDraining() && req.method === "POST") {
      throw new Problem(503, "closing", "The service is being shut down.", { headers: { "retry-after": "5" } });
    }
  };
}

/** The scorer of a model, the first unless one is named. @throws Problem 404 */
function scorerOf(scorers: ReadonlyMap<string, Scorer>, name: string | undefined): Scorer {
  const scorer = name === undefined ? [...scorers.values()][0] : scorers.get(name);
  if (scorer) return scorer;
  throw new Problem(404, "no-model", `There is no model ${JSON.stringify(name)}.`, {
    advice: `There are: ${[...scorers.keys()].join(", ")}.`,
  });
}

/** The account of a request, which is found to be of this route. */
function account(context: Context<Environment>, route: string): Account {
  const entry = context.get("account");
  entry.route = route;
  return entry;
}

/** Lets web pages of these origins read the answers. */
function crossOrigin(origins: readonly string[]) {
  return cors({
    origin: origins.includes("*") ? "*" : [...origins],
    allowMethods: ["GET", "POST"],
    allowHeaders: ["authorization", "content-type"],
    exposeHeaders: ["retry-after", "x-request-id"],
    maxAge: 600,
  });
}

function describe(scorer: Scorer) {
  const { name, card, showing, batch, ready } = scorer;
  const { backbone, head, levels } = card.options;
  const { resize, crop, cropFrom, testCrops: crops, testTiles: tiles } = showing;
  const direction = "higher is better" as const;
  const answer = { head, ...(head !== "score" && { levels }) };
  const shown = { resize, crop, cropFrom, crops, tiles };
  return { name, range: mutable(card.range), direction, backbone, ...shown, ...answer, batch, ready };
}

function hashOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
