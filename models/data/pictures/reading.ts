import sharp, { type Metadata, type Sharp } from "sharp";
import { readSmallFrame } from "./headers/gif.ts";
import { isMultipliedHeif } from "./headers/heif.ts";
import { isTiff, readTiff } from "./headers/tiff.ts";
import { PictureError } from "./picture-error.ts";
import { type Meaning, type Samples, toSrgb } from "./samples.ts";
import { keptSamples, tiffObjection, tiffSamples } from "./tiff-page.ts";
import { toldColours } from "./told-colours.ts";

/** How samples are taken from the decoder that it does not bring to sRGB by itself. */
export interface Reading {
  /** The decoder's names for the colours and the type that it is asked for: those that the samples have, or bytes of RGB. */
  readonly space: string;
  readonly depth: "uchar" | "ushort" | "uint";
  readonly meaning: Meaning;
}

/** @throws PictureError "unsupported" for a TIFF that has no picture which everybody would see alike */
export function refuseSamples(bytes: Uint8Array, path: string): void {
  const page = isTiff(bytes) ? readTiff(bytes) : undefined;
  const words = page && tiffObjection(page);
  if (words) throw new PictureError(path, "unsupported", `It is a TIFF ${words}`);
}

/**
 * How a picture is read that the decoder does not bring to sRGB, or not exactly: with colours told by code points or a power
 * law, grey or 16 bits with a profile, inks without one, TIFF's 32 bits and samples of unknown use, an AVIF's alpha that is
 * multiplied in, or a GIF's frame that is smaller than its canvas.
 * @param bytes the file; undefined for a pipeline of sharp, of which only the profile of 16-bit grey is still to be applied
 * @returns undefined where the decoder does all
 * @throws PictureError "unsupported" for colours that cannot be brought to sRGB
 */
export function readingOf(metadata: Metadata, bytes: Uint8Array | undefined, path: string): Reading | undefined {
  expectUnsigned(metadata, path);
  const page = bytes && metadata.format === "tiff" ? readTiff(bytes) : undefined;
  const { isOdd, alphaChannel } = page ? tiffSamples(page) : { isOdd: false, alphaChannel: undefined };
  const { space, depth, channels, hasAlpha, hasProfile } = metadata;
  const isMultiplied = bytes !== undefined && metadata.format === "heif" && hasAlpha && isMultipliedHeif(bytes);
  const told = toldColours(metadata, bytes, path, isOdd || isMultiplied);
  const colours = typeof told === "object" ? told : undefined;
  if (!bytes && space !== "grey16") return undefined;
  // The decoder shows black around a first frame without transparency.
  const frame = bytes && metadata.format === "gif" && !hasAlpha ? readSmallFrame(bytes) : undefined;
  if (isOdd || (space === "cmyk" && told !== "profile")) {
    const colourChannels = space === "cmyk" ? 4 : space === "b-w" || space === "grey16" ? 1 : 3;
    const alpha = isOdd ? alphaChannel : hasAlpha ? channels - 1 : undefined;
    return { space, depth: depth as Reading["depth"], meaning: { colourChannels, alphaChannel: alpha, colours } };
  }
  if (!colours && !frame && !isMultiplied && !(hasProfile && told === "sRGB")) return undefined;
  return {
    space: "srgb",
    depth: "uchar",
    meaning: { colourChannels: 3, alphaChannel: hasAlpha ? 3 : undefined, colours, frame, isMultiplied },
  };
}

/** A picture by its reading, as a pipeline of samples in sRGB. */
export async function readSamples(image: Sharp, reading: Reading, maxPixels: number): Promise<Sharp> {
  const { space, depth, meaning } = reading;
  // Else inks are converted before the pipeline by a profile of the decoder's own.
  if (space === "cmyk") image.pipelineColourspace("cmyk");
  const { data, info } = await image.toColourspace(space).raw({ depth }).toBuffer({ resolveWithObject: true });
  const values = new arrays[depth](data.buffer, data.byteOffset, data.byteLength / arrays[depth].BYTES_PER_ELEMENT);
  const native: Samples = { width: info.width, height: info.height, channels: info.channels, values };
  const { samples, width, height, channels } = toSrgb(native, meaning);
  return sharp(samples, { raw: { width, height, channels }, limitInputPixels: maxPixels });
}

const arrays = { uchar: Uint8Array, ushort: Uint16Array, uint: Uint32Array } as const;

/** @throws PictureError for a pipeline of a file whose samples mean no certain range, which the decoder cuts to 0-255 */
function expectUnsigned({ format, space, depth }: Metadata, path: string): void {
  // L*a*b* is signed by its nature.
  if (format === "tiff" && space !== "labs" && !Object.hasOwn(arrays, depth))
    throw new PictureError(path, "unsupported", `It is a TIFF of samples of the type ${depth}. ${keptSamples}`);
}
