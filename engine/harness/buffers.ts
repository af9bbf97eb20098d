import type { Device } from "../device/device.ts";
import { bufferUsage } from "../kernel/stream.ts";
import { allocationOf } from "../tune/stopwatch.ts";
import { typedView, type WeightsFile } from "../weights/stored.ts";
import { KernelRunError } from "./errors.ts";
import { type Elements, filled } from "./inputs.ts";
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
 * @throws KernelRunError when one is too large for a binding, or a stored tensor has another type or shape
 */
export async function load(
  device: Device,
  buffers: readonly ResolvedBuffer[],
  seed: number,
  file: WeightsFile | undefined,
): Promise<Loaded[]> {
  const loaded: Loaded[] = [];
  try {
    for (const resolved of buffers) {
      const { slot, shape, scalar, sizeBytes, fill } = resolved;
      if (sizeBytes > device.maximumBindingBytes) {
        throw new KernelRunError(
          `buffer "${slot.name}" of ${sizeBytes} bytes does not fit one binding (${device.maximumBindingBytes} bytes on this adapter)`,
        );
      }
      const count = sizeIn(shape, scalar) / scalarBytes[scalar];
      const before = file?.tensors.has(slot.name)
        ? await storedElements(file, slot.name, shape, scalar)
        : filled(fill, count, scalar, seed, slot.name);
      const { storage, copySource, copyDestination } = bufferUsage;
      const buffer = device.gpu.createBuffer({
        label: slot.name,
        size: Math.ceil(sizeBytes / 16) * 16,
        usage: storage | copySource | copyDestination,
      });
      device.stream.upload(allocationOf({ buffer, sizeBytes }), before);
      loaded.push({ ...resolved, buffer, before });
    }
    return loaded;
  } catch (error) {
    for (const { buffer } of loaded) buffer.destroy();
    throw error;
  }
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
    throw new KernelRunError(`${file.path}: "${name}" is ${found}, the kernel's buffer ${expected}`);
  return typedView(tensor) as Elements;
}

export function uniformBuffer(device: Device, bytes: ArrayBuffer): GPUBuffer {
  const usage = bufferUsage.uniform | bufferUsage.copyDestination;
  const buffer = device.gpu.createBuffer({ label: "params", size: bytes.byteLength, usage });
  device.gpu.queue.writeBuffer(buffer, 0, bytes);
  return buffer;
}
