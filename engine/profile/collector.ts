import type { Device } from "../device/device.ts";
import type { Call } from "../kernel/call.ts";
import type { StreamObserver } from "../kernel/observer.ts";
import { DirectQueue } from "../kernel/observer.ts";
import { AdapterClock, type Anchor } from "./adapter-clock.ts";
import { CacheFlush } from "./cache-flush.ts";
import { ConditionWatch, type Stretch } from "./conditions.ts";
import { type Fenced, FencedQueue } from "./fenced-queue.ts";
import type { TimedEvent } from "./figures.ts";
import type { Profile } from "./profile.ts";
import { RawDispatches } from "./raw-dispatches.ts";
import { currentScope } from "./scopes.ts";
import { Stamps } from "./stamps.ts";

/** One dispatch or transfer as it ran. */
export interface CallEvent extends TimedEvent {
  readonly call: Call;
  /** Names given to the work around it. */
  readonly scope: string;
  beginMs: number;
  endMs: number;
}

/** Takes the times of everything a device does, from {@link start} to {@link stop}. */
export class Collector implements StreamObserver {
  readonly events: CallEvent[] = [];
  readonly #device: Device;
  #stamps: Stamps | undefined;
  #clock: AdapterClock | undefined;
  #startMs = 0;
  #driftMs = 0;
  #raw: RawDispatches | undefined;
  #conditions: ConditionWatch | undefined;
  readonly #flush: CacheFlush | undefined;
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

  /** @param coldCache whether every dispatch finds the caches filled with something else */
  constructor(device: Device, coldCache = false) {
    this.#device = device;
    if (coldCache) this.#flush = new CacheFlush(device.gpu);
  }

  /** Whether caches are cold. */
  get coldCache(): boolean {
    return this.#flush !== undefined;
  }

  /** What the machine did meanwhile, by the host's clock. */
  get stretches(): readonly Stretch[] {
    return this.#conditions?.stretches ?? [];
  }

  /** When the profile began, by the host's clock. */
  get startMs(): number {
    return this.#startMs;
  }

  get alone(): boolean {
    return !this.#stamps;
  }

  /** What the times were taken from. */
  get clock(): Profile["clock"] {
    if (!this.#stamps || !this.#clock) return { source: "wall", stepNanoseconds: 0 };
    const alignment = { uncertaintyMs: this.#clock.uncertaintyMs, driftMs: this.#driftMs };
    return { source: "timestamp", stepNanoseconds: this.#stamps.stepNanoseconds, alignment };
  }

  /** Dispatches by raw calls, which are not among the events. */
  get rawDispatches(): number {
    return this.#raw?.count ?? 0;
  }

  /** Waits for what was recorded before and installs itself. */
  async start(): Promise<void> {
    const device = this.#device;
    await device.finish();
    if (device.features.has("timestamp-query")) await this.#tryTimestamps();
    if (!this.#stamps) device.stream.queue = new FencedQueue(device.gpu.queue, (submit) => this.#fence(submit));
    this.#startMs = performance.now();
    this.#unlabel = device.labels.hold();
    this.#raw = new RawDispatches(device.gpu);
    this.#conditions = new ConditionWatch();
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
      this.#raw?.stop();
      this.#conditions?.stop();
    }
    if (!this.#stamps || !this.#clock) return;
    await this.#stamps.settle();
    this.#driftMs = await this.#clock.driftMs();
    this.#stamps.dispose();
    this.#flush?.destroy();
  }

  pass(encoder: GPUCommandEncoder, call: Call, cold: boolean): GPUComputePassEncoder {
    const start = performance.now();
    this.#flush?.record(encoder);
    const event = this.#add(call, cold, start);
    const writes = this.#stamps?.around((begin, end) => this.#stamped(event, begin, end));
    const begin = () => encoder.beginComputePass(writes && { timestampWrites: writes });
    const pass = this.#raw ? this.#raw.own(begin) : begin();
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
      scope: currentScope(),
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
    event.beginMs = this.#clock!.hostMs(begin) - this.#startMs;
    event.endMs = this.#clock!.hostMs(end) - this.#startMs;
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

  /** Timestamps that do not go on as the host's clock does are not taken. */
  async #tryTimestamps(): Promise<void> {
    const stamps = new Stamps(this.#device.gpu);
    this.#clock = await AdapterClock.open(
      () => this.#anchor(stamps),
      () => stamps.stepNanoseconds / 1e6,
    );
    if (this.#clock) this.#stamps = stamps;
    else stamps.dispose();
  }

  /** A timestamp between two looks at the host's clock. */
  async #anchor(stamps: Stamps): Promise<Anchor> {
    const { gpu } = this.#device;
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
    return { stamp, before, after };
  }
}
