import { any, type Checks, callback, expectArgument, expectOptions, flag, text, whole } from "../arguments.ts";
import type { Device } from "../device/device.ts";
import { GpuError } from "../device/errors.ts";
import { bufferUsage } from "../kernel/stream.ts";
import { knownRoofs, type Roofs } from "../tune/roofs.ts";
import { BareKernel } from "../tune/stopwatch.ts";
import { aggregate } from "./aggregate.ts";
import { Collector } from "./collector.ts";
import { profileCsv } from "./csv.ts";
import { profilePage } from "./page/profile-page.ts";
import type { Profile } from "./profile.ts";
import { Stamps } from "./stamps.ts";
import { traceEvents } from "./trace-events.ts";

export interface ProfileOptions {
  /** What is profiled, for the record. */
  readonly command?: string;
  /** What the adapter can do at most; those measured earlier on it unless given, null for none. */
  readonly roofs?: Roofs | null;
  /** Single dispatches that the profile lists; 20,000 unless given. All count. */
  readonly eventLimit?: number;
  /** Whether the adapter's caches are filled with something else before each dispatch; not unless given. */
  readonly coldCache?: boolean;
}

const checks: Checks<ProfileOptions> = {
  command: text,
  roofs: any,
  eventLimit: { ...whole(0), error: RangeError },
  coldCache: flag,
};

/**
 * Takes the times of all kernels of a device. While it runs every dispatch has a pass of its own, and results are the same
 * to the bit. The peak of the device's memory report is counted from its start.
 */
export class Profiler {
  readonly #device: Device;
  readonly #collector: Collector;
  readonly #tunings: number;
  readonly #release: () => void;

  private constructor(device: Device, coldCache: boolean) {
    this.#device = device;
    this.#collector = new Collector(device, coldCache);
    this.#tunings = device.tuner.tunings.length;
    this.#release = device.hold();
  }

  /**
   * Profiles everything from now on; the device may be closed before {@link stop}.
   * @param options `coldCache`: see {@link ProfileOptions}
   * @throws GpuError when it is being profiled
   */
  static async start(device: Device, { coldCache = false }: Pick<ProfileOptions, "coldCache"> = {}): Promise<Profiler> {
    if (device.stream.observer) throw new GpuError("this device is being profiled already; stop that profile first");
    const profiler = new Profiler(device, coldCache);
    try {
      device.memory.resetPeak();
      await profiler.#collector.start();
      return profiler;
    } catch (error) {
      profiler.#release();
      throw error;
    }
  }

  /** Waits until all recorded work has run, leaves the device as it was and tells what was found. */
  async stop(options: ProfileOptions = {}): Promise<Profile> {
    const device = this.#device;
    const collector = this.#collector;
    expectOptions("Profiler.stop", options, checks);
    try {
      const memory = device.memoryReport();
      await collector.stop();
      const roofs = options.roofs === undefined ? await knownRoofs(device) : options.roofs;
      return aggregate(device, collector, {
        command: options.command ?? "",
        roofs: roofs ?? null,
        eventLimit: options.eventLimit ?? 20_000,
        memory,
        tunings: device.tuner.tunings.slice(this.#tunings),
        microsecondsPerDispatch: collector.alone ? null : await splittingCost(device),
      });
    } finally {
      this.#release();
    }
  }
}

/** What a piece of work returned, and where the time went, in several forms. */
export interface Profiled<T> {
  readonly result: T;
  readonly profile: Profile;
  /** One HTML page that needs nothing else. */
  toHtml(): string;
  /** Trace events for ui.perfetto.dev, as JSON. */
  toTrace(): string;
  /** One row a kernel, with a header. */
  toCsv(): string;
}

/**
 * Runs `work` and profiles all it does on the device. Dispatches by raw WebGPU calls are only counted (`span.rawDispatches`, mark
 * `raw-dispatches`): `acutance profile -- PROGRAM` times those too.
 * @throws GpuError when the device is being profiled already; what `work` throws
 */
export async function profile<T>(
  device: Device,
  work: () => T | Promise<T>,
  options: ProfileOptions = {},
): Promise<Profiled<T>> {
  expectArgument("profile", "the work", work, callback);
  expectOptions("profile", options, checks);
  const profiler = await Profiler.start(device, options);
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await profiler.stop({ ...options, roofs: null }).catch(() => {}); // the first failure is the one to tell
    throw error;
  }
  const found = await profiler.stop(options);
  return {
    result,
    profile: found,
    toHtml: () => profilePage(found),
    toTrace: () => JSON.stringify(traceEvents(found)),
    toCsv: () => profileCsv(found),
  };
}

const trialDispatches = 64;
const trialRuns = 3;

/** Microseconds that a pass of its own with timestamps adds to a dispatch: least times of three runs of both. */
export async function splittingCost(device: Device): Promise<number> {
  const { gpu } = device;
  const buffer = gpu.createBuffer({ size: 256, usage: bufferUsage.storage });
  const count = new BareKernel(device, "roof/count", {}).bind({ y: { buffer, sizeBytes: 4 } });
  const stamps = new Stamps(gpu);
  const run = async (split: boolean) => {
    const encoder = gpu.createCommandEncoder();
    const passes = split ? trialDispatches : 1;
    for (let i = 0; i < passes; i++) {
      const pass = encoder.beginComputePass(split ? { timestampWrites: stamps.around(() => {}) } : undefined);
      for (let j = 0; j < trialDispatches / passes; j++) count(pass);
      pass.end();
    }
    stamps.resolve(encoder);
    const commands = encoder.finish();
    const start = performance.now();
    gpu.queue.submit([commands]);
    await gpu.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
  const least = { together: Number.POSITIVE_INFINITY, split: Number.POSITIVE_INFINITY };
  await run(false);
  for (let i = 0; i < trialRuns; i++) {
    least.together = Math.min(least.together, await run(false));
    least.split = Math.min(least.split, await run(true));
  }
  await stamps.settle();
  stamps.dispose();
  buffer.destroy();
  return Math.max(0, ((least.split - least.together) * 1e3) / trialDispatches);
}
