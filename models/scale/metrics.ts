import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { BatchReport } from "../scoring/network.ts";
import type { QueueStatus } from "./queue.ts";

/** What {@link WorkerMetrics} asks for when it is read. */
export interface Observed {
  /** Where the queue is; rejects while Redis is away. */
  readonly status: () => Promise<QueueStatus>;
  readonly inHand: () => number;
  readonly heldBytes: () => number;
  readonly ready: () => boolean;
}

/** The time over which rates and shares are taken, seconds. */
const windowSeconds = 60;

/** What a worker has done lately. */
interface Moment {
  readonly at: number;
  readonly pictures: number;
  readonly busySeconds: number;
}

/** What Prometheus is told of a worker and its queue. No name of a picture and no address is among it. */
export class WorkerMetrics {
  readonly #registry = new Registry();
  readonly #pictures = new Counter({
    name: "acutance_worker_pictures_total",
    help: "Pictures of this worker by outcome: scored, stored (known before), dead (given up), retried",
    labelNames: ["outcome"],
    registers: [this.#registry],
  });
  readonly #jobs = new Counter({
    name: "acutance_worker_jobs_total",
    help: "Jobs of this worker by outcome: done, retried, given back",
    labelNames: ["outcome"],
    registers: [this.#registry],
  });
  readonly #seconds = new Histogram({
    name: "acutance_worker_picture_seconds",
    help: "From the start of a picture to its result in the store",
    buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100],
    registers: [this.#registry],
  });
  readonly #busy = new Counter({
    name: "acutance_worker_busy_seconds_total",
    help: "Time in which batches were at the adapter, by the host's clock",
    registers: [this.#registry],
  });
  readonly #batches = new Histogram({
    name: "acutance_worker_batch_size",
    help: "Pictures, or parts of them, taken through the network at once",
    buckets: [1, 2, 4, 8, 16, 32, 64],
    registers: [this.#registry],
  });
  readonly #queueJobs = new Gauge({
    name: "acutance_queue_jobs",
    help: "Jobs of the queue by state",
    labelNames: ["state"],
    registers: [this.#registry],
  });
  readonly #queue = {
    reached: this.#plain(
      "reached",
      "1 when Redis answered for these figures; 0: they are of the last time that it did",
    ),
    pictures: this.#plain("pictures", "Pictures without result and dead letter, about"),
    oldestSeconds: this.#plain("oldest_seconds", "Since the oldest waiting job was sent"),
    dead: this.#plain("dead_pictures", "Pictures that were given up"),
    workers: this.#plain("workers", "Workers that are connected"),
    workerSeconds: this.#plain(
      "worker_seconds",
      "Seconds that one worker as fast as this one would need for what is left; divided by the seconds that it may take, the workers to have",
    ),
  };
  readonly #status: () => Promise<QueueStatus>;
  #moments: Moment[] = [{ at: performance.now() / 1000, pictures: 0, busySeconds: 0 }];
  #done = 0;
  #busySeconds = 0;

  constructor({ status, inHand, heldBytes, ready }: Observed) {
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(value());
        },
      });
    gauge("acutance_worker_ready", "1 while it takes jobs", () => (ready() ? 1 : 0));
    gauge("acutance_worker_in_hand", "Pictures that it has begun", inHand);
    gauge("acutance_worker_held_bytes", "Bytes of pictures that it holds", heldBytes);
    gauge(
      "acutance_worker_pictures_per_second",
      `Pictures it ended a second, over the last ${windowSeconds} s`,
      () => this.perSecond,
    );
    gauge(
      "acutance_worker_busy_share",
      `Share of the last ${windowSeconds} s in which batches were at the adapter`,
      () => this.busyShare,
    );
    gauge("process_resident_memory_bytes", "Resident memory size in bytes", () => process.memoryUsage.rss());
    this.#status = status;
  }

  /** Pictures that ended a second, of late. */
  get perSecond(): number {
    return this.#lately(({ pictures }) => pictures);
  }

  /** Share of the time in which batches were at the adapter, of late. */
  get busyShare(): number {
    return Math.min(
      1,
      this.#lately(({ busySeconds }) => busySeconds),
    );
  }

  picture(outcome: "scored" | "stored" | "dead" | "retried", seconds: number): void {
    this.#pictures.inc({ outcome });
    this.#seconds.observe(seconds);
    if (outcome !== "retried") this.#done++;
  }

  job(outcome: "done" | "retried" | "given back"): void {
    this.#jobs.inc({ outcome });
  }

  batch({ size, milliseconds }: BatchReport): void {
    this.#batches.observe(size);
    this.#busy.inc(milliseconds / 1000);
    this.#busySeconds += milliseconds / 1000;
  }

  /** The exposition format of Prometheus. */
  async text(): Promise<{ readonly text: string; readonly type: string }> {
    await this.#look();
    return { text: await this.#registry.metrics(), type: this.#registry.contentType };
  }

  /** Takes the figures of the queue, all of one answer. */
  async #look(): Promise<void> {
    const found = await this.#status().catch(() => undefined);
    const { reached, workerSeconds, ...figures } = this.#queue;
    reached.set(found ? 1 : 0);
    if (!found) return;
    for (const state of ["waiting", "active", "delayed"] as const) this.#queueJobs.set({ state }, found[state]);
    for (const [name, gauge] of Object.entries(figures)) gauge.set(found[name as keyof typeof figures]);
    if (this.perSecond > 0) workerSeconds.set(found.pictures / this.perSecond);
  }

  #plain(name: string, help: string): Gauge {
    return new Gauge({ name: `acutance_queue_${name}`, help, registers: [this.#registry] });
  }

  /** By how much a figure has grown a second over the last minute, or since the start where that is less. */
  #lately(figure: (moment: Moment) => number): number {
    const now = { at: performance.now() / 1000, pictures: this.#done, busySeconds: this.#busySeconds };
    if (now.at - this.#moments.at(-1)!.at >= 1) this.#moments.push(now);
    while (this.#moments.length > 1 && now.at - this.#moments[1]!.at > windowSeconds) this.#moments.shift();
    const first = this.#moments[0]!;
    return now.at > first.at ? (figure(now) - figure(first)) / (now.at - first.at) : 0;
  }
}
