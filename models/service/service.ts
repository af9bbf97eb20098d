import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { cors } from "hono/cors";
import { getPath } from "hono/utils/url";
import { expectNames } from "../../engine/arguments.ts";
import packageJson from "../../package.json" with { type: "json" };
import { DecoderPool } from "../data/pictures/decoding/pool.ts";
import type { QualityMap } from "../scoring/explain.ts";
import { openScorer, type Scorer, type ScorerOptions } from "../scoring/scorer.ts";
import { type AccessOptions, checkAccess, checkOrigins } from "./access.ts";
import { type FetchingOptions, fetchingNames } from "./fetch-picture.ts";
import { Metrics } from "./metrics.ts";
import { type Limits, type LimitsInput, type LogEntry, limitsOf, limitsSchema } from "./options.ts";
import { servicePage } from "./page.ts";
import { withPercentiles } from "./percentiles.ts";
import { Problem, problemOf } from "./problem.ts";
import { routes, urlsSchema } from "./schemas.ts";
import { type Account, mutable, Work } from "./work.ts";

/** How {@link openService} opens a service. */
export interface ServiceOptions extends AccessOptions {
  /** Its models, at least one; the first is taken where a request names none. They share a device unless told otherwise. The limits of the service set their `maxPixels`. */
  readonly models: readonly ScorerOptions[];
  readonly limits?: LimitsInput;
  /** What clients must send as bearer token, to all routes but `/` (a page without data), `/health`, `/ready` and `/openapi.json`. None unless given. */
  readonly token?: string;
  /**
   * Whether pictures may be named by their URL, in JSON or a line of JSON for each; then how they are fetched. Never from addresses
   * that are not public. @default false
   */
  readonly urls?: boolean | FetchingOptions;
  /** Takes the log: what happened, never what a picture shows or is called. */
  readonly log?: (entry: LogEntry) => void;
}

const names = {
  models: true,
  limits: true,
  token: true,
  urls: true,
  log: true,
  hosts: true,
  corsOrigins: true,
} satisfies Record<keyof ServiceOptions, true>;

/** What a server knows of a request besides. */
export interface Arrival {
  /** Address that it came from: one client cannot take all places. */
  readonly client?: string | undefined;
  /** Called once, when the answer is complete but for what the server still has to send. */
  readonly onEnd?: () => void;
  /** Whether other code had the request before. @default false */
  readonly isHosted?: boolean;
}

type Environment = { Variables: { account: Account } };

/**
 * Opens the models and the HTTP service over them. It listens nowhere: give {@link Service.fetch} to a server, or mount it in an
 * application.
 * @throws as `openScorer`; RangeError for limits that mean nothing, without a model, with two of one name, for an
 * empty token or an origin that is none
 */
export async function openService(options: ServiceOptions): Promise<Service> {
  expectNames("openService", options, names);
  if (options.limits) expectNames("openService: limits", options.limits, limitsSchema.shape);
  if (typeof (options.urls ?? true) !== "boolean")
    expectNames("openService: urls", options.urls as FetchingOptions, fetchingNames);
  const limits = limitsOf(options.limits ?? {});
  if (options.models.length === 0) throw new RangeError("a service needs at least one model");
  if (options.token === "") throw new RangeError("the token is empty: leave it out where none is asked for");
  checkOrigins(options.corsOrigins ?? []);
  const service = new Service(limits, options);
  try {
    for (const model of options.models) await service.add(model);
  } catch (error) {
    await service.close();
    throw error;
  }
  return service;
}

/** Scores pictures over HTTP; made by {@link openService}. */
export class Service {
  readonly limits: Limits;
  readonly #scorers = new Map<string, Scorer>();
  readonly #work: Work;
  readonly #metrics: Metrics;
  readonly #log: (entry: LogEntry) => void;
  readonly #tokenHash: Buffer | undefined;
  readonly #access: AccessOptions;
  /** Decodes the pictures of all scorers. */
  readonly #decoderPool: DecoderPool | undefined;
  readonly #app: OpenAPIHono<Environment>;
  readonly #active = new Set<Promise<unknown>>();
  #draining = false;

  /** Use {@link openService}. */
  constructor(limits: Limits, { token, urls, log = () => {}, hosts, corsOrigins }: ServiceOptions) {
    this.limits = limits;
    this.#access = { ...(hosts && { hosts }), ...(corsOrigins && { corsOrigins }) };
    this.#log = log;
    const { decoders: processes, decodeSeconds, decoderBytes: memoryBytes } = limits;
    const pooling = { seconds: decodeSeconds, memoryBytes, ...(processes !== undefined && { processes }) };
    this.#decoderPool = processes === 0 ? undefined : new DecoderPool(pooling);
    this.#tokenHash = token === undefined ? undefined : hashOf(token);
    this.#metrics = new Metrics({
      queue: () => this.#work.admission.pictures,
      heldBytes: () => this.#work.admission.bytes,
      ready: () => this.#readiness(),
    });
    const onFailure = (entry: Account, error: unknown) => this.#logFailure(entry, error);
    const fetching = urls === true ? {} : urls || undefined;
    this.#work = new Work({ limits, metrics: this.#metrics, decoderPool: this.#decoderPool, fetching, onFailure });
    this.#app = this.#routed();
  }

  /**
   * Answers a request. Never rejects. A router that hands over its environment and context too, as Hono's `mount` does, is taken
   * for a host that had the request before.
   */
  readonly fetch = (request: Request, ...host: unknown[]): Promise<Response> =>
    this.answer(request, { isHosted: host.length > 1 });

  /** Answers a request for a server that says where it came from and wants to know when it is over. Never rejects. */
  async answer(request: Request, { client, isHosted = false, onEnd = () => {} }: Arrival = {}): Promise<Response> {
    const id = randomUUID();
    const account: Account = { id, route: "(none)", pictures: 0, failed: 0, bytes: 0, client, isHosted };
    const start = performance.now();
    const answering = this.#answer(request, account);
    this.#active.add(answering);
    const response = await answering;
    const end = () => {
      this.#active.delete(answering);
      this.#record(request, account, response.status, performance.now() - start);
      onEnd();
    };
    if (account.streaming) {
      this.#active.add(account.streaming);
      account.streaming.finally(() => this.#active.delete(account.streaming!)).then(end, end);
    } else end();
    return response;
  }

  /** Requests that have come and are not answered completely. */
  get active(): number {
    return this.#active.size;
  }

  /** Refuses further requests and waits until all that came are answered. Scores what was accepted. */
  async drain(): Promise<void> {
    this.#draining = true;
    while (this.#active.size > 0) await Promise.allSettled(this.#active);
  }

  /** Drains, then ends the models. */
  async close(): Promise<void> {
    await this.drain();
    await Promise.all([...this.#scorers.values()].map((scorer) => scorer.close()));
    await this.#decoderPool?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Opens one more model. @throws as `openScorer`; RangeError when there is one of its name */
  async add(options: ScorerOptions): Promise<void> {
    let name = "";
    const scorer = await openScorer({
      ...options,
      maxPixels: this.limits.maxPixels,
      ...(this.#decoderPool && { decoderPool: this.#decoderPool }),
      onBatch: (report) => {
        this.#metrics.batch(name, report);
        options.onBatch?.(report);
      },
      onNote: (note) => {
        this.#log({ level: "warn", event: "model-note", model: name || options.model?.toString(), message: note });
        options.onNote?.(note);
      },
      onDeviceLost: (error) => {
        this.#metrics.loss(name);
        this.#log({ level: "error", event: "device-lost", model: name, message: error.message });
        options.onDeviceLost?.(error);
      },
    });
    name = scorer.name;
    if (this.#scorers.has(name)) {
      await scorer.close();
      throw new RangeError(`two models are called ${JSON.stringify(name)}; name one of them otherwise`);
    }
    this.#scorers.set(name, scorer);
  }

  async #answer(request: Request, account: Account): Promise<Response> {
    // The router handles what is thrown, but for what is no Error.
    const answering = async () => this.#app.fetch(request, { account });
    const response = await answering().catch((error: unknown) => this.#failed(error, { account }));
    response.headers.set("x-request-id", account.id);
    // A connection cannot go on behind a body that nobody reads.
    const { headers, body } = request;
    const hasBody = body !== null || headers.has("transfer-encoding") || Number(headers.get("content-length")) > 0;
    const isLeft = hasBody && !account.isRead && !account.streaming;
    if (this.#draining || isLeft) response.headers.set("connection", "close");
    return response;
  }

  #record(request: Request, account: Account, status: number, milliseconds: number): void {
    const { id, route, pictures, failed, bytes, isCut } = account;
    this.#metrics.request(route, status, milliseconds / 1000);
    const level = status >= 500 ? "error" : status >= 400 || isCut ? "warn" : "info";
    const { method } = request;
    const cut = isCut && { cut: true };
    this.#log({ level, event: "request", id, method, route, status, ...cut, milliseconds, pictures, failed, bytes });
  }

  #routed(): OpenAPIHono<Environment> {
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
    const { corsOrigins } = this.#access;
    if (corsOrigins) app.use(crossOrigin(corsOrigins));
    app.use(async (context, next) => {
      context.set("account", (context.env as { account: Account }).account);
      this.#guard(context);
      await next();
    });
    const page = servicePage(this.limits);
    app.get("/", (context) => {
      account(context, "/");
      return context.body(page.html, 200, page.headers);
    });
    app.openapi(routes.score, async (context) => {
      const { model, percentiles } = context.req.valid("query");
      const scorer = this.#scorer(model);
      const answer = await this.#work.score(context.req.raw, scorer, account(context, routes.score.path));
      const { reference } = scorer.companions;
      return context.json(percentiles === "1" ? withPercentiles(answer, reference?.facts) : answer, 200);
    });
    app.openapi(routes.rank, async (context) => {
      const { model } = context.req.valid("query");
      const scorer = this.#scorer(model);
      return context.json(await this.#work.rank(context.req.raw, scorer, account(context, routes.rank.path)), 200);
    });
    app.openapi(routes.stream, async (context) => {
      const { model } = context.req.valid("query");
      const lines = await this.#work.stream(context.req.raw, this.#scorer(model), account(context, routes.stream.path));
      // The types know no bodies of several documents.
      return context.body(lines, 200, { "content-type": "application/x-ndjson" }) as never;
    });
    app.openapi(routes.explain, async (context) => {
      const { model, tiles, format } = context.req.valid("query");
      const scorer = this.#scorer(model);
      const entry = account(context, routes.explain.path);
      if (format === "png") {
        const use = (map: QualityMap) => map.draw();
        const drawing = await this.#work.explain(context.req.raw, scorer, entry, { tiles, use });
        return context.body(new Uint8Array(drawing), 200, { "content-type": "image/png" });
      }
      const use = async ({ rows, columns, scores, tile, range, width, height }: QualityMap) => ({
        model: scorer.name,
        ...{ rows, columns, tile, width, height },
        range: mutable(range),
        scores: scores.map((row) => [...row]),
      });
      return context.json(await this.#work.explain(context.req.raw, scorer, entry, { tiles, use }), 200);
    });
    app.openapi(routes.models, (context) => {
      account(context, routes.models.path);
      return context.json({ models: [...this.#scorers.values()].map(describe) }, 200);
    });
    app.openapi(routes.health, (context) => {
      account(context, routes.health.path);
      return context.json({ status: "ok" as const }, 200);
    });
    app.openapi(routes.ready, (context) => {
      account(context, routes.ready.path);
      for (const scorer of this.#scorers.values()) if (!scorer.ready) scorer.recover().catch(() => {});
      const models = this.#readiness();
      const ready = !this.#draining && Object.values(models).every(Boolean);
      return context.json({ ready, draining: this.#draining, models }, ready ? 200 : 503);
    });
    app.openapi(routes.metrics, async (context) => {
      account(context, routes.metrics.path);
      const { text, type } = await this.#metrics.text();
      return context.text(text, 200, { "content-type": type });
    });
    this.#document(app);
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
    app.onError((error, context) => this.#failed(error, context.env as { account: Account }));
    return app;
  }

  #document(app: OpenAPIHono<Environment>): void {
    app.openAPIRegistry.registerComponent("securitySchemes", "bearer", { type: "http", scheme: "bearer" });
    app.openAPIRegistry.register("PictureUrls", urlsSchema);
    const { version, description } = packageJson;
    app.doc31("/openapi.json", (context) => {
      account(context, "/openapi.json");
      return { openapi: "3.1.0", info: { title: "Acutance", version, description } };
    });
  }

  /** @throws Problem 403 for web pages of others, 401 without the token, 503 for work while the service is shut down */
  #guard({ req }: Context<Environment>): void {
    checkAccess(req.raw, this.#access);
    // A browser asks without the token whether it may send it.
    const isOpen =
      req.method === "OPTIONS" || ["/", routes.health.path, routes.ready.path, "/openapi.json"].includes(req.path);
    if (!isOpen && this.#tokenHash) {
      const [, given = ""] = /^bearer +(.+)$/i.exec(req.header("authorization") ?? "") ?? [];
      // Hashes have one length, whatever was sent.
      if (!timingSafeEqual(hashOf(given), this.#tokenHash)) {
        throw new Problem(401, "token", "The bearer token is missing or wrong.", {
          headers: { "www-authenticate": "Bearer", connection: "close" },
        });
      }
    }
    if (this.#draining && req.method === "POST") {
      throw new Problem(503, "closing", "The service is being shut down.", { headers: { "retry-after": "5" } });
    }
  }

  #scorer(name: string | undefined): Scorer {
    const scorer = name === undefined ? [...this.#scorers.values()][0] : this.#scorers.get(name);
    if (scorer) return scorer;
    const names = [...this.#scorers.keys()].join(", ");
    throw new Problem(404, "no-model", `There is no model ${JSON.stringify(name)}.`, {
      advice: `There are: ${names}.`,
    });
  }

  #readiness(): Record<string, boolean> {
    return Object.fromEntries([...this.#scorers].map(([name, { ready }]) => [name, ready]));
  }

  #failed(error: unknown, { account: entry }: { readonly account: Account }): Response {
    const problem = problemOf(error);
    const isTold = error instanceof Problem && error.document.code !== "body-read";
    if (problem.status === 500 && !isTold) this.#logFailure(entry, error);
    return problem.response();
  }

  #logFailure({ id, route }: Account, error: unknown): void {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log({ level: "error", event: "failure", id, route, message });
  }
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
