import type { Device } from "../device/device.ts";
import type { Call } from "../kernel/call.ts";
import type { StreamObserver } from "../kernel/observer.ts";
import { DirectQueue } from "../kernel/observer.ts";
import { type Fenced, FencedQueue } from "./fenced-queue.ts";
import { Stamps } from "./stamps.ts";

/** One dispatch or transfer as it ran. */
export interface CallEvent {
  readonly call: Call;
  /** The first of its pipeline. */
  readonly cold: boolean;
  /** Number of its submit, from 0. */
  readonly submit: number;
  /** When the host recorded it, and when it ran, in ms from the start. */
  readonly recordedMs: number;
  beginMs: number;
  endMs: number;
  /** Device memory in use when it was recorded. */
  readonly usedBytes: number;
}

/** The clocks must agree on a pause of so many milliseconds. */
const pauseMs = 5;
const anchors = 3;

/** Takes the times of everything a device does, from {@link start} to {@link stop}. */
export class Collector implements StreamObserver {
  readonly events: CallEvent[] = [];
  readonly #device: Device;
  #stamps: Stamps | undefined;
  /** Adds up to ms of the host's clock with ms of the adapter's, which count from `#origin`. */
  #offsetMs = 0;
  #origin = 0n;
  #startMs = 0;
  #unlabel: (() => void) | undefined;
  /** Events of the submit that is being recorded, and of those closed and not handed over. */
  #open: CallEvent[] = [];
  readonly #closed: CallEvent[][] = [];
  /** Submits so far. */
  submits = 0;
  /** Host time spent in recording by the engine and by the collector. */
  hostMs = 0;
  ownMs = 0;
  wallMs = 0;

  constructor(device: Device) {
    this.#device = device;
  }

  get alone(): boolean {
    return !this.#stamps;
  }

  /** What the times were taken from. */
  get clock(): { source: "timestamp" | "wall"; stepNanoseconds: number } {
    return { source: this.#stamps ? "timestamp" : "wall", stepNanoseconds: this.#stamps?.stepNanoseconds ?? 0 };
  }

  /** Waits for what was recorded before and installs itself. */
  async start(): Promise<void> {
    const device = this.#device;
    await device.finish();
    if (device.features.has("timestamp-query")) await this.#tryTimestamps();
    if (!this.#stamps) device.stream.queue = new FencedQueue(device.gpu.queue, (submit) => this.#fence(submit));
    this.#startMs = performance.now();
    this.#unlabel = device.labels.hold();
    device.stream.observer = this;
  }

  /** Waits until everything recorded has run and been timed, and leaves the device as it was. */
  async stop(): Promise<void> {
    const { stream, gpu } = this.#device;
    try {
      await stream.finish();
      this.wallMs = performance.now() - this.#startMs;
    } finally {
      stream.observer = undefined;
      stream.queue = new DirectQueue(gpu.queue);
      this.#unlabel?.();
    }
    await this.#stamps?.settle();
    this.#stamps?.dispose();
  }

  pass(encoder: GPUCommandEncoder, call: Call, cold: boolean): GPUComputePassEncoder {
    const start = performance.now();
    const event = this.#add(call, cold, start);
    const pass = encoder.beginComputePass(
      this.#stamps && { timestampWrites: this.#stamps.around((begin, end) => this.#stamped(event, begin, end)) },
    );
    this.ownMs += performance.now() - start;
    return pass;
  }

  transfer(encoder: GPUCommandEncoder, call: Call, work: () => void): void {
    const event = this.#add(call, false, performance.now());
    const stamps = this.#stamps?.between((begin, end) => this.#stamped(event, begin, end));
    // A transfer has no timestamps of its own: empty passes stand around it.
    if (stamps) encoder.beginComputePass({ timestampWrites: stamps[0] }).end();
    work();
    if (stamps) encoder.beginComputePass({ timestampWrites: stamps[1] }).end();
  }

  close(encoder: GPUCommandEncoder): void {
    const start = performance.now();
    this.#stamps?.resolve(encoder);
    this.#closed.push(this.#open);
    this.#open = [];
    this.submits++;
    this.ownMs += performance.now() - start;
  }

  submitted(): void {
    this.#stamps?.submitted();
    if (this.#stamps) this.#closed.length = 0;
  }

  encoded(milliseconds: number): void {
    this.hostMs += milliseconds;
  }

  #add(call: Call, cold: boolean, nowMs: number): CallEvent {
    const event = {
      call,
      cold,
      submit: this.submits,
      recordedMs: nowMs - this.#startMs,
      beginMs: Number.NaN,
      endMs: Number.NaN,
      usedBytes: this.#device.memoryUse.usedBytes,
    };
    this.events.push(event);
    this.#open.push(event);
    return event;
  }

  #stamped(event: CallEvent, begin: bigint, end: bigint): void {
    event.beginMs = this.#hostMs(begin) - this.#startMs;
    event.endMs = this.#hostMs(end) - this.#startMs;
  }

  #fence(submit: number): Fenced | undefined {
    const events = this.#closed[submit];
    return (startMs, endMs) => {
      for (const event of events ?? []) {
        event.beginMs = startMs - this.#startMs;
        event.endMs = endMs - this.#startMs;
      }
    };
  }

  #hostMs(stamp: bigint): number {
    return Number(stamp - this.#origin) / 1e6 + this.#offsetMs;
  }

  /**
   * Lays the adapter's clock on the host's: a timestamp lies between the host's times before its submit and after its
   * end, and the narrowest such pair counts. Timestamps that do not go on as the host's clock does are not taken.
   */
  async #tryTimestamps(): Promise<void> {
    const { gpu } = this.#device;
    const stamps = new Stamps(gpu);
    const found: { stamp: bigint; before: number; after: number }[] = [];
    for (let i = 0; i < anchors; i++) {
      if (i > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      let stamp = 0n;
      const encoder = gpu.createCommandEncoder();
      const take = (_: bigint, end: bigint) => {
        stamp = end;
      };
      encoder.beginComputePass({ timestampWrites: stamps.around(take) }).end();
      stamps.resolve(encoder);
      const commands = encoder.finish();
      const before = performance.now();
      gpu.queue.submit([commands]);
      await gpu.queue.onSubmittedWorkDone();
      const after = performance.now();
      await stamps.settle();
      found.push({ stamp, before, after });
    }
    const [first, last] = [found[0]!, found.at(-1)!];
    const deviceMs = Number(last.stamp - first.stamp) / 1e6;
    const slackMs = stamps.stepNanoseconds / 1e6 + 0.05 * (last.after - first.before);
    if (deviceMs < last.before - first.after - slackMs || deviceMs > last.after - first.before + slackMs) {
      stamps.dispose();
      return;
    }
    const width = ({ before, after }: { before: number; after: number }) => after - before;
    const best = found.reduce((a, b) => (width(b) < width(a) ? b : a));
    this.#origin = best.stamp;
    this.#offsetMs = (best.before + best.after) / 2;
    this.#stamps = stamps;
  }
}
