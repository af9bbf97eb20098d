import type { PictureFormat } from "../kind.ts";
import { lookAtAvif } from "./avif.ts";
import { type Finding, Missing } from "./finding.ts";
import { lookAtGif } from "./gif.ts";
import { lookAtPng } from "./png.ts";
import { lookAtJpeg } from "./scans.ts";
import { lookAtTiff } from "./tiff.ts";
import { lookAtWebp } from "./webp.ts";

export type { Finding } from "./finding.ts";
export { closed, firstPicture, scansOf } from "./jpeg.ts";
export { unsupportedTiff } from "./tiff.ts";

/** Formats that are not decoded by the library whose remarks are looked into. */
type OtherFormat = "bmp" | "heic" | "raw";

const looks: Readonly<Record<Exclude<PictureFormat, OtherFormat>, (bytes: Uint8Array) => Finding | Promise<Finding>>> =
  {
    jpeg: lookAtJpeg,
    png: lookAtPng,
    gif: lookAtGif,
    webp: lookAtWebp,
    tiff: lookAtTiff,
    avif: lookAtAvif,
    jxl: () => ({ whole: false, reason: "damaged", detail: "The decoder cannot read it." }),
  };

/**
 * Looks through the bytes of a picture that a decoder remarked on, or would not decode: are all its pixels there? Decoders
 * remark on much that is beside the pixels, and their words do not tell which is which.
 */
export async function lookForMissing(format: keyof typeof looks, bytes: Uint8Array): Promise<Finding> {
  try {
    return await looks[format](bytes);
  } catch (error) {
    if (error instanceof Missing) return { whole: false, reason: error.reason, detail: error.message };
    // A number that leads outside of the file.
    if (error instanceof RangeError) {
      return { whole: false, reason: "damaged", detail: "Its parts are not where it says that they are." };
    }
    throw error;
  }
}
