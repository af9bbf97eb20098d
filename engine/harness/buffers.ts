import type { Device } from "../device/device.ts";
import { bufferUsage } from "../kernel/stream.ts";
import { allocationOf } from "../tune/stopwatch.ts";
import { typedView, type WeightsFile } from "../weights/stored.ts";
import type { CapturedDispatch } from "./capture.ts";
import { KernelUsageError } from "./errors.ts";
import { type Elements, elementsOf, filled, poisoned } from "./inputs.ts";
import { type Scalar, scalarBytes } from "./interface.ts";
import type { ResolvedBuffer } from "./resolve.ts";

/** A buffer with what it held before the first dispatch. */
export interface Loaded extends ResolvedBuffer {
  readonly buffer: GPUBuffer;
  readonly before: Elements;
}

/** Bytes of a buffer's elements, without padding. */
export function sizeIn(shape: readonly number[], scalar: Scalar): number {
  return shape.reduce((product, extent) => product * extent, 1) * scalarBytes[scalar];
}

/**
 * Makes the buffers of a kernel and uploads what they hold at first.
 * @param file contents by name, instead of their `fill`
 * @param capture contents by binding, where `file` has none
 * @throws KernelUsageError when one is too large for a binding, or a stored tensor has another type or shape
 */
export async function load(
  device: Device,
  buffers: readonly ResolvedBuffer[],
  seed: number,
  file: WeightsFile | undefined,
  capture?: CapturedDispatch,
): Promise<Loaded[]> {
  const loaded: Loaded[] = [];
  try {
    for (const resolved of buffers) {
      const { slot, shape, scalar, sizeBytes, fill } = resolved;
      if (sizeBytes > device.maximumBindingBytes) {
        throw new KernelUsageError(
          `buffer "${slot.name}" of ${sizeBytes} bytes does not fit one binding (${device.maximumBindingBytes} bytes on this adapter)`,
        );
      }
      const count = sizeIn(shape, scalar) / scalarBytes[scalar];
      const before = file?.tensors.has(slot.name)
        ? await storedElements(file, slot.name, shape, scalar)
        : capture
          ? capturedElements(capture, resolved, "before")
          : fill === undefined
            ? poisoned(count, scalar, 0)
            : filled(fill, count, scalar, seed, slot.name);
      const { storage, copySource, copyDestination } = bufferUsage;
      const buffer = device.gpu.createBuffer({
        label: slot.name,
        size: Math.ceil(sizeBytes / 16) * 16,
        usage: storage | copySource | copyDestination,
      });
      loaded.push({ ...resolved, buffer, before });
    }
    upload(device, loaded);
    return loaded;
  } catch (error) {
    for (const { buffer } of loaded) buffer.destroy();
    throw error;
  }
}

/** Brings buffers to what they held at first; results, in turn 1, to the other poison. */
export function upload(device: Device, loaded: readonly Loaded[], turn: 0 | 1 = 0): void {
  for (const { buffer, sizeBytes, fill, before, scalar } of loaded) {
    const elements = fill === undefined && turn === 1 ? poisoned(before.length, scalar, 1) : before;
    device.stream.upload(allocationOf({ buffer, sizeBytes }), elements);
  }
}

/** What each writable buffer holds now. */
export async function readWritten(device: Device, loaded: readonly Loaded[]): Promise<Map<string, Elements>> {
  const after = new Map<string, Elements>();
  for (const { slot, shape, scalar, buffer, sizeBytes } of loaded) {
    if (!slot.writable) continue;
    const bytes = await device.stream.read(allocationOf({ buffer, sizeBytes }), 0, sizeIn(shape, scalar));
    after.set(slot.name, elementsOf(bytes, scalar));
  }
  return after;
}

/** Types as safetensors has them. */
export const storedTypes = { f32: "F32", f16: "F16", u32: "U32", i32: "I32" } as const;

async function storedElements(
  file: WeightsFile,
  name: string,
  shape: readonly number[],
  scalar: Scalar,
): Promise<Elements> {
  const tensor = await file.read(name);
  const expected = `${storedTypes[scalar]} [${shape.join(", ")}]`;
  const found = `${tensor.dtype} [${tensor.shape.join(", ")}]`;
  if (found !== expected)
    throw new KernelUsageError(`${file.path}: "${name}" is ${found}, the kernel's buffer ${expected}`);
  return typedView(tensor) as Elements;
}

/** What a captured buffer held. */
export function capturedElements(
  capture: CapturedDispatch,
  { slot, shape, scalar }: Pick<ResolvedBuffer, "slot" | "shape" | "scalar">,
  when: "before" | "after",
): Elements {
  const held = capture.bytesOf(slot.group, slot.binding)?.[when];
  const size = sizeIn(shape, scalar);
  if (!held || held.length < size)
    throw new KernelUsageError(`the capture has ${held?.length ?? "no"} bytes of "${slot.name}", expected ${size}`);
  return elementsOf(held.slice(0, size).buffer, scalar);
}

export function uniformBuffer(device: Device, bytes: ArrayBuffer | Uint8Array<ArrayBuffer>): GPUBuffer {
  const usage = bufferUsage.uniform | bufferUsage.copyDestination;
  const buffer = device.gpu.createBuffer({ label: "params", size: bytes.byteLength, usage });
  device.gpu.queue.writeBuffer(buffer, 0, bytes);
  return buffer;
}
