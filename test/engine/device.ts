import { type Device, openDevice } from "../../engine/device/device.ts";

let opened: Promise<Device> | undefined;

/** The device that all tests of a process share; pipelines are compiled once. */
export function sharedDevice(): Promise<Device> {
  opened ??= openDevice();
  return opened;
}

let plain: Promise<Device> | undefined;

/** A device without optional features and with small bindings: plain kernel variants, tensors cut into windows. */
export function plainDevice(): Promise<Device> {
  plain ??= openDevice({ withoutFeatures: ["subgroups", "shader-f16"], maximumBindingBytes: 2048 });
  return plain;
}
