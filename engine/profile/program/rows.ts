import { createHash } from "node:crypto";
import { evaluate } from "../../harness/expression.ts";
import { type BindingRoof, bindingRoof } from "../../tune/binding-roof.ts";
import type { Roofs } from "../../tune/roofs.ts";
import { callFigures, rates, type TimedEvent } from "../figures.ts";
import type { KernelProfile } from "../profile.ts";
import { workgroupBytes } from "../workgroup-bytes.ts";
import { boundText, readShader, type ShaderText } from "./interface.ts";
import type { ProgramRow } from "./protocol.ts";
import type { ThreadRecords } from "./read.ts";

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
  /**
   * Floating-point operations of one dispatch by kernel: expressions of `invocations`, `workgroups`, `grid[0]`, `workgroup[0]`.
   */
  readonly flops?: Readonly<Record<string, string>>;
}

export interface ProgramCall extends TimedEvent {
  readonly row: ProgramRow;
}

/** Rows that are the same but for where they were recorded. */
export interface Group {
  readonly row: ProgramRow;
  readonly calls: ProgramCall[];
}

function identity({ stack: _, ...row }: ProgramRow): string {
  return JSON.stringify(row);
}

export function grouped(events: readonly ProgramCall[]): Group[] {
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
export class Sources {
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

export function rowOf(
  { row, calls }: Group,
  thread: ThreadRecords,
  sources: Sources,
  busyMs: number,
  { roofs, flops: told = {} }: ProgramSurroundings,
): KernelProfile {
  const found = sources.of(row);
  const figures = callFigures(calls);
  const { median, total } = figures.milliseconds;
  const single = row.kind === "dispatch" && found;
  const bytes = row.kind === "transfer" ? row.bytes : row.bound.reduce((sum, one) => sum + one.bytes, 0);
  const names = sources.names(row);
  const kernel =
    row.kind === "transfer" ? row.label : row.kind === "dispatch" ? (found?.name ?? "shader") : namesText(names);
  const workgroup = single ? single.shader.workgroup(single.entryPoint, single.pipeline.constants) : noWorkgroup;
  const text = single && Object.hasOwn(told, kernel) ? told[kernel] : undefined;
  const flops = text === undefined ? null : flopsOf(text, row.grid, workgroup);
  const bound = roofs && median > 0 && bytes + (flops ?? 0) > 0 ? roofOf(row, { flops, bytes }, roofs) : undefined;
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
    workgroup: [...workgroup],
    grid: [...row.grid],
    workgroupBytes: single ? workgroupBytes({ wgsl: single.wgsl }) : 0,
    ...figures,
    share: busyMs > 0 ? total / busyMs : 0,
    ...rates(flops, bytes, median),
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

const noWorkgroup = [0, 0, 0] as const;

/** @throws KernelUsageError when it is no such expression */
function flopsOf(text: string, grid: readonly number[], workgroup: readonly number[]): number {
  const size = (list: readonly number[]) => list.reduce((product, extent) => product * extent, 1);
  const list = (values: readonly number[]) => ({ ...Object.fromEntries(values.entries()), size: size(values) });
  const names = {
    workgroups: size(grid),
    invocations: size(grid) * size(workgroup),
    grid: list(grid),
    workgroup: list(workgroup),
  };
  return evaluate(text, (name) => (Object.hasOwn(names, name) ? names[name as keyof typeof names] : undefined));
}

function roofOf(
  { kind, works }: ProgramRow,
  { flops, bytes }: { readonly flops: number | null; readonly bytes: number },
  roofs: Roofs,
): BindingRoof | undefined {
  if (kind === "render" || kind === "pass") return undefined;
  return bindingRoof({ flops: flops ?? 0, bytes, dispatches: Math.max(1, works) }, roofs);
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
