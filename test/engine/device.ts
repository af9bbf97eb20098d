import type { Device } from "../../engine/device/device.ts";
import { openDevice } from "../../engine/device/open.ts";

let opened: Promise<Device> | undefined;

/** The device that all tests of a process share; pipelines are compiled once. */
export function sharedDevice(): Promise<Device> {
  opened ??= openDevice();
  return opened;
}

let plain: Promise<Device> | undefined;

/**
 * A device without optional features and with small bindings: plain kernel variants, tensors cut into windows. A window
 * spans 128 of the adapter's offset alignments, 2 KiB where that is 16 bytes, so that rows of the same shapes fit anywhere.
 */
export function plainDevice(): Promise<Device> {
  plain ??= sharedDevice().then(({ gpu }) =>
    openDevice({
      withoutFeatures: ["subgroups", "shader-f16"],
      maximumBindingBytes: 128 * gpu.limits.minStorageBufferOffsetAlignment,
    }),
  );
  return plain;
}
