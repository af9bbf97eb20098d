import { expect, test } from "bun:test";
import { type TraceEvent, traceEvents } from "../../../engine/profile/trace-events.ts";
import { sampleProfile } from "./sample.ts";

const profile = sampleProfile({ kernels: 60, events: 500, marks: ["quantised-clock"] });
const file = traceEvents(profile);
const events = file.traceEvents;

type Slice = Extract<TraceEvent, { ph: "X" }>;
type Arrow = Extract<TraceEvent, { ph: "s" | "f" }>;

const slices = events.filter((event): event is Slice => event.ph === "X");
const kernels = slices.filter(({ pid }) => pid === 2);
const dispatchOf = ({ args }: Slice) => args["dispatch"] as number;

/** The slices open at each slice of a track, in the order of the file. Throws where one ends after the slice around it. */
function nesting(track: readonly Slice[]): Map<Slice, Slice[]> {
  const result = new Map<Slice, Slice[]>();
  const open: Slice[] = [];
  for (const slice of track) {
    while (open.length > 0 && end(open.at(-1)!) <= slice.ts + 1e-6) open.pop();
    const outer = open.at(-1);
    if (outer && end(slice) > end(outer) + 1e-6)
      throw new Error(`${slice.name} at ${slice.ts} ends after ${outer.name}`);
    result.set(slice, [...open]);
    open.push(slice);
  }
  return result;
}

function end({ ts, dur }: Slice): number {
  return ts + dur;
}

test("is a JSON document with named tracks and the marks explained", () => {
  expect(JSON.parse(JSON.stringify(file))).toEqual(file as never);
  const names = events.flatMap((event) => (event.ph === "M" ? [`${event.name}: ${event.args["name"]}`] : []));
  expect(names).toContain("process_name: host");
  expect(names).toContain("process_name: GPU: Radeon RX 7600 (RADV NAVI33)");
  expect(names).toContain("thread_name: recording");
  expect(names).toContain("thread_name: kernels");
  expect(file.otherData["mark: quantised-clock"]).toContain("coarse steps");
  expect(file.otherData["command"]).toBe(profile.command);
});

test("is in order of time, all times at least nought", () => {
  const times = events.flatMap((event) => (event.ph === "M" ? [] : [event.ts]));
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(Math.min(...times, ...slices.map(({ dur }) => dur))).toBeGreaterThanOrEqual(0);
});

test("kernels last as long as their events, and carry their figures", () => {
  expect(kernels.length).toBe(profile.events.length);
  for (const slice of kernels) {
    const event = profile.events[dispatchOf(slice)]!;
    const kernel = profile.kernels[event.kernel]!;
    // Times are whole nanoseconds.
    expect(Math.abs(slice.dur - 1e3 * event.durationMs)).toBeLessThan(0.00051);
    expect(Math.abs(slice.ts - 1e3 * event.startMs)).toBeLessThan(0.0016);
    expect(slice.cat).toBe(kernel.phase);
    expect(slice.args).toMatchObject({
      kernel: kernel.kernel,
      op: kernel.op,
      layer: kernel.layer,
      "GFLOP/s": kernel.gflops,
      "share of the roof": kernel.roof!.share,
    });
    expect(slice.args["shape " + Object.keys(kernel.shapes)[0]]).toBe(Object.values(kernel.shapes)[0]!);
  }
  const sum = kernels.reduce((total, { dur }) => total + dur, 0);
  expect(sum / 1e3).toBeCloseTo(profile.span.busyMs, 3);
});

test("recordings lie inside their submits, kernels beside each other", () => {
  const host = nesting(slices.filter(({ pid }) => pid === 1));
  const recordings = [...host].filter(([{ cat }]) => cat === "record");
  expect(recordings.length).toBe(profile.events.length);
  for (const [slice, outer] of recordings) {
    expect(outer.map(({ name }) => name)).toEqual([`submit ${profile.events[dispatchOf(slice)]!.submit}`]);
  }
  for (const [, outer] of nesting(kernels)) expect(outer).toEqual([]);
  expect(slices.filter(({ cat }) => cat === "submit").length).toBe(profile.span.submits);
});

test("each arrow leads from a recording to the kernel of the same dispatch", () => {
  const arrows = events.filter((event): event is Arrow => event.ph === "s" || event.ph === "f");
  expect(arrows.length).toBe(2 * profile.events.length);
  const byPlace = new Map(
    slices.filter(({ cat }) => cat !== "submit").map((slice) => [`${slice.tid} ${slice.ts}`, slice]),
  );
  for (let id = 0; id < profile.events.length; id++) {
    const [start, finish] = arrows.filter((arrow) => arrow.id === id);
    expect([start!.ph, finish!.ph, finish!.bp]).toEqual(["s", "f", "e"]);
    for (const arrow of [start!, finish!]) {
      const slice = byPlace.get(`${arrow.tid} ${arrow.ts}`)!;
      expect(dispatchOf(slice)).toBe(id);
      // An arrow binds to the slice that is open when it is read.
      expect(events.indexOf(slice)).toBeLessThan(events.indexOf(arrow));
    }
  }
});

test("memory is a counter", () => {
  const counters = events.filter((event) => event.ph === "C");
  expect(counters.map(({ args }) => args["used"] as number)).toEqual(profile.memory.timeline.map(({ bytes }) => bytes));
});

test("kernels that ran at the same time get a track each", () => {
  const [first, ...rest] = profile.events;
  const beside = { ...first!, startMs: first!.startMs + first!.durationMs / 2 };
  const { traceEvents: both } = traceEvents({ ...profile, events: [first!, beside, ...rest] });
  const tracks = new Map<number, Slice[]>();
  for (const slice of both) {
    if (slice.ph === "X" && slice.pid === 2) tracks.set(slice.tid, [...(tracks.get(slice.tid) ?? []), slice]);
  }
  expect(tracks.size).toBeGreaterThan(1);
  for (const track of tracks.values()) for (const [, outer] of nesting(track)) expect(outer).toEqual([]);
});

test("recordings that come twice at a time, or out of order, still nest", () => {
  const shuffled = profile.events.map((event, index) => ({
    ...event,
    recordedMs: index % 3 === 0 ? 1 : event.recordedMs,
  }));
  const { traceEvents: mixed } = traceEvents({ ...profile, events: shuffled });
  expect(() => nesting(mixed.filter((event): event is Slice => event.ph === "X" && event.pid === 1))).not.toThrow();
});

test("a profile without a dispatch has tracks and nothing on them", () => {
  const empty = sampleProfile({ kernels: 0, events: 0 });
  expect(traceEvents(empty).traceEvents.filter(({ ph }) => ph !== "M")).toEqual([]);
});
