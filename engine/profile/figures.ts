import { quantile } from "../tune/noise.ts";
import type { Taint } from "./conditions.ts";

/** One timed piece of work, ms from the start of the profile. */
export interface TimedEvent {
  /** The first of its pipeline. */
  readonly cold: boolean;
  /** Number of its submit, from 0. */
  readonly submit: number;
  readonly recordedMs: number;
  readonly beginMs: number;
  readonly endMs: number;
  /** Device memory in use when it was recorded. */
  readonly usedBytes: number;
  /** Why its time is not to be trusted. */
  readonly taint?: Taint | undefined;
}

const mostMemoryPoints = 2000;

export function durationOf({ beginMs, endMs }: TimedEvent): number {
  return Math.max(0, endMs - beginMs);
}

export function busyMsOf(events: readonly TimedEvent[]): number {
  return events.reduce((sum, event) => sum + durationOf(event), 0);
}

/** From the first timestamp to the last, and the time of it in which nothing ran. */
export function gpuSpan(events: readonly TimedEvent[]): { gpuMs: number; idleMs: number } {
  if (events.length === 0) return { gpuMs: 0, idleMs: 0 };
  const first = events.reduce((least, { beginMs }) => Math.min(least, beginMs), Number.POSITIVE_INFINITY);
  const last = events.reduce((most, { endMs }) => Math.max(most, endMs), Number.NEGATIVE_INFINITY);
  const gpuMs = last - first;
  return { gpuMs, idleMs: Math.max(0, gpuMs - covered(events)) };
}

/** Time in which at least one kernel ran. */
function covered(events: readonly TimedEvent[]): number {
  let sum = 0;
  let until = Number.NEGATIVE_INFINITY;
  for (const { beginMs, endMs } of events.toSorted((a, b) => a.beginMs - b.beginMs)) {
    sum += Math.max(0, endMs - Math.max(beginMs, until));
    until = Math.max(until, endMs);
  }
  return sum;
}

/** Times of the calls of one kernel, ms; cold and tainted ones count in the total, and elsewhere where there are no others. */
export function callFigures(calls: readonly TimedEvent[]) {
  const warm = calls.filter(({ cold }) => !cold);
  const clean = warm.filter(({ taint }) => !taint);
  const [counted = calls] = [clean, warm].filter(({ length }) => length > 0);
  const times = counted.map(durationOf).sort((a, b) => a - b);
  const taintedCalls = warm.length - clean.length;
  return {
    calls: calls.length,
    coldCalls: calls.length - warm.length,
    ...(taintedCalls > 0 && { taintedCalls }),
    milliseconds: {
      total: busyMsOf(calls),
      median: quantile(times, 0.5),
      least: times[0]!,
      most: times.at(-1)!,
      spread: (quantile(times, 0.84) - quantile(times, 0.16)) / 2,
    },
  };
}

/** What a call does by its median time. */
export function rates(flops: number | null, bytes: number, medianMs: number) {
  const rate = (amount: number) => (medianMs > 0 ? amount / medianMs / 1e6 : 0);
  return {
    flops,
    bytes,
    gflops: flops === null || medianMs === 0 ? null : rate(flops),
    GBps: rate(bytes),
    intensity: flops === null || bytes === 0 ? null : flops / bytes,
  };
}

/** Bytes in use whenever they changed; of many points the highest in each stretch. */
export function memoryLine(events: readonly TimedEvent[]): { ms: number; bytes: number }[] {
  const changes = events
    .filter(({ usedBytes }, i) => usedBytes !== events[i - 1]?.usedBytes)
    .map(({ recordedMs, usedBytes }) => ({ ms: recordedMs, bytes: usedBytes }));
  const stretch = Math.ceil(changes.length / mostMemoryPoints);
  if (stretch <= 1) return changes;
  return Array.from({ length: Math.ceil(changes.length / stretch) }, (_, i) =>
    changes.slice(i * stretch, (i + 1) * stretch).reduce((a, b) => (b.bytes > a.bytes ? b : a)),
  );
}

/** The first events as a profile lists them, each with the place of its group, and the number of the others. */
export function listedEvents<Event extends TimedEvent>(
  events: readonly Event[],
  groups: readonly { readonly calls: readonly Event[] }[],
  limit: number,
) {
  const place = new Map(groups.flatMap(({ calls }, i) => calls.map((call) => [call, i] as const)));
  const listed = events.slice(0, limit).map((event) => ({
    kernel: place.get(event)!,
    startMs: Math.max(0, event.beginMs),
    durationMs: durationOf(event),
    recordedMs: event.recordedMs,
    submit: event.submit,
    cold: event.cold,
    ...(event.taint && { taint: event.taint }),
  }));
  return { events: listed, eventsLeftOut: events.length - listed.length };
}
