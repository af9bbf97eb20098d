import sharp, { type Metadata, type Sharp } from "sharp";
import { isTiff, readTiff } from "./headers/tiff.ts";
import { PictureError } from "./picture-error.ts";
import { type Meaning, type Samples, toSrgb } from "./samples.ts";
import { keptSamples, tiffObjection, tiffSamples } from "./tiff-page.ts";
import { toldColours } from "./told-colours.ts";

/** How the samples of a file are taken from the decoder as they are, because it does not bring them to sRGB by itself. */
export interface Reading {
  /** The decoder's name for the colours that the samples have, and for their type. */
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
 * law, grey or 16 bits with a profile, inks without one, or TIFF's 32 bits and samples of unknown use.
 * @param bytes the file; undefined for a pipeline of sharp, of which only the profile of 16-bit grey is still to be applied
 * @returns undefined where the decoder does all
 * @throws PictureError "unsupported" for colours that cannot be brought to sRGB
 */
export function readingOf(metadata: Metadata, bytes: Uint8Array | undefined, path: string): Reading | undefined {
  expectUnsigned(metadata, path);
  const told = toldColours(metadata, bytes, path);
  const colours = typeof told === "object" ? told : undefined;
  const { space, channels, hasAlpha } = metadata;
  if (!bytes) return colours && space === "grey16" ? grey(metadata, { colours, alpha: hasAlpha }) : undefined;
  const page = metadata.format === "tiff" ? readTiff(bytes) : undefined;
  const tiff = page && tiffSamples(page);
  const isInkWithoutProfile = space === "cmyk" && told !== "profile";
  const isProfileLeftOut = metadata.hasProfile && told === "sRGB";
  if (!colours && !tiff?.isOdd && !isInkWithoutProfile && !isProfileLeftOut) return undefined;
  const alphaChannel = tiff?.isOdd ? tiff.alphaChannel : hasAlpha ? channels - 1 : undefined;
  if (space === "b-w" || space === "grey16") return grey(metadata, { colours, alpha: alphaChannel !== undefined });
  const colourChannels = space === "cmyk" ? 4 : 3;
  return { space, depth: metadata.depth as Reading["depth"], meaning: { colourChannels, alphaChannel, colours } };
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

function grey({ depth }: Metadata, meaning: { colours: Meaning["colours"]; alpha: boolean }): Reading {
  const { colours, alpha } = meaning;
  if (depth === "ushort") {
    return { space: "grey16", depth, meaning: { colourChannels: 1, alphaChannel: alpha ? 1 : undefined, colours } };
  }
  // In 8 bits of grey the decoder gives no alpha.
  if (alpha) return { space: "srgb", depth: "uchar", meaning: { colourChannels: 3, alphaChannel: 3, colours } };
  return { space: "b-w", depth: depth as "uchar" | "uint", meaning: { colourChannels: 1, colours } };
}

/** @throws PictureError for a pipeline of a file whose samples mean no certain range, which the decoder cuts to 0-255 */
function expectUnsigned({ format, space, depth }: Metadata, path: string): void {
  // L*a*b* is signed by its nature.
  if (format === "tiff" && space !== "labs" && !Object.hasOwn(arrays, depth))
    throw new PictureError(path, "unsupported", `It is a TIFF of samples of the type ${depth}. ${keptSamples}`);
}
