import { z } from "zod";
import { type Checks, callback, expectOptions, flag, object, positive, whole } from "../arguments.ts";
import type { Device } from "../device/device.ts";
import { Cache, deviceKey } from "./cache.ts";
import { type Effort, measuredSchema } from "./measured.ts";
import { arithmeticRate, bufferCopyRate, streamRate, uploadRate, workgroupRate } from "./measurements.ts";
import { overheads, readbackLatency } from "./overheads.ts";
import { powerOfTwoWithin, Workbench } from "./workbench.ts";

/** A rate of memory that depends on how much of it is in use: caches are faster. */
const sizedSchema = z.array(z.strictObject({ bytes: z.number().int().positive(), rate: measuredSchema })).min(1);

/** Rates: G is 10⁹, GBps 10⁹ bytes a second, a multiply-add is two operations. */
export const roofsSchema = z.strictObject({
  /** ISO 8601. */
  measuredAt: z.iso.datetime(),
  /** Of passes; see {@link Clock}. */
  clock: z.strictObject({ source: z.enum(["timestamp", "wall"]), stepNanoseconds: z.number().min(0) }),
  fmaGflops: measuredSchema,
  /** Null without the feature shader-f16. */
  f16FmaGflops: measuredSchema.nullable(),
  /** Multiply-adds of i32. */
  integerGops: measuredSchema,
  /** A kernel's copy, read + write counted; `bytes` are those of both buffers. */
  copyGBps: sizedSchema,
  /** A kernel's sum of a buffer of so many bytes. */
  readGBps: sizedSchema,
  /** Workgroup memory, reads. */
  workgroupGBps: measuredSchema,
  /** copyBufferToBuffer, read + write counted. */
  bufferCopyGBps: measuredSchema,
  /** queue.writeBuffer until the bytes are on the device. */
  uploadGBps: measuredSchema,
  /** One dispatch in a pass of many that wait for one another, by the clock of passes. */
  dispatchMicroseconds: measuredSchema,
  /** The host's time for recording one dispatch. */
  encodeMicroseconds: measuredSchema,
  /** One pass of one dispatch in a submit of many, from recording to completion. */
  passMicroseconds: measuredSchema,
  /** One submit of one such pass among many, from recording to completion. */
  submitMicroseconds: measuredSchema,
  /** From asking an idle device for 4 bytes until the host has them. */
  readbackMicroseconds: measuredSchema,
});

/** What an adapter can do at most, as measured on it. */
export type Roofs = z.infer<typeof roofsSchema>;

/** Bytes of a buffer: in the nearest cache, in the next ones, beyond them. */
const defaultSizes = [2 ** 18, 2 ** 21, 2 ** 24, 2 ** 27] as const;

export interface MeasureOptions extends Partial<Effort> {
  /** Called before every step with the steps done, their number and the name of the next; at the end without a name. */
  readonly progress?: (done: number, total: number, next?: string) => void;
  /** Bytes of the buffers that bandwidth is measured with, powers of two from 1024 up, ascending; larger than a binding: left out. */
  readonly sizes?: readonly number[];
}

const checks: Checks<MeasureOptions> = {
  progress: callback,
  sizes: object,
  leastMs: positive,
  runs: { ...whole(1), error: RangeError },
  noise: positive,
};

/**
 * Measures the roofs of an adapter, in about ten seconds: medians and extremes over several runs, every result of a timed
 * kernel checked. The device must be idle and stays usable; it holds 256 MiB more meanwhile.
 * @throws GpuError when a kernel computed something wrong
 * @throws RangeError when a size is not such a power of two
 */
export async function measureRoofs(device: Device, options: MeasureOptions = {}): Promise<Roofs> {
  expectOptions("measureRoofs", options, checks);
  const sizes = fittingSizes(device, options.sizes ?? defaultSizes);
  using bench = await Workbench.open(device, sizes.at(-1)!, options);
  const half = device.features.has("shader-f16");
  const total = 2 * sizes.length + (half ? 1 : 0) + 7;
  let done = 0;
  const step = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    options.progress?.(done++, total, name);
    const result = await work();
    device.check();
    return result;
  };
  const stream = async (kind: "copy" | "read", buffers: number) => {
    const rates: { bytes: number; rate: Awaited<ReturnType<typeof streamRate>> }[] = [];
    for (const size of sizes) {
      const rate = await step(`${kind} of ${size / 1024} KiB`, () => streamRate(bench, kind, size));
      rates.push({ bytes: buffers * size, rate });
    }
    return rates;
  };
  const roofs = {
    measuredAt: new Date().toISOString(),
    fmaGflops: await step("multiply-adds of f32", () => arithmeticRate(bench, "f32")),
    f16FmaGflops: half ? await step("multiply-adds of f16", () => arithmeticRate(bench, "f16")) : null,
    integerGops: await step("multiply-adds of i32", () => arithmeticRate(bench, "i32")),
    copyGBps: await stream("copy", 2),
    readGBps: await stream("read", 1),
    workgroupGBps: await step("workgroup memory", () => workgroupRate(bench)),
    bufferCopyGBps: await step("copy of buffers", () => bufferCopyRate(bench)),
    uploadGBps: await step("upload", () => uploadRate(bench)),
    ...(await step("dispatches, passes, submits", () => overheads(bench))),
    readbackMicroseconds: await step("read-back", () => readbackLatency(bench)),
    clock: bench.watch.clock,
  };
  options.progress?.(total, total);
  return roofs;
}

function fittingSizes(device: Device, sizes: readonly number[]): number[] {
  for (const size of sizes) {
    if (!(size >= 1024) || powerOfTwoWithin(size) !== size) {
      throw new RangeError(`sizes are powers of two from 1024 bytes up, got ${size}`);
    }
  }
  const largest = powerOfTwoWithin(Math.min(device.maximumBindingBytes, device.gpu.limits.maxBufferSize));
  const fitting = sizes.filter((size) => size <= largest).sort((a, b) => a - b);
  return fitting.length > 0 ? fitting : [largest];
}

export interface RoofsOptions extends MeasureOptions {
  /** Measure although there are cached values, and store the new ones. */
  readonly remeasure?: boolean;
  /** Takes one sentence for the user about a cache file that cannot be used. */
  readonly onNote?: (note: string) => void;
}

/** Version of the cached form; raised when what is measured, or how, changes. */
export const roofsVersion = 1;

/** The roofs of the device's adapter as measured earlier, undefined when they were not. */
export function knownRoofs(device: Device): Promise<Roofs | undefined> {
  return new Cache({ name: "roofs", version: roofsVersion, schema: roofsSchema }).read(deviceKey(device));
}

/** The roofs of the device's adapter: those measured earlier, on disk, or else measured now and stored. */
export async function roofsOf(device: Device, options: RoofsOptions = {}): Promise<Roofs> {
  expectOptions("roofsOf", options, { ...checks, remeasure: flag, onNote: callback } satisfies Checks<RoofsOptions>);
  const { remeasure, onNote, ...effort } = options;
  const cache = new Cache({ name: "roofs", version: roofsVersion, schema: roofsSchema, onNote });
  const key = deviceKey(device);
  const cached = remeasure ? undefined : await cache.read(key);
  if (cached) return cached;
  const roofs = await measureRoofs(device, effort);
  await cache.write(key, roofs);
  return roofs;
}
