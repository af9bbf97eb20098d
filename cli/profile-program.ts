import { relative, resolve } from "node:path";
import { InvalidArgumentError } from "commander";
import { evaluate } from "../engine/harness/expression.ts";
import type { Profile } from "../engine/profile/profile.ts";
import { splittingCost } from "../engine/profile/profiler.ts";
import { assemble } from "../engine/profile/program/assemble.ts";
import type { CaptureRequest, DeviceRecord } from "../engine/profile/program/protocol.ts";
import type { ThreadRecords } from "../engine/profile/program/read.ts";
import { type ProgramRun, runProgram } from "../engine/profile/program/run.ts";
import { captureRequest, saveCapture } from "../engine/profile/program/save-capture.ts";
import type { Roofs } from "../engine/tune/roofs.ts";
import { commandRoofs } from "./bench-roofs.ts";
import { openCommandDevice } from "./device.ts";
import { formatBytes } from "./terminal.ts";

export interface ProgramFlags {
  readonly roofs: boolean;
  readonly events: number;
  readonly wholePasses?: boolean;
  readonly coldCache?: boolean;
  readonly flops?: Readonly<Record<string, string>>;
  readonly capture?: string;
  readonly captureFile: string;
}

/**
 * Runs a program and profiles what its WebGPU does; the exit code of this process becomes the program's.
 * @param isAside what it prints goes to standard error
 * @throws Error when it cannot be started, and when it opened no device
 */
export async function programProfile(words: string[], flags: ProgramFlags, isAside: boolean): Promise<Profile> {
  const split = !flags.wholePasses;
  const coldCache = flags.coldCache === true;
  const captures = flags.capture === undefined ? [] : [captureRequest(flags.capture, resolve(flags.captureFile))];
  const run = await runProgram(words, { split, coldCache, captures, ...(isAside && { outputTo: 2 }) });
  try {
    const found = run.threads.flatMap((thread) => thread.devices.map((device) => ({ thread, device })));
    const how = run.signal ? `was ended by ${run.signal}` : `ended with code ${run.code}`;
    const failed = run.code !== 0;
    if (found.length === 0) {
      throw new NoDeviceError(
        `"${words.join(" ")}" ${how} and opened no WebGPU device: there is nothing to profile`,
        run.code,
      );
    }
    const most = found.reduce((a, b) => (workOf(b) > workOf(a) ? b : a));
    if (found.length > 1) console.error(`note: ${found.length} devices were opened; this is the one that did most`);
    if (failed) console.error(`note: the program ${how}; this is its profile until then`);
    process.exitCode = run.code;
    for (const request of captures) tellCapture(run, request, words.join(" "));
    const known = flags.roofs ? await adapterFigures(most.device) : none;
    const command = words.join(" ");
    const told = flags.flops ? { flops: flags.flops } : {};
    return assemble(most.thread, most.device, {
      command,
      ...told,
      ...known,
      eventLimit: flags.events,
      split,
      coldCache,
      failed,
    });
  } finally {
    run.dispose();
  }
}

/** Writes the dispatch that was asked for; without one the exit code is 1. */
function tellCapture({ threads, folder }: ProgramRun, { name, number, file }: CaptureRequest, command: string): void {
  try {
    const found = threads.flatMap((thread) => thread.captured.map((captured) => ({ thread, captured })))[0];
    if (!found) throw new Error(`there was no dispatch ${number} of "${name}"${kernelsText(threads)}`);
    const record = saveCapture(found.thread, found.captured, folder, command);
    const bytes = record.buffers.reduce((sum, buffer) => sum + buffer.bytes, 0);
    const size = `${record.buffers.length} buffers, ${formatBytes(bytes)}`;
    console.error(`captured ${record.kernel}, ${record.grid.join(" x ")} workgroups, ${size}: ${file}`);
    console.error(`run it: acutance kernel run ${relative(process.cwd(), file)}`);
  } catch (error) {
    console.error(`error: nothing captured: ${(error as Error).message}`);
    process.exitCode ||= 1;
  }
}

function kernelsText(threads: readonly ThreadRecords[]): string {
  const pipelines = threads.flatMap((thread) => [...thread.pipelines.values()]);
  const names = [...new Set(pipelines.map(({ label, entryPoint }) => label || entryPoint).filter(Boolean))];
  return names.length > 0 ? `; pipelines: ${names.slice(0, 12).join(", ")}${names.length > 12 ? ", …" : ""}` : "";
}

/** There was nothing to see; says how WebGPU is seen. */
export class NoDeviceError extends Error {
  override name = "NoDeviceError";
  readonly advice =
    "seen is the WebGPU of Bun, Node from 24.2 on and Deno through navigator.gpu and the package webgpu, not that of native code or of a browser";
  /** That of the program, when it failed. */
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

function workOf({ thread, device }: { thread: ThreadRecords; device: DeviceRecord }): number {
  return thread.events.get(device.id)?.length ?? 0;
}

interface AdapterFigures {
  readonly roofs: Roofs | null;
  readonly microsecondsPerDispatch: number | null;
}

const none: AdapterFigures = { roofs: null, microsecondsPerDispatch: null };

/** Roofs and cost of passes of the adapter at hand, where it is the program's. */
async function adapterFigures(program: DeviceRecord): Promise<AdapterFigures> {
  const { vendor, architecture, description, subgroupSize, timestamps } = program;
  // Mesa's software driver gets no wider vectors here than the program had: a subgroup is one of 32 bits each.
  if (subgroupSize > 0) process.env["LP_NATIVE_VECTOR_WIDTH"] ??= String(32 * subgroupSize);
  using device = await openCommandDevice();
  const { info } = device;
  const sizes = new Set([device.subgroupSize, subgroupSize].filter((size) => size > 0));
  const named = info.vendor === vendor && info.architecture === architecture && info.description === description;
  const isSame = named && sizes.size < 2;
  if (!isSame) {
    const here = info.description || info.vendor;
    const apart = named ? `, in subgroups of ${subgroupSize}, here of ${device.subgroupSize}` : `, and here is ${here}`;
    console.error(`note: no roofs: the program ran on ${description || vendor}${apart}`);
    return none;
  }
  const roofs = await commandRoofs(device);
  return { roofs, microsecondsPerDispatch: timestamps ? await splittingCost(device) : null };
}

/** Kernels have names of any form. */
export function flopsOption(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.lastIndexOf("=");
  const [name, expression] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  if (at < 0 || !name || !expression) throw new InvalidArgumentError("expected KERNEL=EXPRESSION");
  const names = { grid: { 0: 1, 1: 1, 2: 1, size: 1 }, workgroup: { 0: 1, 1: 1, 2: 1, size: 1 } };
  try {
    evaluate(expression, (word) => ({ invocations: 1, workgroups: 1, ...names })[word]);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return { ...before, [name]: expression };
}
