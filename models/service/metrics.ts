import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { BatchReport } from "../scoring/network.ts";

/** What {@link Metrics} asks for when it is read. */
export interface Observed {
  readonly queue: () => number;
  readonly heldBytes: () => number;
  readonly ready: () => Record<string, boolean>;
}

/** Pictures over which the time that one takes is averaged, at least. */
const recentPictures = 64;

/** What Prometheus is told of the service. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests = new Counter({
    name: "acutance_requests_total",
    help: "Requests answered",
    labelNames: ["route", "status"],
    registers: [this.#registry],
  });
  readonly #seconds = new Histogram({
    name: "acutance_request_seconds",
    help: "From the arrival of a request to its answer",
    labelNames: ["route"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120],
    registers: [this.#registry],
  });
  readonly #pictures = new Counter({
    name: "acutance_pictures_total",
    help: "Pictures by outcome: scored, or why not",
    labelNames: ["outcome"],
    registers: [this.#registry],
  });
  readonly #batches = new Histogram({
    name: "acutance_batch_size",
    help: "Pictures, or parts of them, taken through the network at once",
    labelNames: ["model"],
    buckets: [1, 2, 4, 8, 16, 32, 64],
    registers: [this.#registry],
  });
  readonly #gpuSeconds = new Counter({
    name: "acutance_gpu_seconds_total",
    help: "Time in which batches were at the adapter, by the host's clock",
    labelNames: ["model"],
    registers: [this.#registry],
  });
  readonly #losses = new Counter({
    name: "acutance_device_losses_total",
    help: "Devices that were lost",
    labelNames: ["model"],
    registers: [this.#registry],
  });
  /** Seconds at the adapter and pictures scored, of late. */
  readonly #lately = { seconds: 0, pictures: 0 };

  constructor({ queue, heldBytes, ready }: Observed) {
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(value());
        },
      });
    gauge("acutance_queue_pictures", "Pictures accepted and not yet answered", queue);
    gauge("acutance_held_bytes", "Bytes set aside for bodies of requests", heldBytes);
    gauge("process_resident_memory_bytes", "Resident memory size in bytes", () => process.memoryUsage.rss());
    new Gauge({
      name: "acutance_ready",
      help: "1 while the model has a device to score on",
      labelNames: ["model"],
      registers: [this.#registry],
      collect() {
        for (const [model, isReady] of Object.entries(ready())) this.set({ model }, isReady ? 1 : 0);
      },
    });
  }

  /** Seconds that the adapter takes for a picture with all its parts, over the last ones; 0 before the first. */
  get secondsAPicture(): number {
    const { seconds, pictures } = this.#lately;
    return pictures === 0 ? 0 : seconds / pictures;
  }

  request(route: string, status: number, seconds: number): void {
    this.#requests.inc({ route, status });
    this.#seconds.observe({ route }, seconds);
  }

  /** @param outcome "scored", or the code of the problem that it ended with */
  picture(outcome: string): void {
    this.#pictures.inc({ outcome });
    if (outcome === "scored") this.#lately.pictures++;
  }

  batch(model: string, { size, milliseconds }: BatchReport): void {
    this.#batches.observe({ model }, size);
    this.#gpuSeconds.inc({ model }, milliseconds / 1000);
    const lately = this.#lately;
    if (lately.pictures >= 2 * recentPictures) {
      lately.pictures /= 2;
      lately.seconds /= 2;
    }
    lately.seconds += milliseconds / 1000;
  }

  loss(model: string): void {
    this.#losses.inc({ model });
  }

  /** The exposition format of Prometheus. */
  async text(): Promise<{ readonly text: string; readonly type: string }> {
    return { text: await this.#registry.metrics(), type: this.#registry.contentType };
  }
}
