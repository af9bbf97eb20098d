import { looksLikeSoftware } from "../../device/software.ts";
import { busyMsOf, gpuSpan, listedEvents, memoryLine } from "../figures.ts";
import type { KernelProfile, Mark, Profile } from "../profile.ts";
import { conditionMarks, conditionsOf, withTaints } from "../tainted.ts";
import type { DeviceRecord } from "./protocol.ts";
import type { ThreadRecords } from "./read.ts";
import { grouped, type ProgramCall, type ProgramSurroundings, rowOf, Sources } from "./rows.ts";

/** Steps of the clock from which on marks warn of it. */
const coarseNanoseconds = 10_000;

/** The profile of one device of a program. */
export function assemble(thread: ThreadRecords, device: DeviceRecord, around: ProgramSurroundings): Profile {
  const { roofs, eventLimit } = around;
  const sources = new Sources(thread);
  const told = (thread.events.get(device.id) ?? []).flatMap((event): ProgramCall[] => {
    const [id, submit, recordedMs, beginMs, endMs, cold, usedBytes] = event;
    const row = thread.rows.get(id);
    return row ? [{ row, submit, recordedMs, beginMs, endMs, cold: cold === 1, usedBytes }] : [];
  });
  // What is read together is told together, but in the order of encoders.
  const events = withTaints(
    told.sort((a, b) => a.recordedMs - b.recordedMs),
    thread.stretches,
    0,
  );
  const groups = grouped(events);
  const busyMs = busyMsOf(events);
  const kernels = groups.map((group) => rowOf(group, thread, sources, busyMs, around));
  const conditions = conditionsOf(
    thread.stretches,
    groups.map(({ calls }) => calls),
  );
  const { state, start } = thread;
  const counts = state?.devices.find(({ id }) => id === device.id);
  const ownMs = state?.ownMs ?? 0;
  return {
    format: "acutance-profile",
    version: 1,
    command: around.command,
    measuredAt: start.at,
    machine: {
      runtime: start.runtime,
      provider: device.provider,
      vendor: device.vendor,
      architecture: device.architecture,
      description: device.description,
      features: [...device.features].sort(),
      subgroupSize: device.subgroupSize,
      system: start.system,
    },
    clock: {
      source: device.timestamps ? "timestamp" : "wall",
      stepNanoseconds: counts?.stepNanoseconds ?? 0,
      ...(device.timestamps && {
        alignment: { uncertaintyMs: device.uncertaintyMs, driftMs: counts?.driftMs ?? 0 },
      }),
    },
    marks: marksOf(device, kernels, around, counts, conditionMarks(events, conditions)),
    roofs,
    ...(conditions && { conditions }),
    span: {
      wallMs: state?.wallMs ?? 0,
      ...gpuSpan(events),
      busyMs,
      hostEncodeMs: state?.encodeMs ?? 0,
      dispatches: events.length,
      submits: counts?.submits ?? 0,
    },
    hostCalls: (state?.calls ?? [])
      .map(([call, calls, milliseconds, bytes]) => ({ call, calls, milliseconds, bytes }))
      .sort((a, b) => b.milliseconds - a.milliseconds),
    overhead: { hostMs: ownMs, microsecondsPerDispatch: around.microsecondsPerDispatch },
    kernels,
    ...listedEvents(events, groups, eventLimit),
    memory: {
      peakBytes: state?.peakBytes ?? 0,
      owners: (state?.owners ?? []).map(([owner, atPeakBytes]) => ({ owner, atPeakBytes })),
      timeline: memoryLine(events),
    },
    tunings: [],
    sources: sources.kept,
  };
}

function marksOf(
  device: DeviceRecord,
  kernels: readonly KernelProfile[],
  { roofs, split, failed, coldCache }: ProgramSurroundings,
  counts: { readonly untimed: number; readonly stepNanoseconds: number } | undefined,
  further: Partial<Record<Mark, boolean>>,
): Mark[] {
  const { vendor, architecture, description } = device;
  const holds: Partial<Record<Mark, boolean>> = {
    "wall-clock": !device.timestamps,
    "quantised-clock": (counts?.stepNanoseconds ?? 0) >= coarseNanoseconds,
    "software-adapter": device.fallback || looksLikeSoftware(`${vendor} ${architecture} ${description}`),
    "cold-pipeline": kernels.some(({ coldCalls }) => coldCalls > 0),
    "estimated-roofs": roofs === null,
    "bound-bytes": kernels.some(({ shapes }) => Object.keys(shapes).length > 0),
    "whole-passes": !split,
    "untimed-work": (counts?.untimed ?? 0) > 0,
    "program-failed": failed,
    "cold-cache": coldCache,
    ...further,
  };
  return (Object.keys(holds) as Mark[]).filter((mark) => holds[mark]);
}
