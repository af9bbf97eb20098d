import type { Device } from "../device/device.ts";
import { bufferUsage } from "../kernel/stream.ts";
import { CacheFlush } from "../profile/cache-flush.ts";
import { type Effort, timesOf } from "../tune/measured.ts";
import { isEnough } from "../tune/noise.ts";
import { BareKernel, type Slice, Stopwatch } from "../tune/stopwatch.ts";

/** Records a dispatch so many times. */
export type Recording = (pass: GPUComputePassEncoder, times: number) => void;

/** How a kernel is timed. */
export interface MeasureOptions {
  /** Timed runs. */
  readonly runs: number;
  /** A run is at least so long, by default what the clock needs for 1 %. */
  readonly leastMs?: number;
  /** Further runs until the median is known to this share. */
  readonly noise?: number;
  /** Whether every timed dispatch finds the caches filled with something else; it is alone in its pass then. */
  readonly coldCache?: boolean;
}

/** Times of one dispatch, ms, and what they were taken by. */
export async function measure(device: Device, record: Recording, { runs, leastMs, noise, coldCache }: MeasureOptions) {
  const buffer = device.gpu.createBuffer({ size: 16, usage: bufferUsage.storage | bufferUsage.copyDestination });
  const slice: Slice = { buffer, sizeBytes: 4 };
  try {
    using watch = await Stopwatch.open(device, new BareKernel(device, "roof/count", {}).bind({ y: slice }));
    if (coldCache) return { times: await coldTimes(device, watch, record, { runs, noise }), clock: watch.clock };
    const effort: Effort = { runs, leastMs: leastMs ?? watch.leastMs, ...(noise !== undefined && { noise }) };
    const times = await timesOf({ run: (n) => watch.pass((pass) => record(pass, n)), most: 4096 }, effort);
    return { times, clock: watch.clock };
  } finally {
    buffer.destroy();
  }
}

/** Single dispatches, before each of which the caches are filled with something else; the first does not count. */
async function coldTimes(
  device: Device,
  watch: Stopwatch,
  record: Recording,
  effort: { readonly runs: number; readonly noise: number | undefined },
): Promise<number[]> {
  const flush = new CacheFlush(device.gpu);
  const once = async () => {
    const encoder = device.gpu.createCommandEncoder();
    flush.record(encoder);
    device.gpu.queue.submit([encoder.finish()]);
    return watch.pass((pass) => record(pass, 1));
  };
  try {
    await once();
    const times: number[] = [];
    while (!isEnough(times, effort)) times.push(await once());
    return times;
  } finally {
    flush.destroy();
  }
}
