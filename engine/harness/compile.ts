import type { Device } from "../device/device.ts";
import { type Constants, type ExpandedLine, expandLines, joined, type PartText } from "../kernel/template.ts";
import { enginePart } from "../kernel/text.ts";
import type { CapturedDispatch } from "./capture.ts";
import { KernelRunError, KernelUsageError } from "./errors.ts";
import {
  type FixedUniform,
  type KernelInterface,
  readForeignInterface,
  readInterface,
  type StorageSlot,
} from "./interface.ts";
import { namesUsedBy } from "./reachable.ts";

/** A kernel of the user's after the template step. */
export interface ExpandedKernel {
  /** Name for messages. */
  readonly file: string;
  readonly wgsl: string;
  readonly lines: readonly ExpandedLine[];
  /** Of a kernel of a program's: what its interface is read by. */
  readonly foreign?: ForeignKernel;
}

/** A kernel as a program dispatches it: one entry point of its module, with everything bound. */
export interface ForeignKernel {
  readonly entryPoint: string;
  /** Bytes of what is bound by "group binding", where they matter. */
  readonly bytes?: Readonly<Record<string, number>>;
}

/** A kernel that compiles, with what its source says of its interface. */
export interface ReadKernel extends ExpandedKernel {
  readonly interface: KernelInterface;
}

/** The template step. @throws TemplateError */
export function expandKernel(
  source: string,
  constants: Constants,
  file: string,
  part: PartText = enginePart,
): ExpandedKernel {
  const lines = expandLines(source, constants, file, part);
  return { file, wgsl: joined(lines), lines };
}

/** A kernel as a program had it: there is no template step. */
export function capturedKernel(capture: CapturedDispatch, file: string): ExpandedKernel {
  const { wgsl, record } = capture;
  const lines = wgsl.split("\n").map((text, i) => ({ text, file, line: i + 1, written: text, values: [] }));
  const bytes = Object.fromEntries(
    record.buffers.map(({ group, binding, bytes: size }) => [`${group} ${binding}`, size] as const),
  );
  return { file, wgsl, lines, foreign: { entryPoint: record.entryPoint, bytes } };
}

function interfaceOf({ wgsl, file, foreign }: ExpandedKernel): KernelInterface {
  if (!foreign) return readInterface(wgsl, file);
  const { entryPoint, bytes } = foreign;
  const used = namesUsedBy(wgsl, entryPoint);
  return readForeignInterface(
    wgsl,
    file,
    (name) => used.has(name),
    (group, binding) => (bytes ? bytes[`${group} ${binding}`] : 0),
  );
}

/** A place in the file, or in that of a part, for one in the specialised source, both counted from 1; a place within a value becomes that of its `{{NAME}}`. */
export function placeInSource(
  { file, lines }: ExpandedKernel,
  line: number,
  column: number,
): { file: string; line: number; column: number } {
  const expanded = lines[line - 1];
  if (!expanded) return { file, line, column };
  const place = { file: expanded.file, line: expanded.line };
  let shift = 0;
  for (const { from, fromEnd, to, toEnd } of expanded.values) {
    if (column - 1 < to) break;
    if (column - 1 < toEnd) return { ...place, column: from + 1 };
    shift = fromEnd - toEnd;
  }
  return { ...place, column: column + shift };
}

/** What a compiler said, with the line it said it of. */
function messageText(
  kernel: ExpandedKernel,
  { message, lineNum, linePos }: Pick<GPUCompilationMessage, "message" | "lineNum" | "linePos">,
): string {
  if (lineNum === 0) return `${kernel.file}: ${message}`;
  const { file, line, column } = placeInSource(kernel, lineNum, linePos);
  const written = (kernel.lines[lineNum - 1]?.written ?? "").trimEnd();
  const specialised = (kernel.lines[lineNum - 1]?.text ?? "").trimEnd();
  // A tab above the caret is one below the same in width.
  const indent = written
    .slice(0, Math.max(0, column - 1))
    .replace(/[^\t]/g, " ")
    .padEnd(Math.max(0, column - 1));
  const quoted = `${String(line).padStart(5)} | ${written}\n${" ".repeat(5)} | ${indent}^`;
  const then = specialised === written ? "" : `\n   as  | ${specialised}`;
  return `${file}:${line}:${column}: ${message}\n${quoted}${then}`;
}

export interface CompiledKernel {
  readonly kernel: ReadKernel;
  readonly pipeline: GPUComputePipeline;
  readonly layouts: readonly GPUBindGroupLayout[];
  readonly entryPoint: string;
  /** Of the entry point; undefined where an extent is an expression of the source's. */
  readonly workgroup: readonly number[] | undefined;
}

/**
 * Compiles a kernel for its bindings. The compiler has the first word on the source: what the harness reads of it counts only
 * when it is WGSL.
 * @param entry name of the entry point; may be left out where there is one only
 * @throws KernelRunError with line and column in the user's file
 */
export async function compileKernel(
  device: Device,
  expanded: ExpandedKernel,
  constants: Constants,
  entry?: string,
): Promise<CompiledKernel> {
  const { gpu } = device;
  const module = await moduleOf(gpu, expanded);
  const kernel = { ...expanded, interface: interfaceOf(expanded) };
  const point = entryPointOf(kernel, entry);
  const overrides = overrideValues(kernel.interface, constants);
  gpu.pushErrorScope("validation");
  try {
    const own = expanded.foreign ? undefined : layoutsOf(gpu, kernel.interface);
    const pipeline = await gpu.createComputePipelineAsync({
      label: kernel.file,
      // What textures and samplers of a program's kernel must be like the compiler knows best.
      layout: own ? gpu.createPipelineLayout({ bindGroupLayouts: own }) : "auto",
      compute: { module, entryPoint: point.name, constants: overrides },
    });
    const layouts = own ?? groupsOf(kernel.interface).map((group) => pipeline.getBindGroupLayout(group));
    const workgroup = point.workgroup.map((extent) => extentOf(extent, kernel.interface, overrides));
    const known = workgroup.every((extent) => extent !== undefined);
    const padded = [workgroup[0] ?? 1, workgroup[1] ?? 1, workgroup[2] ?? 1];
    return { kernel, pipeline, layouts, entryPoint: point.name, workgroup: known ? padded : undefined };
  } catch (error) {
    throw new KernelRunError(`${kernel.file}: no pipeline: ${(error as Error).message}`);
  } finally {
    await gpu.popErrorScope();
  }
}

async function moduleOf(gpu: GPUDevice, kernel: ExpandedKernel): Promise<GPUShaderModule> {
  gpu.pushErrorScope("validation");
  const module = gpu.createShaderModule({ label: kernel.file, code: kernel.wgsl });
  const { messages } = await module.getCompilationInfo();
  const moduleError = await gpu.popErrorScope();
  const errors = messages.filter(({ type }) => type === "error");
  if (errors.length > 0) throw new KernelRunError(errors.map((message) => messageText(kernel, message)).join("\n"));
  if (!moduleError) return module;
  // Some runtimes have no messages, only the text of an error with a place in it.
  const { message } = moduleError;
  const [, line = 0, column = 0] = /:(\d+):(\d+)\b/.exec(message) ?? [];
  throw new KernelRunError(messageText(kernel, { message, lineNum: Number(line), linePos: Number(column) }));
}

function entryPointOf({ file, interface: { entryPoints } }: ReadKernel, entry?: string) {
  const names = entryPoints.map(({ name }) => name).join(", ");
  if (entryPoints.length === 0) throw new KernelRunError(`${file}: no @compute entry point`);
  if (entry === undefined && entryPoints.length === 1) return entryPoints[0]!;
  const found = entryPoints.find(({ name }) => name === entry);
  if (found) return found;
  throw new KernelUsageError(
    entry === undefined
      ? `${file} has the entry points ${names}; name one with --entry`
      : `${file} has no entry point ${entry}; it has ${names}`,
  );
}

function overrideValues({ overrides }: KernelInterface, constants: Constants): Record<string, number> {
  const values: Record<string, number> = {};
  for (const name of overrides.keys()) {
    const value = constants[name];
    if (value === undefined) continue;
    if (typeof value === "string")
      throw new KernelUsageError(`override ${name} is a number or a boolean, got "${value}"`);
    values[name] = Number(value);
  }
  return values;
}

function extentOf(text: string, { overrides }: KernelInterface, values: Record<string, number>): number | undefined {
  const literal = overrides.has(text) ? (values[text] ?? overrides.get(text) ?? "") : text;
  const digits = /^(\d+)[ui]?$/.exec(String(literal))?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Numbers of the groups up to the last that has a binding. */
function groupsOf({ storage, fixed, handles }: KernelInterface): number[] {
  const last = [...storage, ...fixed, ...handles].reduce((most, { group }) => Math.max(most, group), -1);
  return Array.from({ length: last + 1 }, (_, group) => group);
}

/** Bind group layouts of the kernel, groups without bindings included. */
function layoutsOf(gpu: GPUDevice, { storage, uniform, fixed }: KernelInterface): GPUBindGroupLayout[] {
  const slots: (StorageSlot | FixedUniform)[] = [...storage, ...(uniform ? [uniform] : []), ...fixed];
  const groups = Math.max(...slots.map(({ group }) => group)) + 1;
  return Array.from({ length: groups }, (_, group) =>
    gpu.createBindGroupLayout({
      entries: slots
        .filter((slot) => slot.group === group)
        .map((slot) => ({
          binding: slot.binding,
          visibility: 4,
          buffer: { type: "writable" in slot ? (slot.writable ? "storage" : "read-only-storage") : "uniform" },
        })),
    }),
  );
}
