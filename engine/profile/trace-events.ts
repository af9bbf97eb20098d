import { type Mark, marks, type Profile } from "./profile.ts";

interface Track {
  readonly pid: number;
  readonly tid: number;
}

type Arguments = Readonly<Record<string, string | number | boolean | null>>;

/** One event of the trace-event format; times in µs. */
export type TraceEvent =
  | (Track & { readonly ph: "M"; readonly name: string; readonly args: Arguments })
  | (Track & {
      /** A slice. */
      readonly ph: "X";
      readonly name: string;
      readonly cat: string;
      readonly ts: number;
      readonly dur: number;
      readonly args: Arguments;
    })
  | (Track & {
      /** Start and finish of an arrow; it binds to the slice that is open there. */
      readonly ph: "s" | "f";
      readonly name: string;
      readonly cat: string;
      readonly id: number;
      readonly bp?: "e";
      readonly ts: number;
    })
  | (Track & { readonly ph: "C"; readonly name: string; readonly ts: number; readonly args: Arguments });

/** A file for ui.perfetto.dev or chrome://tracing. */
export interface TraceFile {
  readonly displayTimeUnit: "ms" | "ns";
  readonly otherData: Readonly<Record<string, string>>;
  readonly traceEvents: readonly TraceEvent[];
}

type Slice = Extract<TraceEvent, { ph: "X" }>;
/** What stands at a time. */
type Timed = Exclude<TraceEvent, { ph: "M" }>;

const host: Track = { pid: 1, tid: 1 };
const gpuProcess = 2;
/** Thread ids of a trace are unique over its processes. */
const firstGpuThread = 10;

/**
 * A profile as trace events (Google, "Trace Event Format"): on the host's track the submits and in them the recording of each
 * dispatch, on the GPU's track each kernel, an arrow from the one to the other, and the memory in use. Kernels that ran at
 * the same time get a track each. Events are in order of time, times whole nanoseconds.
 */
export function traceEvents(profile: Profile): TraceFile {
  const gpu = gpuSlices(profile);
  const recorded = hostSlices(profile);
  const timed: Timed[] = [...recorded, ...gpu.slices, ...arrows(profile, gpu.slices), ...memory(profile)];
  const lanes = Array.from({ length: gpu.lanes }, (_, lane) =>
    track({ pid: gpuProcess, tid: firstGpuThread + lane }, lane === 0 ? "kernels" : `kernels beside (${lane + 1})`),
  );
  return {
    displayTimeUnit: "ms",
    otherData: notes(profile),
    traceEvents: [
      ...process(host.pid, "host", 0),
      ...process(gpuProcess, `GPU: ${profile.machine.description || profile.machine.vendor}`, 1),
      ...track(host, "recording"),
      ...lanes.flat(),
      // What starts at the same time stays in order, the outer slice first and arrows behind their slices; an outer slice
      // is the longer one.
      ...timed.sort((a, b) => a.ts - b.ts || rank(a) - rank(b) || lengthOf(b) - lengthOf(a)),
    ],
  };
}

function rank({ ph }: Timed): number {
  return ph === "X" ? 0 : 1;
}

function lengthOf(event: Timed): number {
  return event.ph === "X" ? event.dur : 0;
}

/** Whole nanoseconds, in µs: fractions below would make neighbours overlap when a viewer rounds them. */
function microseconds(ms: number): number {
  return Math.round(ms * 1e6) / 1e3;
}

function between(start: number, end: number): number {
  return Math.round((end - start) * 1e3) / 1e3;
}

/** The kernels, by the order of `events`. A kernel that starts before the last of a track has ended goes on the next one. */
function gpuSlices({ events, kernels }: Profile): { slices: Slice[]; lanes: number } {
  const ends: number[] = [];
  const slices = new Array<Slice>(events.length);
  const order = events.map((_, index) => index).sort((a, b) => events[a]!.startMs - events[b]!.startMs);
  for (const index of order) {
    const event = events[index]!;
    const kernel = kernels[event.kernel]!;
    const ts = microseconds(event.startMs);
    const dur = microseconds(event.durationMs);
    // One nanosecond of overlap comes from rounding.
    const free = ends.findIndex((end) => between(end, ts) >= -0.001);
    const lane = free < 0 ? ends.length : free;
    const start = Math.max(ts, ends[lane] ?? 0);
    ends[lane] = start + dur;
    slices[index] = {
      ph: "X",
      pid: gpuProcess,
      tid: firstGpuThread + lane,
      name: kernel.layer ? `${kernel.op} ${kernel.layer}` : kernel.op,
      cat: kernel.phase,
      ts: start,
      dur,
      args: argumentsOf(kernel, index, event),
    };
  }
  return { slices, lanes: Math.max(1, ends.length) };
}

function argumentsOf(
  kernel: Profile["kernels"][number],
  dispatch: number,
  { submit, cold }: Profile["events"][number],
): Arguments {
  return {
    kernel: kernel.kernel,
    op: kernel.op,
    layer: kernel.layer,
    ...(kernel.scope && { scope: kernel.scope }),
    phase: kernel.phase,
    variant: kernel.variant,
    ...Object.fromEntries(Object.entries(kernel.shapes).map(([name, shape]) => [`shape ${name}`, shape])),
    grid: kernel.grid.join(" x "),
    workgroup: kernel.workgroup.join(" x "),
    "GFLOP/s": kernel.gflops,
    "GB/s": kernel.GBps,
    ...(kernel.roof && { roof: kernel.roof.binds, "share of the roof": kernel.roof.share }),
    "median ms": kernel.milliseconds.median,
    dispatch,
    submit,
    cold,
    id: kernel.id,
  };
}

/**
 * When each dispatch was recorded, in slices of their submits. How long one recording took is not known: a slice lasts
 * `hostEncodeMs / dispatches`, or until the next one.
 */
function hostSlices({ events, kernels, span }: Profile): Slice[] {
  const mean = microseconds(span.hostEncodeMs / Math.max(1, span.dispatches));
  const order = events.map((_, index) => index).sort((a, b) => events[a]!.recordedMs - events[b]!.recordedMs);
  const slices: Slice[] = [];
  let outer: { readonly slice: Slice & { dur: number }; readonly submit: number } | undefined;
  for (const [position, index] of order.entries()) {
    const event = events[index]!;
    const ts = microseconds(event.recordedMs);
    const next = order[position + 1];
    const dur = next === undefined ? mean : Math.min(mean, between(ts, microseconds(events[next]!.recordedMs)));
    if (outer?.submit !== event.submit) {
      const { submit } = event;
      outer = {
        submit,
        slice: { ...host, ph: "X", name: `submit ${submit}`, cat: "submit", ts, dur, args: { submit } },
      };
      slices.push(outer.slice);
    }
    outer.slice.dur = between(outer.slice.ts, ts + dur);
    const name = `record ${kernels[event.kernel]!.op}`;
    slices.push({ ...host, ph: "X", name, cat: "record", ts, dur, args: { dispatch: index, submit: event.submit } });
  }
  return slices;
}

/** From the recording of each dispatch to its kernel. */
function arrows({ events }: Profile, slices: readonly Slice[]): Timed[] {
  return events.flatMap(({ recordedMs }, id): Timed[] => {
    const { pid, tid, ts } = slices[id]!;
    const arrow = { name: "dispatch", cat: "dispatch", id };
    return [
      { ...host, ...arrow, ph: "s", ts: microseconds(recordedMs) },
      { pid, tid, ...arrow, ph: "f", bp: "e", ts },
    ];
  });
}

function memory({ memory: { timeline } }: Profile): Timed[] {
  return timeline.map(({ ms, bytes }) => ({
    pid: gpuProcess,
    tid: firstGpuThread,
    ph: "C",
    name: "memory in bytes",
    ts: microseconds(ms),
    args: { used: bytes },
  }));
}

function notes(profile: Profile): Record<string, string> {
  const { machine, clock, span, overhead } = profile;
  return {
    command: profile.command,
    "measured at": profile.measuredAt,
    adapter: `${machine.description || machine.vendor} (${machine.vendor} ${machine.architecture})`,
    runtime: `${machine.runtime}, ${machine.provider}, ${machine.system}`,
    clock: clock.source === "timestamp" ? `timestamps in steps of ${clock.stepNanoseconds} ns` : "the host's clock",
    overhead: `${overhead.hostMs} ms of the host${overhead.microsecondsPerDispatch === null ? "" : `, ${overhead.microsecondsPerDispatch} µs a dispatch`}`,
    "length of recordings": `the mean, ${span.hostEncodeMs} ms / ${span.dispatches} dispatches, or until the next one`,
    ...(profile.eventsLeftOut > 0 && { "left out": `the last ${profile.eventsLeftOut} dispatches` }),
    ...Object.fromEntries(profile.marks.map((mark: Mark) => [`mark: ${mark}`, marks[mark]])),
  };
}

/** Processes stand in the order of their index. */
function process(pid: number, name: string, index: number): TraceEvent[] {
  return [
    { pid, tid: 0, ph: "M", name: "process_name", args: { name } },
    { pid, tid: 0, ph: "M", name: "process_sort_index", args: { sort_index: index } },
  ];
}

function track(at: Track, name: string): TraceEvent[] {
  return [
    { ...at, ph: "M", name: "thread_name", args: { name } },
    { ...at, ph: "M", name: "thread_sort_index", args: { sort_index: at.tid } },
  ];
}
