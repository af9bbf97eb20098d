import type { Worker as BullWorker } from "bullmq";
import sharp from "sharp";
import { openScorer, type Scorer } from "../scoring/scorer.ts";
import type { LogEntry } from "../service/options.ts";
import { scorerFacts } from "../store/score-stored.ts";
import { type ChunkData, meanChunk } from "./chunks.ts";
import { fullError, isFull, prefix, serverNotes } from "./connection.ts";
import { Budget } from "./gates.ts";
import { WorkerMetrics } from "./metrics.ts";
import { PictureJobs } from "./picture-jobs.ts";
import { Presence } from "./presence.ts";
import { openQueue, type PictureQueue, pause } from "./queue.ts";
import { PictureReader } from "./reader.ts";
import { redacted } from "./redact.ts";
import { GroupedWrites, openResults } from "./results.ts";
import type { Results } from "./shared-results.ts";
import { expectWorkerOptions, type WorkerOptions } from "./worker-options.ts";

/** How long Redis has at the end to take back what is left, milliseconds. */
const closingMs = 10_000;

/**
 * Opens queue, store and model, and begins to take jobs. Each picture gets one result in the store, by the SHA-256 of its content and what scored it,
 * however often workers end in the middle.
 * @throws QueueError, StoreError; as `openScorer`; RangeError for a number that means nothing
 */
export async function openWorker(options: WorkerOptions): Promise<PictureWorker> {
  expectWorkerOptions(options);
  const log = options.log ?? (() => {});
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
  readonly #jobs: PictureJobs;
  readonly #worker: BullWorker<ChunkData>;
  readonly #log: (entry: LogEntry) => void;
  readonly #stop = new AbortController();
  readonly #ended = Promise.withResolvers<void>();
  #presence: Presence | undefined;
  #draining: Promise<void> | undefined;

  /** Use {@link openWorker}. */
  constructor(options: WorkerOptions, { queue, results, scorer, number }: Opened) {
    this.#options = options;
    this.scorer = scorer;
    this.queue = queue;
    this.#results = results;
    this.#log = options.log ?? (() => {});
    this.done = this.#ended.promise;
    const {
      concurrency = scorer.ahead,
      lockSeconds = 30,
      heldBytes = 2 ** 28,
      urls = false,
      root,
      urlSeconds = 30,
      mostEnds = 4,
    } = options;
    const budget = new Budget(heldBytes);
    const fetching = urls === true ? {} : urls || undefined;
    const reader = new PictureReader({ root, fetching, urlSeconds, maxBytes: options.scorer?.maxBytes ?? 2 ** 28 });
    const writes = new GroupedWrites(results, number);
    const tools = { scorer, reader, results, writes, number, budget, signal: this.#stop.signal };
    this.metrics = new WorkerMetrics({
      status: () => queue.status(),
      inHand: () => this.#jobs.inHand,
      heldBytes: () => budget.held,
      ready: () => this.ready,
    });
    this.#jobs = new PictureJobs({ queue, tools, metrics: this.metrics, concurrency, mostEnds, log: this.#log });
    this.#worker = new queue.connection.bull.Worker<ChunkData>(
      queue.name,
      (job, token) => this.#jobs.process(job, token!),
      {
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
      },
    );
    this.#worker.on("error", (error) => this.#told(error));
  }

  /** Whether it takes jobs: Redis answers, the model has a device, and nobody has asked it to end. */
  get ready(): boolean {
    return !this.#draining && this.queue.connection.isReady && this.scorer.ready;
  }

  /** Begins to take jobs; called once, by {@link openWorker}. */
  start(): void {
    this.#worker.run().catch((error: Error) => this.#told(error));
    this.#presence = new Presence(this.queue.connection, this.queue.name);
    if (this.#options.untilEmpty) void this.#endWhenEmpty();
    const { signal } = this.#options;
    signal?.addEventListener("abort", () => void this.drain(), { once: true });
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
    this.#jobs.stop();
    this.#log({ level: "info", event: "draining", pictures: this.#jobs.inHand });
    // While Redis is away its jobs cannot be given back; others take them when they see that this worker is gone.
    const closed = this.#worker.close().catch((error: Error) => this.#told(error));
    while (this.#jobs.inHand > 0) await pause(20);
    void this.#presence?.[Symbol.asyncDispose]();
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
