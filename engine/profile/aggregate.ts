import { createHash } from "node:crypto";
import type { Device } from "../device/device.ts";
import { providerVersion } from "../device/probe.ts";
import type { Call } from "../kernel/call.ts";
import type { KernelSource } from "../kernel/source.ts";
import type { MemoryReport } from "../memory/report.ts";
import { type BindingRoof, bindingRoof, memoryGBps } from "../tune/binding-roof.ts";
import type { Roofs } from "../tune/roofs.ts";
import type { Tuning } from "../tune/tuner.ts";
import type { CallEvent, Collector } from "./collector.ts";
import { busyMsOf, callFigures, gpuSpan, listedEvents, memoryLine, rates } from "./figures.ts";
import type { KernelProfile, Mark, Profile } from "./profile.ts";
import { runtimeOf, systemOf } from "./program/surroundings.ts";
import { conditionMarks, conditionsOf, withTaints } from "./tainted.ts";
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
  /** Names given by `mark`. */
  readonly scope: string;
  readonly calls: CallEvent[];
}

/** Steps of the clock from which on marks warn of it: what Dawn and browsers round to. */
const coarseNanoseconds = 10_000;

/** The profile of what a collector has seen. */
export function aggregate(device: Device, collector: Collector, around: Surroundings): Profile {
  const { roofs, memory, tunings, eventLimit } = around;
  const told = collector.events.filter(({ endMs }) => !Number.isNaN(endMs));
  const events = withTaints(told, collector.stretches, collector.startMs);
  const groups = [...grouped(events).values()];
  const busyMs = busyMsOf(events);
  const sources: Record<string, string> = {};
  const kernels = groups.map((group) => rowOf(group, busyMs, roofs, sources));
  const conditions = conditionsOf(
    collector.stretches,
    groups.map(({ calls }) => calls),
  );
  return {
    format: "acutance-profile",
    version: 1,
    command: around.command,
    measuredAt: new Date().toISOString(),
    machine: machineOf(device),
    clock: collector.clock,
    marks: marksOf(device, collector, around, kernels, conditionMarks(events, conditions)),
    roofs,
    ...(conditions && { conditions }),
    span: {
      wallMs: collector.wallMs,
      ...gpuSpan(events),
      busyMs,
      hostEncodeMs: Math.max(0, collector.hostMs - collector.ownMs),
      dispatches: events.length,
      submits: collector.submits,
      ...(collector.rawDispatches > 0 && { rawDispatches: collector.rawDispatches }),
    },
    overhead: { hostMs: collector.ownMs, microsecondsPerDispatch: around.microsecondsPerDispatch },
    kernels,
    ...listedEvents(events, groups, eventLimit),
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

function grouped(events: readonly CallEvent[]): Map<string, Group> {
  const groups = new Map<string, Group>();
  // A replayed call is the same object every time.
  const known = new Map<Call, Group>();
  for (const event of events) {
    const { call, scope } = event;
    let group = known.get(call);
    if (group?.scope !== scope) {
      const key = identity(call, scope);
      group = groups.get(key) ?? { call, scope, calls: [] };
      groups.set(key, group);
      known.set(call, group);
    }
    group.calls.push(event);
  }
  return groups;
}

/** What makes two calls the same. */
function identity({ kernel, label, shapes, variant, constants, halves, flops, bytes }: Call, scope: string): string {
  const { op, phase, layer } = label;
  const parts = [kernel, op, phase, layer, shapes, variant, constants, halves, flops, bytes];
  return JSON.stringify(scope ? [...parts, scope] : parts);
}

function rowOf(
  { call, scope, calls }: Group,
  busyMs: number,
  roofs: Roofs | null,
  sources: Record<string, string>,
): KernelProfile {
  const { kernel, label, source, bytes } = call;
  const figures = callFigures(calls);
  const { median, total } = figures.milliseconds;
  const bound = roofs && median > 0 ? roofOfCall(call, roofs) : undefined;
  return {
    id: createHash("sha256").update(identity(call, scope)).digest("hex").slice(0, 16),
    kernel,
    op: label.op ?? kernel,
    layer: label.layer,
    phase: label.phase,
    ...(scope && { scope }),
    shapes: { ...call.shapes },
    variant: call.variant,
    constants: { ...call.constants },
    halves: [...call.halves],
    workgroup: source ? [...source.workgroup] : [0, 0, 0],
    grid: [...call.grid],
    workgroupBytes: source ? workgroupBytes(source) : 0,
    ...figures,
    share: busyMs > 0 ? total / busyMs : 0,
    ...rates(call.flops ?? null, bytes, median),
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

function machineOf(device: Device): Profile["machine"] {
  const { provider, vendor, architecture, description } = device.info;
  return {
    runtime: runtimeOf(),
    provider: `${provider} ${providerVersion(provider)}`.trim(),
    vendor,
    architecture,
    description,
    features: [...device.features].sort(),
    subgroupSize: device.subgroupSize,
    system: systemOf(),
  };
}

function marksOf(
  device: Device,
  { clock, rawDispatches, coldCache }: Collector,
  { roofs, tunings }: Surroundings,
  kernels: readonly KernelProfile[],
  further: Partial<Record<Mark, boolean>>,
): Mark[] {
  // Only Dawn can go without; other providers always check.
  const off = (toggle: string) => device.toggles?.get(toggle) === true;
  const holds: Partial<Record<Mark, boolean>> = {
    "wall-clock": clock.source === "wall",
    "quantised-clock": clock.stepNanoseconds >= coarseNanoseconds,
    "software-adapter": device.isSoftware,
    robustness: !off("disable_robustness"),
    validation: !off("skip_validation"),
    "cold-pipeline": kernels.some(({ coldCalls }) => coldCalls > 0),
    "tuning-in-progress": device.tuner.enabled && (tunings.length > 0 || device.tuner.untried > 0),
    "estimated-roofs": roofs === null,
    "raw-dispatches": rawDispatches > 0,
    "cold-cache": coldCache,
    ...further,
  };
  return (Object.keys(holds) as Mark[]).filter((mark) => holds[mark]);
}
