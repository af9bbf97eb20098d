import type { Device } from "../../engine/device/device.ts";
import { resize, unpackRgb } from "../../engine/ops/pictures/image.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Picture } from "./pictures/decode.ts";

/** A decoded picture on the device, resized to side x side with antialias. */
export function upload(device: Device, picture: Picture, side: number): Tensor {
  const resized = () => {
    const whole = unpackRgb(device, picture.pixels, picture.height, picture.width);
    return resize(whole, { height: side, width: side, filter: "bilinear", antialias: true });
  };
  return device.labels.within({ phase: "input" }, () => device.owned("pictures", () => device.scope(resized))).keep();
}
