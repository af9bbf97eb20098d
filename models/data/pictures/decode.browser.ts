import { readFile } from "../../../engine/host/files.ts";
import type * as system from "./decode.ts";
import type { DecodeOptions, Picture } from "./decode.ts";
import { kindOf, type PictureFormat } from "./kind.ts";
import { PictureError, pixelWords, wordsOf } from "./picture-error.ts";

const defaultMaxPixels = 0x3fff * 0x3fff;
/** Pixels that are drawn at a time: a canvas holds no more than a part of a large picture. */
const pixelsAtATime = 2 ** 24;

/** What a canvas can draw: pictures, canvases and frames of a page. */
type Drawable = ImageBitmap | HTMLImageElement | HTMLCanvasElement | OffscreenCanvas | HTMLVideoElement | VideoFrame;

const drawables = [
  "ImageBitmap",
  "HTMLImageElement",
  "HTMLCanvasElement",
  "OffscreenCanvas",
  "HTMLVideoElement",
  "VideoFrame",
] as const;

/** True for what a canvas can draw, which takes the place of sharp's pipelines in a page. */
export const isPipeline = ((source: unknown) =>
  drawables.some((name) => {
    const kind: unknown = Reflect.get(globalThis, name);
    return typeof kind === "function" && source instanceof kind;
  })) as unknown as typeof system.isPipeline;

/**
 * Decodes a picture by the browser: upright, in sRGB, first frame of an animation. What the browser fills up of a truncated file is
 * not noticed, so that `strictness` changes nothing.
 */
export const decode: typeof system.decode = async (source, options = {}) => {
  const path = typeof source === "string" ? source : (options.name ?? "(bytes)");
  if (isPipeline(source)) return drawn(source as unknown as Drawable, path, options);
  const bytes = typeof source === "string" ? await readFile(source) : source;
  if (bytes.length === 0) throw new PictureError(path, "empty", "The file has no bytes.");
  const bitmap = await createImageBitmap(new Blob([bytes as Uint8Array<ArrayBuffer>]), {
    imageOrientation: "from-image",
    colorSpaceConversion: "default",
    premultiplyAlpha: "default",
  }).catch((error: unknown) => {
    throw refused(bytes, path, error);
  });
  try {
    return drawn(bitmap, path, options);
  } finally {
    bitmap.close();
  }
};

function refused(bytes: Uint8Array, path: string, error: unknown): PictureError {
  const kind = kindOf(bytes);
  const cause = { cause: error };
  if (!kind) return new PictureError(path, "not-a-picture", "It begins as no known picture does.", cause);
  if ("refusal" in kind) return new PictureError(path, kind.refusal.reason, kind.refusal.detail, cause);
  const names: Partial<Record<PictureFormat, string>> = { tiff: "a TIFF", heic: "a HEIC", raw: "a raw photograph" };
  const name = names[kind.format];
  if (name !== undefined)
    return new PictureError(path, "unsupported", `It is ${name}, which this browser does not decode.`, {
      ...cause,
      advice: "Convert it to JPEG, PNG or WebP first.",
    });
  return new PictureError(path, "damaged", `The browser cannot decode it: ${wordsOf(error)}`, {
    ...cause,
    advice: "Copy or download the file again.",
  });
}

function sizeOf(source: Drawable): { readonly width: number; readonly height: number } {
  if (source instanceof VideoFrame) return { width: source.displayWidth, height: source.displayHeight };
  if ("naturalWidth" in source) return { width: source.naturalWidth, height: source.naturalHeight };
  if ("videoWidth" in source) return { width: source.videoWidth, height: source.videoHeight };
  return source;
}

function drawn(
  source: Drawable,
  path: string,
  { background = "white", maxPixels = defaultMaxPixels }: DecodeOptions,
): Picture {
  const { width, height } = sizeOf(source);
  if (width * height === 0) throw new PictureError(path, "empty", "It has no pixels, or is not loaded yet.");
  if (width * height > maxPixels) throw new PictureError(path, "too-large", pixelWords(width, height, maxPixels));
  const rows = Math.min(height, Math.max(1, Math.floor(pixelsAtATime / width)));
  const context = new OffscreenCanvas(width, rows).getContext("2d", { alpha: false, willReadFrequently: true })!;
  context.imageSmoothingEnabled = false;
  const pixels = new Uint8Array(width * height * 3);
  for (let top = 0, to = 0; top < height; top += rows) {
    const shown = Math.min(rows, height - top);
    context.fillStyle = background;
    context.fillRect(0, 0, width, shown);
    context.drawImage(source, 0, -top, width, height);
    const { data } = context.getImageData(0, 0, width, shown);
    for (let from = 0; from < data.length; from += 4, to += 3) {
      pixels[to] = data[from]!;
      pixels[to + 1] = data[from + 1]!;
      pixels[to + 2] = data[from + 2]!;
    }
  }
  return { width, height, pixels };
}
