import { createHash } from "node:crypto";
import { arch, cpus, release, type } from "node:os";
import type { Device } from "../device/device.ts";
import { providerVersion } from "../device/probe.ts";
import type { Call } from "../kernel/call.ts";
import type { KernelSource } from "../kernel/source.ts";
import type { MemoryReport } from "../memory/report.ts";
import { type BindingRoof, bindingRoof, memoryGBps } from "../tune/binding-roof.ts";
import type { Roofs } from "../tune/roofs.ts";
import type { Tuning } from "../tune/tuner.ts";
import type { CallEvent, Collector } from "./collector.ts";
import type { KernelProfile, Mark, Profile } from "./profile.ts";
import { workgroupBytes } from "./workgroup-bytes.ts";

/** What is known beside the times. */
export interface Surroundings {
  readonly command: string;
  readonly roofs: Roofs | null;
  readonly eventLimit: number;
  readonly memory: MemoryReport;
  readonly tunings: readonly Tuning[];
  readonly microsecondsPerDispatch: number | null;
}

/** Calls that are the same in everything but time. */
interface Group {
  readonly call: Call;
  readonly calls: CallEvent[];
}

/** Steps of the clock from which on marks warn of it: what Dawn and browsers round to. */
const coarseNanoseconds = 10_000;
const mostMemoryPoints = 2000;

/** The profile of what a collector has seen. */
export function aggregate(device: Device, collector: Collector, around: Surroundings): Profile {
  const { roofs, memory, tunings, eventLimit } = around;
  const events = collector.events.filter(({ endMs }) => !Number.isNaN(endMs));
  const groups = [...grouped(events).values()];
  const busyMs = events.reduce((sum, event) => sum + duration(event), 0);
  const sources: Record<string, string> = {};
  const kernels = groups.map((group) => rowOf(group, busyMs, roofs, sources));
  const index = new Map(groups.flatMap(({ calls }, i) => calls.map((call) => [call, i] as const)));
  const listed = events.slice(0, eventLimit);
  const gpuMs = events.length === 0 ? 0 : latest(events) - events.reduce((m, e) => Math.min(m, e.beginMs), Infinity);
  return {
    format: "acutance-profile",
    version: 1,
    command: around.command,
    measuredAt: new Date().toISOString(),
    machine: machineOf(device),
    clock: collector.clock,
    marks: marksOf(device, collector, around, kernels),
    roofs,
    span: {
      wallMs: collector.wallMs,
      gpuMs,
      busyMs,
      idleMs: Math.max(0, gpuMs - covered(events)),
      hostEncodeMs: Math.max(0, collector.hostMs - collector.ownMs),
      dispatches: events.length,
      submits: collector.submits,
    },
    overhead: { hostMs: collector.ownMs, microsecondsPerDispatch: around.microsecondsPerDispatch },
    kernels,
    events: listed.map((event) => ({
      kernel: index.get(event)!,
      startMs: Math.max(0, event.beginMs),
      durationMs: duration(event),
      recordedMs: event.recordedMs,
      submit: event.submit,
      cold: event.cold,
    })),
    eventsLeftOut: events.length - listed.length,
    memory: {
      peakBytes: memory.peakBytes,
      owners: memory.owners
        .filter(({ atPeakBytes }) => atPeakBytes > 0)
        .map(({ owner, atPeakBytes }) => ({ owner, atPeakBytes })),
      timeline: memoryLine(events),
    },
    tunings: tunings.map(({ key, chosen, times }) => ({ key, chosen, times: times.map((time) => ({ ...time })) })),
    sources,
  };
}

function duration({ beginMs, endMs }: CallEvent): number {
  return Math.max(0, endMs - beginMs);
}

function latest(events: readonly CallEvent[]): number {
  return events.reduce((most, { endMs }) => Math.max(most, endMs), Number.NEGATIVE_INFINITY);
}

/** Time in which at least one kernel ran. */
function covered(events: readonly CallEvent[]): number {
  let sum = 0;
  let until = Number.NEGATIVE_INFINITY;
  for (const { beginMs, endMs } of events.toSorted((a, b) => a.beginMs - b.beginMs)) {
    sum += Math.max(0, endMs - Math.max(beginMs, until));
    until = Math.max(until, endMs);
  }
  return sum;
}

function grouped(events: readonly CallEvent[]): Map<string, Group> {
  const groups = new Map<string, Group>();
  // A replayed call is the same object every time.
  const known = new Map<Call, Group>();
  for (const event of events) {
    const { call } = event;
    let group = known.get(call);
    if (!group) {
      const key = identity(call);
      group = groups.get(key) ?? { call, calls: [] };
      groups.set(key, group);
      known.set(call, group);
    }
    group.calls.push(event);
  }
  return groups;
}

/** What makes two calls the same. */
function identity({ kernel, label, shapes, variant, constants, halves, flops, bytes }: Call): string {
  return JSON.stringify([kernel, label.op, label.phase, label.layer, shapes, variant, constants, halves, flops, bytes]);
}

function rowOf(
  { call, calls }: Group,
  busyMs: number,
  roofs: Roofs | null,
  sources: Record<string, string>,
): KernelProfile {
  const { kernel, label, source, bytes } = call;
  const warm = calls.filter(({ cold }) => !cold);
  const times = (warm.length > 0 ? warm : calls).map(duration).sort((a, b) => a - b);
  const median = quantile(times, 0.5);
  const total = calls.reduce((sum, event) => sum + duration(event), 0);
  const flops = call.flops ?? null;
  const rate = (amount: number) => (median > 0 ? amount / median / 1e6 : 0);
  const bound = roofs && median > 0 ? roofOfCall(call, roofs) : undefined;
  return {
    id: createHash("sha256").update(identity(call)).digest("hex").slice(0, 16),
    kernel,
    op: label.op ?? kernel,
    layer: label.layer,
    phase: label.phase,
    shapes: { ...call.shapes },
    variant: call.variant,
    constants: { ...call.constants },
    halves: [...call.halves],
    workgroup: source ? [...source.workgroup] : [0, 0, 0],
    grid: [...call.grid],
    workgroupBytes: source ? workgroupBytes(source) : 0,
    calls: calls.length,
    coldCalls: calls.length - warm.length,
    milliseconds: {
      total,
      median,
      least: times[0]!,
      most: times.at(-1)!,
      spread: (quantile(times, 0.84) - quantile(times, 0.16)) / 2,
    },
    share: busyMs > 0 ? total / busyMs : 0,
    flops,
    bytes,
    gflops: flops === null || median === 0 ? null : rate(flops),
    GBps: rate(bytes),
    intensity: flops === null || bytes === 0 ? null : flops / bytes,
    roof: bound ? { binds: bound.roof, share: bound.leastMs / median } : null,
    source: source ? keepSource(source, sources) : "",
  };
}

/** A transfer is no dispatch; for one that only writes no roof is measured. */
function roofOfCall({ kernel, source, flops = 0, bytes }: Call, roofs: Roofs): BindingRoof | undefined {
  if (source) return bindingRoof({ flops, bytes }, roofs);
  if (kernel === "clear") return undefined;
  const GBps = Math.max(memoryGBps(bytes, roofs), roofs.bufferCopyGBps.most);
  return { roof: "memory", leastMs: bytes / GBps / 1e6 };
}

const hashes = new WeakMap<KernelSource, string>();

function keepSource(source: KernelSource, sources: Record<string, string>): string {
  let hash = hashes.get(source);
  if (!hash) {
    hash = createHash("sha256").update(source.wgsl).digest("hex").slice(0, 16);
    hashes.set(source, hash);
  }
  sources[hash] = source.wgsl;
  return hash;
}

/** Between the two nearest of sorted values. */
function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
  return below + (above - below) * (at - Math.floor(at));
}

/** Bytes in use whenever they changed; of many points the highest in each stretch. */
function memoryLine(events: readonly CallEvent[]): { ms: number; bytes: number }[] {
  const changes = events
    .filter(({ usedBytes }, i) => usedBytes !== events[i - 1]?.usedBytes)
    .map(({ recordedMs, usedBytes }) => ({ ms: recordedMs, bytes: usedBytes }));
  const stretch = Math.ceil(changes.length / mostMemoryPoints);
  if (stretch <= 1) return changes;
  return Array.from({ length: Math.ceil(changes.length / stretch) }, (_, i) =>
    changes.slice(i * stretch, (i + 1) * stretch).reduce((a, b) => (b.bytes > a.bytes ? b : a)),
  );
}

function machineOf(device: Device): Profile["machine"] {
  const { provider, vendor, architecture, description } = device.info;
  const processors = cpus();
  const runtime = ["bun", "deno"].find((name) => process.versions[name]) ?? "node";
  return {
    runtime: `${runtime} ${process.versions[runtime] ?? ""}`.trim(),
    provider: `${provider} ${providerVersion(provider)}`.trim(),
    vendor,
    architecture,
    description,
    features: [...device.features].sort(),
    subgroupSize: device.subgroupSize,
    system: `${type()} ${release()} ${arch()}, ${processors.length} x ${processors[0]?.model.trim() ?? "unknown"}`,
  };
}

function marksOf(
  device: Device,
  { clock }: Collector,
  { roofs, tunings }: Surroundings,
  kernels: readonly KernelProfile[],
): Mark[] {
  // Only Dawn can go without; other providers always check.
  const off = (toggle: string) => device.toggles?.get(toggle) === true;
  const holds: Record<Mark, boolean> = {
    "wall-clock": clock.source === "wall",
    "quantised-clock": clock.stepNanoseconds >= coarseNanoseconds,
    "software-adapter": device.isSoftware,
    robustness: !off("disable_robustness"),
    validation: !off("skip_validation"),
    "cold-pipeline": kernels.some(({ coldCalls }) => coldCalls > 0),
    "tuning-in-progress": device.tuner.enabled && (tunings.length > 0 || device.tuner.untried > 0),
    "estimated-roofs": roofs === null,
  };
  return (Object.keys(holds) as Mark[]).filter((mark) => holds[mark]);
}
