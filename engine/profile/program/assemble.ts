import { createHash } from "node:crypto";
import { looksLikeSoftware } from "../../device/probe.ts";
import { type BindingRoof, bindingRoof } from "../../tune/binding-roof.ts";
import type { Roofs } from "../../tune/roofs.ts";
import { busyMsOf, callFigures, durationOf, gpuSpan, memoryLine, rates, type TimedEvent } from "../figures.ts";
import type { KernelProfile, Mark, Profile } from "../profile.ts";
import { conditionMarks, conditionsOf, withTaints } from "../tainted.ts";
import { workgroupBytes } from "../workgroup-bytes.ts";
import { boundText, readShader, type ShaderText } from "./interface.ts";
import type { DeviceRecord, ProgramRow } from "./protocol.ts";
import type { ThreadRecords } from "./read.ts";

/** Steps of the clock from which on marks warn of it. */
const coarseNanoseconds = 10_000;

/** What is known beside the records. */
export interface ProgramSurroundings {
  readonly command: string;
  /** Roofs of an adapter, taken when they are of the program's. */
  readonly roofs: Roofs | null;
  readonly eventLimit: number;
  readonly microsecondsPerDispatch: number | null;
  readonly split: boolean;
  readonly failed: boolean;
  readonly coldCache: boolean;
}

interface ProgramCall extends TimedEvent {
  readonly row: ProgramRow;
}

/** Rows that are the same but for where they were recorded. */
interface Group {
  readonly row: ProgramRow;
  readonly calls: ProgramCall[];
}

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
  const kernels = groups.map((group) => rowOf(group, thread, sources, busyMs, roofs));
  const conditions = conditionsOf(
    thread.stretches,
    groups.map(({ calls }) => calls),
  );
  const index = new Map(groups.flatMap(({ calls }, i) => calls.map((call) => [call, i] as const)));
  const listed = events.slice(0, eventLimit);
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
      alignment: { uncertaintyMs: device.uncertaintyMs, driftMs: counts?.driftMs ?? 0 },
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
    events: listed.map((event) => ({
      kernel: index.get(event)!,
      startMs: Math.max(0, event.beginMs),
      durationMs: durationOf(event),
      recordedMs: event.recordedMs,
      submit: event.submit,
      cold: event.cold,
      ...(event.taint && { taint: event.taint }),
    })),
    eventsLeftOut: events.length - listed.length,
    memory: {
      peakBytes: state?.peakBytes ?? 0,
      owners: (state?.owners ?? []).map(([owner, atPeakBytes]) => ({ owner, atPeakBytes })),
      timeline: memoryLine(events),
    },
    tunings: [],
    sources: sources.kept,
  };
}

function identity({ stack: _, ...row }: ProgramRow): string {
  return JSON.stringify(row);
}

function grouped(events: readonly ProgramCall[]): Group[] {
  const groups = new Map<string, Group>();
  const known = new Map<ProgramRow, Group>();
  for (const call of events) {
    let group = known.get(call.row);
    if (!group) {
      const key = identity(call.row);
      group = groups.get(key) ?? { row: call.row, calls: [] };
      groups.set(key, group);
      known.set(call.row, group);
    }
    group.calls.push(call);
  }
  return [...groups.values()];
}

/** Sources of a thread's pipelines, read once, and those that a profile keeps. */
class Sources {
  readonly #thread: ThreadRecords;
  readonly #shaders = new Map<number, ShaderText>();
  readonly kept: Record<string, string> = {};

  constructor(thread: ThreadRecords) {
    this.#thread = thread;
  }

  /** Everything about the first pipeline of a row; undefined where there is none. */
  of({ pipelines }: ProgramRow) {
    const pipeline = this.#thread.pipelines.get(pipelines[0] ?? -1);
    if (!pipeline) return undefined;
    const module = this.#thread.modules.get(pipeline.module);
    const wgsl = module?.wgsl ?? "";
    let shader = this.#shaders.get(pipeline.module);
    if (!shader) {
      shader = readShader(wgsl);
      this.#shaders.set(pipeline.module, shader);
    }
    const entryPoint = pipeline.entryPoint || (shader.only ?? "");
    return { pipeline, shader, wgsl, entryPoint, name: pipeline.label || module?.label || entryPoint || "shader" };
  }

  keep(wgsl: string): string {
    if (wgsl === "") return "";
    const hash = createHash("sha256").update(wgsl).digest("hex").slice(0, 16);
    this.kept[hash] = wgsl;
    return hash;
  }

  /** Names of all pipelines of a row. */
  names(row: ProgramRow): string[] {
    return row.pipelines.map((id) => this.of({ ...row, pipelines: [id] })?.name ?? "shader");
  }
}

function rowOf(
  { row, calls }: Group,
  thread: ThreadRecords,
  sources: Sources,
  busyMs: number,
  roofs: Roofs | null,
): KernelProfile {
  const found = sources.of(row);
  const figures = callFigures(calls);
  const { median, total } = figures.milliseconds;
  const single = row.kind === "dispatch" && found;
  const bytes = row.kind === "transfer" ? row.bytes : row.bound.reduce((sum, one) => sum + one.bytes, 0);
  const names = sources.names(row);
  const kernel =
    row.kind === "transfer" ? row.label : row.kind === "dispatch" ? (found?.name ?? "shader") : namesText(names);
  const bound = roofs && median > 0 && bytes > 0 ? roofOf(row, bytes, roofs) : undefined;
  const source = sources.keep(found?.wgsl ?? "");
  const identityOfSource = { ...row, stack: 0, pipelines: names, source, constants: found?.pipeline.constants };
  return {
    id: createHash("sha256").update(JSON.stringify(identityOfSource)).digest("hex").slice(0, 16),
    kernel,
    op: row.label || kernel,
    layer: "",
    phase: "other",
    entryPoint: single ? single.entryPoint : "",
    ...(row.scope && { scope: row.scope }),
    ...stacksOf(calls, thread),
    shapes: shapesOf(row, found?.shader),
    variant: variantOf(row, found?.entryPoint ?? "", kernel),
    constants: { ...found?.pipeline.constants },
    halves: [],
    workgroup: single ? single.shader.workgroup(single.entryPoint, single.pipeline.constants) : [0, 0, 0],
    grid: [...row.grid],
    workgroupBytes: single ? workgroupBytes({ wgsl: single.wgsl }) : 0,
    ...figures,
    share: busyMs > 0 ? total / busyMs : 0,
    ...rates(null, bytes, median),
    roof: bound ? { binds: bound.roof, share: bound.leastMs / median } : null,
    source,
  };
}

function namesText(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(" + ");
  return names.length > 3 ? `${shown} + ${names.length - 3} more` : shown || "(empty)";
}

function variantOf({ kind, works }: ProgramRow, entryPoint: string, kernel: string): string {
  if (kind === "render") return `${works} draws`;
  if (kind === "pass" || works > 1) return `${works} dispatches`;
  return entryPoint === kernel ? "" : entryPoint;
}

function roofOf({ kind, works }: ProgramRow, bytes: number, roofs: Roofs): BindingRoof | undefined {
  if (kind === "render" || kind === "pass") return undefined;
  return bindingRoof({ flops: 0, bytes, dispatches: Math.max(1, works) }, roofs);
}

/** What is bound, by the names of the shader. */
function shapesOf({ kind, bound, bytes }: ProgramRow, shader: ShaderText | undefined): Record<string, string> {
  if (kind === "transfer") return { bytes: `[${bytes}]` };
  return Object.fromEntries(
    bound.map(({ group, binding, bytes: size, kind: what }) => {
      const variable = shader?.variables.get(`${group} ${binding}`);
      const name = variable?.name ?? `@group(${group}) @binding(${binding})`;
      return [name, what === "buffer" ? boundText(size, variable?.type) : what];
    }),
  );
}

function stacksOf(calls: readonly ProgramCall[], { stacks }: ThreadRecords): Pick<KernelProfile, "stacks"> {
  const counts = new Map<string, { calls: number; frames: string[] }>();
  for (const { row } of calls) {
    const frames = [...(stacks.get(row.stack) ?? [])];
    if (frames.length === 0) continue;
    const key = frames.join("\n");
    const entry = counts.get(key) ?? { calls: 0, frames };
    entry.calls++;
    counts.set(key, entry);
  }
  return counts.size > 0 ? { stacks: [...counts.values()].sort((a, b) => b.calls - a.calls) } : {};
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
