import type { Picture } from "../data/pictures/decode.ts";
import type * as system from "./explain-drawing.ts";

function canvasOf({ width, height, pixels }: Picture): OffscreenCanvas {
  const canvas = new OffscreenCanvas(width, height);
  const image = new ImageData(width, height);
  for (let from = 0, to = 0; from < pixels.length; from += 3, to += 4) {
    image.data.set(pixels.subarray(from, from + 3), to);
    image.data[to + 3] = 255;
  }
  canvas.getContext("2d")!.putImageData(image, 0, 0);
  return canvas;
}

/** The bytes of a PNG file. */
export const mapOver = (async (picture, { columns, rows, cells }, { longerSide = 1024, opacity = 0.55 }) => {
  const shrink = Math.min(1, longerSide / Math.max(picture.width, picture.height));
  const side = (length: number) => Math.max(1, Math.round(length * shrink));
  const canvas = new OffscreenCanvas(side(picture.width), side(picture.height));
  const context = canvas.getContext("2d")!;
  context.imageSmoothingQuality = "high";
  context.drawImage(canvasOf(picture), 0, 0, canvas.width, canvas.height);
  context.globalAlpha = Math.min(1, Math.max(0, opacity));
  const map = canvasOf({ width: columns, height: rows, pixels: cells });
  context.drawImage(map, 0, 0, canvas.width, canvas.height);
  return new Uint8Array(await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer());
}) as typeof system.mapOver;
