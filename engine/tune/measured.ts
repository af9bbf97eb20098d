import { z } from "zod";
import { GpuError } from "../device/errors.ts";
import { isEnough } from "./noise.ts";

const quantity = z.number().positive();

/** One measured quantity over several runs, in the unit that the name of its field ends with. */
export const measuredSchema = z.strictObject({
  median: quantity,
  least: quantity,
  most: quantity,
  runs: z.number().int().min(1),
  /** How it was reached: the winning variant. */
  note: z.string().optional(),
});

export type Measured = z.infer<typeof measuredSchema>;

/** Median and extremes of values that are not empty; of an even number of them, the upper of the two in the middle. */
export function summarise(values: readonly number[], note?: string): Measured {
  const sorted = [...values].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)]!;
  return { median, least: sorted[0]!, most: sorted.at(-1)!, runs: sorted.length, ...(note && { note }) };
}

/** Something that can be done any number of times in a row. */
export interface Repeatable {
  /** Does it `n` times and resolves with the milliseconds that took. */
  readonly run: (n: number) => Promise<number>;
  /** Times at first; 1 by default. */
  readonly start?: number;
  /** Times at most. */
  readonly most: number;
}

export interface Effort {
  /** A run lasts at least so long, unless `most` times are shorter. */
  readonly leastMs: number;
  readonly runs: number;
  /** Further runs, until the median is known to this share; see {@link isEnough}. */
  readonly noise?: number;
}

/** Most growth of `n` from one look to the next. */
const growth = 32;

/**
 * Milliseconds of one time in each of several runs, after runs that warm up and find how many times last long enough.
 * @throws GpuError when the clock stands still
 */
export async function timesOf(work: Repeatable, { leastMs, runs, noise }: Effort): Promise<number[]> {
  let n = Math.min(work.start ?? 1, work.most);
  await work.run(n);
  let ms = await work.run(n);
  while (ms < leastMs && n < work.most) {
    const wanted = ms > 0 ? (1.25 * leastMs) / ms : growth;
    n = Math.min(work.most, Math.ceil(n * Math.min(growth, Math.max(2, wanted))));
    ms = await work.run(n);
  }
  const times = [ms];
  while (!isEnough(times, { runs, noise })) times.push(await work.run(n));
  if (times.some((time) => !(time > 0))) {
    throw new GpuError(`a measured piece of work took ${times.join(", ")} ms: the clock stands still`);
  }
  return times.map((time) => time / n);
}

/** Amount per second when `amount` of it takes each of the given times in ms. */
export function ratesOf(times: readonly number[], amount: number, note?: string): Measured {
  return summarise(
    times.map((ms) => amount / (ms / 1e3)),
    note,
  );
}

/** The given times, as microseconds. */
export function microsecondsOf(times: readonly number[]): Measured {
  return summarise(times.map((ms) => ms * 1e3));
}
