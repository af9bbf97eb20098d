import { GpuError, OutOfMemoryError } from "../../engine/device/errors.ts";
import { ShapeError, type Tensor } from "../../engine/tensor.ts";
import type { Picture } from "../data/pictures/decode.ts";
import { DecoderBusyError, DecoderEndedError, DecodersClosedError } from "../data/pictures/decoding/errors.ts";
import { PictureError, wordsOf } from "../data/pictures/picture-error.ts";
import { uploadView, type View } from "../views/crops.ts";
import type { Network } from "./network.ts";

/** What was thrown while a picture was decoded or cut, as its error; as it is, where it is more than the picture's. */
export function pictureFailure(name: string, error: unknown): unknown {
  const others = [PictureError, TypeError, GpuError, DecoderBusyError, DecoderEndedError, DecodersClosedError];
  if (others.some((kind) => error instanceof kind)) return error;
  // Runtimes call it a RangeError when an array cannot be as long.
  if (error instanceof RangeError) {
    const advice = "Shrink the picture first.";
    return new PictureError(name, "too-large", `It does not fit the memory: ${wordsOf(error)}`, {
      cause: error,
      advice,
    });
  }
  return new PictureError(name, "damaged", wordsOf(error), { cause: error });
}

/** Views on the device. @throws PictureError "too-large" when they do not fit it */
export function uploaded(network: Network, shown: readonly View[], picture: Picture, name: string): Tensor[] {
  const { device, card } = network;
  const views: Tensor[] = [];
  try {
    for (const view of shown) views.push(uploadView(device, view, card.options.crop));
    return views;
  } catch (error) {
    for (const view of views) view.dispose();
    const isPictures = error instanceof OutOfMemoryError || error instanceof ShapeError;
    if (!isPictures || network.broken) throw error;
    const detail = `Its ${picture.width} x ${picture.height} pixels do not fit the device: ${error.message}.`;
    throw new PictureError(name, "too-large", detail, { cause: error, advice: "Shrink the picture first." });
  }
}
