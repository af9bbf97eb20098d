import { randomUUID } from "node:crypto";
import { expectNames } from "../../engine/arguments.ts";
import { DecoderPool } from "../data/pictures/decoding/pool.ts";
import { openScorer, type Scorer, type ScorerOptions } from "../scoring/scorer.ts";
import { type AccessOptions, checkOrigins } from "./access.ts";
import { type FetchingOptions, fetchingNames } from "./fetch-picture.ts";
import { Metrics } from "./metrics.ts";
import { type Limits, type LimitsInput, type LogEntry, limitsOf, limitsSchema } from "./options.ts";
import { Problem, problemOf } from "./problem.ts";
import { type Router, routerOf } from "./router.ts";
import { type Account, Work } from "./work.ts";

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
  /** Decodes the pictures of all scorers. */
  readonly #decoderPool: DecoderPool | undefined;
  readonly #app: Router;
  readonly #active = new Set<Promise<unknown>>();
  #draining = false;

  /** Use {@link openService}. */
  constructor(limits: Limits, { token, urls, log = () => {}, hosts, corsOrigins }: ServiceOptions) {
    this.limits = limits;
    this.#log = log;
    const { decoders: processes, decodeSeconds, decoderBytes: memoryBytes } = limits;
    const pooling = { seconds: decodeSeconds, memoryBytes, ...(processes !== undefined && { processes }) };
    this.#decoderPool = processes === 0 ? undefined : new DecoderPool(pooling);
    this.#metrics = new Metrics({
      queue: () => this.#work.admission.pictures,
      heldBytes: () => this.#work.admission.bytes,
      ready: () => this.#readiness(),
    });
    const onFailure = (entry: Account, error: unknown) => this.#logFailure(entry, error);
    const fetching = urls === true ? {} : urls || undefined;
    this.#work = new Work({ limits, metrics: this.#metrics, decoderPool: this.#decoderPool, fetching, onFailure });
    this.#app = routerOf({
      ...{ limits, token, work: this.#work, metrics: this.#metrics, scorers: this.#scorers },
      access: { ...(hosts && { hosts }), ...(corsOrigins && { corsOrigins }) },
      readiness: () => this.#readiness(),
      isDraining: () => this.#draining,
      failed: (error, entry) => this.#failed(error, entry),
    });
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
    const response = await answering().catch((error: unknown) => this.#failed(error, account));
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

  #readiness(): Record<string, boolean> {
    return Object.fromEntries([...this.#scorers].map(([name, { ready }]) => [name, ready]));
  }

  #failed(error: unknown, entry: Account): Response {
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
