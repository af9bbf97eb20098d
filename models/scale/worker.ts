import { randomUUID } from "node:crypto";
import type { Worker as BullWorker, Job } from "bullmq";
import sharp from "sharp";
import { expectNames } from "../../engine/arguments.ts";
import { Limit } from "../data/prefetch.ts";
import { openScorer, type Scorer, type ScorerOptions } from "../scoring/scorer.ts";
import type { FetchingOptions } from "../service/fetch-picture.ts";
import type { LogEntry } from "../service/options.ts";
import { scorerFacts } from "../store/score-stored.ts";
import { StoreError } from "../store/store-error.ts";
import { type ChunkData, meanChunk, packed, unpacked } from "./chunks.ts";
import { fullError, isFull, prefix, serverNotes } from "./connection.ts";
import type { Failure } from "./failure.ts";
import { Budget, Gate } from "./gates.ts";
import { WorkerMetrics } from "./metrics.ts";
import { type Outcome, scoreOne, type Tools } from "./picture-work.ts";
import {
  defaultTries,
  keysOf,
  openQueue,
  type PictureQueue,
  pause,
  type QueueOptions,
  workerLapseMs,
} from "./queue.ts";
import { PictureReader } from "./reader.ts";
import { redacted } from "./redact.ts";
import { GroupedWrites, openResults } from "./results.ts";
import type { Results } from "./shared-results.ts";

/** How {@link openWorker} opens a worker. */
export interface WorkerOptions extends Pick<QueueOptions, "name" | "signal" | "waits"> {
  /** Address of the Redis, such as `redis://user:password@host:6379`. */
  readonly queue: string;
  /** Where results go: a file of SQLite, for workers of one machine, or `postgres://user:password@host/database`. */
  readonly store: string;
  /** The model, and how pictures are shown to it. */
  readonly scorer?: Omit<ScorerOptions, "onBatch" | "onNote" | "onDeviceLost">;
  /** The folder that relative names lie in; nothing outside of it is read then. */
  readonly root?: string;
  /** Whether pictures are fetched by their URL, from public addresses only; then how. @default false */
  readonly urls?: boolean | FetchingOptions;
  /** Time for a picture that is named by its URL to come, seconds. @default 30 */
  readonly urlSeconds?: number;
  /** Pictures that are begun at a time. @default as many as keep the scorer's batches full */
  readonly concurrency?: number;
  /** Bytes of pictures that are held at a time. @default 268435456 (256 MiB) */
  readonly heldBytes?: number;
  /** How often the worker of a picture may end at once before the picture is given up: the first time beside others, then alone. @default 4 */
  readonly mostEnds?: number;
  /** A worker that has said nothing for so long is taken for ended, and its jobs go to others, seconds. @default 30 */
  readonly lockSeconds?: number;
  /** Ends by itself when the queue is empty. @default false */
  readonly untilEmpty?: boolean;
  /** Takes the log: what happened, never what a picture is called. */
  readonly log?: (entry: LogEntry) => void;
}

const names = {
  name: true,
  signal: true,
  waits: true,
  queue: true,
  store: true,
  scorer: true,
  root: true,
  urls: true,
  urlSeconds: true,
  concurrency: true,
  heldBytes: true,
  mostEnds: true,
  lockSeconds: true,
  untilEmpty: true,
  log: true,
} satisfies Record<keyof WorkerOptions, true>;

/** A picture that was given up, as Redis keeps it. */
interface DeadLetter {
  readonly picture: string;
  readonly failure: Failure;
  readonly tries: number;
}

/** Ends a job that BullMQ is to try again, some time later. */
class TriedAgain extends Error {
  override name = "TriedAgain";
}

type PictureJob = Job<ChunkData>;

/** How long a job waits when store or Redis fail, milliseconds. */
const laterMs = 5000;
/** How long Redis has at the end to take back what is left, milliseconds. */
const closingMs = 10_000;

/**
 * Opens queue, store and model, and begins to take jobs. Each picture gets one result in the store, by the SHA-256 of its content and what scored it,
 * however often workers end in the middle.
 * @throws QueueError, StoreError; as `openScorer`; RangeError for a number that means nothing
 */
export async function openWorker(options: WorkerOptions): Promise<PictureWorker> {
  expectNames("openWorker", options, names);
  const log = options.log ?? (() => {});
  for (const name of ["concurrency", "heldBytes", "mostEnds", "lockSeconds", "urlSeconds"] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isFinite(value) && value >= 1 && value < 2 ** 40))
      throw new RangeError(`\`${name}\` must be at least 1, got ${value}`);
  }
  // What is wrong is told before a device is opened.
  await using opened = new AsyncDisposableStack();
  const note = (message: string) => log({ level: "warn", event: "note", message: redacted(message) });
  const { name, signal, waits } = options;
  const queue = opened.use(
    await openQueue(options.queue, {
      ...(name !== undefined && { name }),
      ...(signal && { signal }),
      ...(waits !== undefined && { waits }),
      onNote: note,
    }),
  );
  for (const each of await serverNotes(queue.connection)) note(each);
  const results = opened.use(await openResults(options.store));
  let metrics: WorkerMetrics | undefined;
  const scorer = opened.use(
    await openScorer({
      features: true,
      sharpness: true,
      ...options.scorer,
      onBatch: (report) => metrics?.batch(report),
      onNote: note,
      onDeviceLost: ({ message }) => log({ level: "error", event: "device-lost", message }),
    }),
  );
  const number = await results.scorer(await scorerFacts(scorer));
  // Kernels are compiled with the first picture, which should be none of the queue's: a worker that is killed meanwhile harms none.
  await scorer.score(sharp({ create: { width: 64, height: 64, channels: 3, background: "gray" } }).png());
  const worker = new PictureWorker(options, { queue, results, scorer, number });
  ({ metrics } = worker);
  opened.move();
  worker.start();
  return worker;
}

interface Opened {
  readonly queue: PictureQueue;
  readonly results: Results;
  readonly scorer: Scorer;
  readonly number: number;
}

/** Takes jobs from a queue and scores their pictures; made by {@link openWorker}. */
export class PictureWorker implements AsyncDisposable {
  readonly scorer: Scorer;
  readonly queue: PictureQueue;
  readonly metrics: WorkerMetrics;
  /** Resolves when the worker has ended: after {@link drain}, or by itself when the queue is empty and that was asked for. */
  readonly done: Promise<void>;
  readonly #options: WorkerOptions;
  readonly #results: Results;
  readonly #tools: Tools;
  readonly #worker: BullWorker<ChunkData>;
  readonly #log: (entry: LogEntry) => void;
  readonly #limit: Limit;
  readonly #gate = new Gate();
  readonly #stop = new AbortController();
  readonly #ended = Promise.withResolvers<void>();
  readonly #mostEnds: number;
  readonly #id = randomUUID();
  #telling: NodeJS.Timeout | undefined;
  #inHand = 0;
  #draining: Promise<void> | undefined;

  /** Use {@link openWorker}. */
  constructor(options: WorkerOptions, { queue, results, scorer, number }: Opened) {
    this.#options = options;
    this.scorer = scorer;
    this.queue = queue;
    this.#results = results;
    this.#log = options.log ?? (() => {});
    this.#mostEnds = options.mostEnds ?? 4;
    this.done = this.#ended.promise;
    const {
      concurrency = scorer.ahead,
      lockSeconds = 30,
      heldBytes = 2 ** 28,
      urls = false,
      root,
      urlSeconds = 30,
    } = options;
    this.#limit = new Limit(concurrency);
    const budget = new Budget(heldBytes);
    const fetching = urls === true ? {} : urls || undefined;
    const reader = new PictureReader({ root, fetching, urlSeconds, maxBytes: options.scorer?.maxBytes ?? 2 ** 28 });
    const writes = new GroupedWrites(results, number);
    this.#tools = { scorer, reader, results, writes, number, budget, signal: this.#stop.signal };
    this.metrics = new WorkerMetrics({
      status: () => queue.status(),
      inHand: () => this.#inHand,
      heldBytes: () => budget.held,
      ready: () => this.ready,
    });
    this.#worker = new queue.connection.bull.Worker<ChunkData>(queue.name, (job, token) => this.#process(job, token!), {
      connection: queue.connection.redis,
      prefix,
      autorun: false,
      // Jobs enough for the pictures that may be begun, and one that is being ended.
      concurrency: Math.ceil(concurrency / meanChunk) + 1,
      lockDuration: 1000 * lockSeconds,
      stalledInterval: 1000 * Math.max(1, lockSeconds / 2),
      // How often a worker may end is counted for pictures, not for jobs.
      maxStalledCount: 2 ** 30,
      drainDelay: 2,
      removeOnComplete: { count: 0 },
    });
    this.#worker.on("error", (error) => this.#told(error));
  }

  /** Whether it takes jobs: Redis answers, the model has a device, and nobody has asked it to end. */
  get ready(): boolean {
    return !this.#draining && this.queue.connection.isReady && this.scorer.ready;
  }

  /** Begins to take jobs; called once, by {@link openWorker}. */
  start(): void {
    this.#worker.run().catch((error: Error) => this.#told(error));
    this.#tellOfIt();
    this.#telling = setInterval(() => this.#tellOfIt(), workerLapseMs / 4);
    this.#telling.unref();
    if (this.#options.untilEmpty) void this.#endWhenEmpty();
    const { signal } = this.#options;
    signal?.addEventListener("abort", () => void this.drain(), { once: true });
  }

  /** Says that it works, for those who count workers. */
  #tellOfIt(): void {
    const { redis, isReady } = this.queue.connection;
    const { workers } = keysOf(this.queue.name);
    if (!isReady) return;
    const now = Date.now();
    redis
      .pipeline()
      .zadd(workers, now, this.#id)
      .zremrangebyscore(workers, "-inf", now - 10 * workerLapseMs)
      .exec()
      .catch(() => {});
  }

  /** Takes no more pictures, finishes those that are begun, and gives the rest of its jobs back to the queue. */
  drain(): Promise<void> {
    this.#draining ??= this.#end();
    return this.#draining;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  async #end(): Promise<void> {
    this.#log({ level: "info", event: "draining", pictures: this.#inHand });
    // While Redis is away its jobs cannot be given back; others take them when they see that this worker is gone.
    const closed = this.#worker.close().catch((error: Error) => this.#told(error));
    while (this.#inHand > 0) await pause(20);
    clearInterval(this.#telling);
    const { redis, isReady } = this.queue.connection;
    if (isReady) void redis.zrem(keysOf(this.queue.name).workers, this.#id).catch(() => {});
    await within(closed, closingMs);
    this.#stop.abort(new Error("the worker has ended"));
    await this.scorer.close();
    await this.#results[Symbol.asyncDispose]();
    await within(this.queue.close(), closingMs);
    this.#ended.resolve();
  }

  async #endWhenEmpty(): Promise<void> {
    for (let quiet = 0; !this.#draining; ) {
      const status = await this.queue.status().catch(() => undefined);
      const jobs = status ? status.waiting + status.active + status.delayed : 1;
      quiet = jobs === 0 ? quiet + 1 : 0;
      // Seen twice: a job may be on its way from one list to another.
      if (quiet === 2) break;
      await pause(quiet > 0 ? 100 : 500);
    }
    await this.drain();
  }

  async #process(job: PictureJob, token: string): Promise<unknown> {
    const { WaitingError, DelayedError } = this.queue.connection.bull;
    try {
      const isSuspect = job.stalledCounter > 0;
      const { outcomes, settled, left, ends } = isSuspect
        ? await this.#gate.alone(() => this.#oneByOne(job))
        : await this.#all(job);
      const passing = outcomes.filter((one) => "failure" in one && one.failure.kind === "passing");
      const again = passing.map(({ picture }) => picture);
      const isLast = job.attemptsMade + 1 >= (job.opts.attempts ?? defaultTries);
      const retries = passing.length > 0 && !isLast;
      const ended = outcomes.filter((one) => !settled.has(one) && !(retries && passing.includes(one)));
      await this.#settle(ended, (picture) => ends?.[picture] ?? job.attemptsMade + 1);
      if (left.length > 0) {
        await job.updateData({ ...packed(retries ? [...again, ...left] : left), ...(ends && { ends }) });
        await job.moveToWait(token);
        this.metrics.job("given back");
        throw new WaitingError();
      }
      if (retries) {
        await job.updateData({ ...packed(again), ...(ends && { ends }) });
        this.metrics.job("retried");
        const { failure } = passing[0] as Extract<Outcome, { failure: Failure }>;
        throw new TriedAgain(`${again.length} pictures are tried again, such as for: ${failure.error}`);
      }
      this.metrics.job("done");
      return outcomes.map(told);
    } catch (error) {
      if (error instanceof WaitingError || error instanceof TriedAgain) throw error;
      // No fault of the pictures, such as a store that is away: the job waits, and its tries are not counted.
      const event = error instanceof StoreError ? "store" : isFull(error) ? "redis-full" : "job";
      this.#log({ level: "error", event, message: redacted((error as Error).message) });
      await job.moveToDelayed(Date.now() + laterMs, token);
      throw new DelayedError();
    }
  }

  /** Scores the pictures of a job beside those of others, until the worker is to end. */
  async #all(job: PictureJob) {
    const pictures = unpacked(job.data);
    const left: string[] = [];
    const begin = (picture: string) =>
      this.#limit.run(async (): Promise<Outcome | undefined> => {
        if (!this.#draining) return this.#gate.together(() => this.#one(picture));
        left.push(picture);
        return undefined;
      });
    const settled = await Promise.allSettled(pictures.map(begin));
    const failed = settled.find((one) => one.status === "rejected");
    if (failed) throw failed.reason;
    const outcomes = settled.flatMap((one) => (one.status === "fulfilled" && one.value ? [one.value] : []));
    return { outcomes, settled: new Set<Outcome>(), left, ends: job.data.ends };
  }

  /**
   * The pictures of a job whose worker has ended, one after another and alone, each told to Redis before it is begun: a picture that ends
   * its worker is known by that, and given up when it has done so as often as is allowed.
   */
  async #oneByOne(job: PictureJob) {
    const ends: Record<string, number> = { ...job.data.ends };
    const { at } = job.data;
    // In company, the first time, any of them may have ended the worker.
    if (at !== undefined) ends[at] = (ends[at] ?? 1) + 1;
    const outcomes: Outcome[] = [];
    const settled = new Set<Outcome>();
    // That one last: whoever ends its workers keeps no other from being scored.
    const all = unpacked(job.data);
    let left = at !== undefined && all.includes(at) ? [...all.filter((one) => one !== at), at] : all;
    for (const picture of [...left]) {
      if (this.#draining) break;
      // Those that are to be tried again stay in the job, which another worker may have to go on with.
      const again = outcomes.flatMap((one) => (settled.has(one) ? [] : [one.picture]));
      await job.updateData({ ...packed([...again, ...left]), at: picture, ends });
      const outcome =
        (ends[picture] ?? 1) >= this.#mostEnds
          ? await this.#endedBy(picture, ends[picture]!)
          : await this.#one(picture);
      outcomes.push(outcome);
      if (!("failure" in outcome && outcome.failure.kind === "passing")) {
        settled.add(outcome);
        await this.#settle([outcome], (one) => ends[one] ?? job.attemptsMade + 1);
      }
      left = left.filter((each) => each !== picture);
    }
    return { outcomes, settled, left, ends };
  }

  /** The outcome of a picture that has ended its workers. */
  async #endedBy(picture: string, times: number): Promise<Outcome> {
    const error = `Its worker ended ${times} times while it was scored, the last times with this picture alone.`;
    await this.#results.noteUnread(picture, undefined, error);
    return { picture, failure: { reason: "worker-ended", error, kind: "picture" } };
  }

  async #one(picture: string): Promise<Outcome> {
    this.#inHand++;
    const start = performance.now();
    try {
      const outcome = await scoreOne(picture, this.#tools);
      const word =
        "score" in outcome
          ? outcome.stored
            ? "stored"
            : "scored"
          : outcome.failure.kind === "passing"
            ? "retried"
            : "dead";
      this.metrics.picture(word, (performance.now() - start) / 1000);
      return outcome;
    } finally {
      this.#inHand--;
    }
  }

  /** Counts what ended, and keeps why pictures were given up. */
  async #settle(outcomes: readonly Outcome[], tries: (picture: string) => number): Promise<void> {
    if (outcomes.length === 0) return;
    const dead = outcomes.flatMap((one) => ("failure" in one ? [{ ...one, tries: tries(one.picture) }] : []));
    const scored = outcomes.filter((one) => "score" in one && !one.stored).length;
    await this.#bury(dead);
    const counting = this.queue.connection.redis.pipeline();
    const { tally, dead: letters } = keysOf(this.queue.name);
    // What was given up before and has a score now is no dead letter any more.
    const good = outcomes.flatMap((one) => ("score" in one ? [one.picture] : []));
    if (good.length > 0) counting.hdel(letters, ...good);
    for (const [field, count] of Object.entries({
      scored,
      stored: outcomes.length - scored - dead.length,
      dead: dead.length,
    }))
      if (count > 0) counting.hincrby(tally, field, count);
    await counting.exec();
  }

  async #bury(letters: readonly DeadLetter[]): Promise<void> {
    if (letters.length === 0) return;
    const { redis } = this.queue.connection;
    const fields = letters.flatMap(({ picture, failure: { reason, error }, tries }) => [
      picture,
      JSON.stringify({ reason, error, tries, at: Date.now() }),
    ]);
    await redis.hset(keysOf(this.queue.name).dead, ...fields);
    const reasons = Object.entries(Object.groupBy(letters, ({ failure }) => failure.reason));
    for (const [reason, some] of reasons)
      this.#log({ level: "warn", event: "given-up", reason, pictures: some!.length });
  }

  /** Errors of BullMQ; those of the connection are told by it. */
  #told(error: Error): void {
    if (isFull(error)) {
      const { message, advice } = fullError(this.queue.place, error);
      this.#log({ level: "error", event: "redis-full", message, advice });
    } else if (
      !/ECONN|ETIMEDOUT|ENOTFOUND|EPIPE|Connection is closed|^READONLY|^LOADING|EAI_AGAIN/.test(
        `${(error as NodeJS.ErrnoException).code} ${error.message}`,
      )
    )
      this.#log({ level: "warn", event: "queue", message: redacted(error.message) });
  }
}

/** Waits for work, but no longer than that. */
async function within(work: Promise<unknown>, milliseconds: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, milliseconds);
  await Promise.race([work, late.promise]);
  clearTimeout(timer);
}

/** An outcome as the events of the queue tell it. */
function told(outcome: Outcome): object {
  if ("score" in outcome) return outcome;
  const { reason, error } = outcome.failure;
  return { picture: outcome.picture, reason, error };
}
