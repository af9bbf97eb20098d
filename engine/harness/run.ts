import type { Device } from "../device/device.ts";
import type { Constants, PartText } from "../kernel/template.ts";
import type { Clock } from "../tune/stopwatch.ts";
import type { WeightsFile } from "../weights/stored.ts";
import { type Bounds, findOutOfBounds } from "./bounds.ts";
import { type Loaded, load, readWritten, sizeIn, uniformBuffer, upload } from "./buffers.ts";
import { type CapturedDispatch, capturedShape } from "./capture.ts";
import { type Check, compareAndDump, compareCaptured, type Dump } from "./compare.ts";
import { type CompiledKernel, capturedKernel, compileKernel, expandKernel } from "./compile.ts";
import type { Description } from "./description.ts";
import { KernelRunError, KernelUsageError } from "./errors.ts";
import { evaluate } from "./expression.ts";
import { type BoundHandle, madeHandles } from "./handles.ts";
import type { FixedUniform, KernelInterface, Scalar } from "./interface.ts";
import { type MeasureOptions, measure, type Recording } from "./measure.ts";
import { mapOperands, referenceOf } from "./reference.ts";
import { type Repeats, repeat } from "./repeats.ts";
import {
  fullScope,
  type ResolvedBuffer,
  resolveBuffers,
  resolveConstants,
  resolveGrid,
  uniformBytes,
} from "./resolve.ts";

export interface Summary {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  /** Half the distance between the 16th and the 84th percentile. */
  readonly spread: number;
  readonly runs: number;
}

/** What a kernel did at one point of a sweep. */
export interface KernelRun {
  readonly constants: Constants;
  readonly entryPoint: string;
  readonly workgroup: readonly number[] | undefined;
  readonly grid: readonly [number, number, number];
  readonly buffers: Readonly<
    Record<string, { shape: readonly number[]; type: Scalar; bytes: number; writable: boolean }>
  >;
  /** Of one dispatch, among others in a pass. */
  readonly milliseconds: Summary;
  readonly clock: Clock;
  /** From the source until the first dispatch was done, ms; drivers may compile at the first dispatch. */
  readonly firstDispatchMs: number;
  /** Of one dispatch, as given or those of the reference operation. */
  readonly flops: number | null;
  readonly bytes: number;
  readonly gflops: number | null;
  readonly GBps: number;
  /** Comparison with the reference operation. */
  readonly check: Check | null;
  /** Accesses out of bounds; null when they were not looked for. */
  readonly bounds: Bounds | null;
  readonly repeats: Repeats;
}

export interface RunOptions extends MeasureOptions {
  /** Name for messages. */
  readonly file: string;
  /** Finds what the kernel uses by `//#use`; the engine's parts unless given. */
  readonly part?: PartText;
  /** Contents of buffers by name, instead of their `fill`. */
  readonly inputs?: WeightsFile;
  readonly dump?: Dump;
  /** The dispatch that the kernel was captured from: its layout and contents, with which the result is compared. */
  readonly capture?: CapturedDispatch;
  /** Bound on the error relative to the largest element of a capture; 1e-4 unless given, for f16 4e-3, 0 for integers. */
  readonly tolerance?: number;
  /** Whether to look for accesses out of bounds; true unless given. */
  readonly bounds?: boolean;
}

/**
 * Runs a user's kernel on its inputs: once with its subscripts watched, once to compare the result with the reference
 * operation, twice to see whether it depends on what was there before, and then to time it.
 * @param point values of swept constants, over those of the description
 * @throws TemplateError, KernelRunError, KernelUsageError; GpuError when the device fails
 */
export async function runKernel(
  device: Device,
  source: string,
  description: Description,
  point: NonNullable<Description["constants"]>,
  options: RunOptions,
): Promise<KernelRun> {
  const constants = resolveConstants({ ...description.constants, ...point });
  const start = performance.now();
  const { capture } = options;
  const expanded = capture
    ? capturedKernel(capture, options.file)
    : expandKernel(source, constants, options.file, options.part);
  const compiled = await compileKernel(device, expanded, constants, description.entry);
  const { kernel } = compiled;
  const map = operandsOf(description, kernel.interface);
  const given = new Set([...map].filter(([operand]) => operand !== "out").map(([, name]) => name));
  for (const name of options.inputs?.tensors.keys() ?? []) given.add(name);
  const buffers = capture
    ? capturedBuffers(capture, kernel.interface)
    : resolveBuffers(description, kernel.interface, constants, given);
  const scope = fullScope(constants, buffers, compiled.workgroup);
  const limit = device.mostWorkgroups;
  const grid = resolveGrid(description.grid, scope, limit);
  const uniform = uniformBytes(description, kernel.interface, scope);
  const [givenFlops, givenBytes] = [description.flops, description.bytes].map((expression) =>
    expression === undefined ? undefined : evaluate(String(expression), scope),
  );
  const compileMs = performance.now() - start;
  const loaded = await load(device, buffers, description.seed ?? 0, options.inputs, capture);
  const uniforms = [
    ...(uniform ? [{ ...kernel.interface.uniform!, buffer: uniformBuffer(device, uniform) }] : []),
    ...kernel.interface.fixed.map((slot) => ({
      ...slot,
      buffer: uniformBuffer(device, capture!.bytesOf(slot.group, slot.binding)!.before),
    })),
  ];
  const handles = capture && madeHandles(device, kernel.interface, capture);
  try {
    const dispatchOf = (one: CompiledKernel, bound: readonly Bound[]) =>
      dispatcher(device, one, bound, [...uniforms, ...(handles?.bound ?? [])], grid);
    const bounds =
      options.bounds === false
        ? null
        : await findOutOfBounds(device, kernel, loaded, async (expanded, hits) => {
            const copy = await compileKernel(device, expanded, constants, compiled.entryPoint);
            await (await dispatchOf(copy, [...loaded, hits])).once();
          });
    upload(device, loaded);
    const { record, once } = await dispatchOf(compiled, loaded);
    const firstMs = await once();
    const after = await readWritten(device, loaded);
    const compared = await compareAndDump(device, description.reference, loaded, after, map, options.dump);
    const recaptured = capture && compareCaptured(capture, loaded, after, options.tolerance);
    const repeats = await repeat(device, loaded, after, once);
    const { times, clock } = await measure(device, record, options);
    const milliseconds = summaryOf(times);
    const flops = givenFlops ?? compared?.flops ?? null;
    const bytes = givenBytes ?? buffers.reduce((sum, { shape, scalar }) => sum + sizeIn(shape, scalar), 0);
    return {
      constants,
      entryPoint: compiled.entryPoint,
      workgroup: compiled.workgroup,
      grid,
      buffers: Object.fromEntries(
        buffers.map(({ slot, shape, scalar }) => [
          slot.name,
          { shape, type: scalar, bytes: sizeIn(shape, scalar), writable: slot.writable },
        ]),
      ),
      milliseconds,
      clock,
      firstDispatchMs: compileMs + firstMs,
      flops,
      bytes,
      gflops: flops === null ? null : flops / milliseconds.median / 1e6,
      GBps: bytes / milliseconds.median / 1e6,
      check: compared?.check ?? recaptured ?? null,
      bounds,
      repeats,
    };
  } finally {
    for (const { buffer } of loaded) buffer.destroy();
    for (const { buffer } of uniforms) buffer.destroy();
    handles?.destroy();
  }
}

/** Which buffer of the kernel is which operand of its reference; empty without one. */
function operandsOf({ reference }: Description, { storage }: KernelInterface): ReadonlyMap<string, string> {
  if (!reference) return new Map();
  return mapOperands(reference.operation, referenceOf(reference.operation), storage, reference.map);
}

/** A uniform as it is bound. */
interface BoundUniform extends FixedUniform {
  readonly buffer: GPUBuffer;
}

/** Buffers of a captured dispatch, all of which hold something. */
function capturedBuffers(capture: CapturedDispatch, { storage }: KernelInterface): ResolvedBuffer[] {
  return storage.map((slot) => {
    const held = capture.bytesOf(slot.group, slot.binding);
    if (!held) throw new KernelUsageError(`the capture has no bytes of "${slot.name}"`);
    const sizeBytes = held.before.length;
    const { shape, type } = capturedShape(sizeBytes, slot.scalar);
    return { slot, shape, scalar: type, sizeBytes, fill: 0 };
  });
}

/** A storage buffer of the kernel as it is bound. */
type Bound = Pick<Loaded, "buffer" | "sizeBytes">;

interface Dispatcher {
  readonly record: Recording;
  /** Dispatches once; resolves with the milliseconds until it was done, by the host's clock. */
  readonly once: () => Promise<number>;
}

/**
 * @param bound buffers in the order of the kernel's storage variables
 * @throws KernelRunError when the adapter refuses to bind them, and when it refuses a dispatch
 */
async function dispatcher(
  device: Device,
  { kernel, pipeline, layouts }: CompiledKernel,
  bound: readonly Bound[],
  others: readonly (BoundUniform | BoundHandle)[],
  grid: readonly [number, number, number],
): Promise<Dispatcher> {
  const { storage } = kernel.interface;
  const resources = [
    ...storage.map(({ group, binding }, i) => ({
      ...{ group, binding },
      resource: { buffer: bound[i]!.buffer, size: bound[i]!.sizeBytes },
    })),
    ...others.map((one) => ({
      ...{ group: one.group, binding: one.binding },
      resource: "resource" in one ? one.resource : { buffer: one.buffer, size: one.sizeBytes },
    })),
  ];
  const groups = await accepted(device, () =>
    layouts.map((layout, group) =>
      device.gpu.createBindGroup({
        layout,
        entries: resources
          .filter((entry) => entry.group === group)
          .map(({ binding, resource }) => ({ binding, resource })),
      }),
    ),
  );
  const record: Recording = (pass, times) => {
    pass.setPipeline(pipeline);
    for (const [index, group] of groups.entries()) pass.setBindGroup(index, group);
    for (let i = 0; i < times; i++) pass.dispatchWorkgroups(...grid);
  };
  const once = async () => {
    await device.finish();
    const start = performance.now();
    await accepted(device, () => {
      const encoder = device.gpu.createCommandEncoder();
      const pass = encoder.beginComputePass();
      record(pass, 1);
      pass.end();
      device.gpu.queue.submit([encoder.finish()]);
    });
    await device.finish();
    return performance.now() - start;
  };
  return { record, once };
}

/** @throws KernelRunError when the adapter says that something of the work is not valid */
async function accepted<T>({ gpu }: Device, work: () => T): Promise<T> {
  gpu.pushErrorScope("validation");
  const result = work();
  const error = await gpu.popErrorScope();
  if (error) throw new KernelRunError(`the adapter refused the dispatch: ${error.message}`);
  return result;
}

/** Exported for tests. */
export function summaryOf(times: readonly number[]): Summary {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => {
    const place = share * (sorted.length - 1);
    const [low, high] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
    return low + (place % 1) * (high - low);
  };
  return {
    median: at(0.5),
    least: sorted[0]!,
    most: sorted.at(-1)!,
    spread: (at(0.84) - at(0.16)) / 2,
    runs: sorted.length,
  };
}
