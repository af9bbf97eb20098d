import type { Device } from "../../../../engine/device/device.ts";
import { unpackRgb } from "../../../../engine/ops/pictures/image.ts";
import type { Tensor } from "../../../../engine/tensor.ts";

/** Samples of a picture as bytes, rounded to the nearest of 256 levels. */
export async function toBytes(x: Tensor): Promise<Uint8Array> {
  return Uint8Array.from(await x.read(), (value) => Math.round(Math.max(0, Math.min(1, value)) * 255));
}

/** Interleaved RGB bytes as a picture [1, H, W, 3] in [0, 1]. */
export function fromBytes(device: Device, bytes: Uint8Array, height: number, width: number): Tensor {
  return unpackRgb(device, bytes, height, width);
}
