import sharp, { type Metadata } from "sharp";
import { scansOf } from "../damage/index.ts";

/** Nanoseconds that a pixel takes to decode on a slow core, by format; measured, rounded up. */
const nanoseconds: Readonly<Record<string, number>> = { jpeg: 8, png: 25, webp: 25, gif: 15, tiff: 15, heif: 140 };
const others = 40;
/** What a pixel takes behind the decoder, until the picture is resized: as long as that lasts, other pictures wait on software adapters. */
const nanosecondsBehind = 50;

/**
 * About how long a picture takes one core until it is decoded and resized, seconds, by what its header says; for choosing who waits for whom, not for telling a
 * user. A progressive JPEG is gone through once for each of its scans. What has no header that can be read is refused at once.
 */
export async function decodingCost(bytes: Uint8Array): Promise<number> {
  const header = await headerOf(bytes).catch(() => undefined);
  if (!header) return 0.001;
  const { format, width, height, depth } = header;
  const perPixel = (nanoseconds[format] ?? others) * (depth === "uchar" ? 1 : 2);
  const passes = format === "jpeg" ? Math.max(1, scansOf(bytes) / 2) : 1;
  return 0.001 + width * height * (perPixel * passes + nanosecondsBehind) * 1e-9;
}

async function headerOf(bytes: Uint8Array): Promise<Metadata> {
  return sharp(bytes, { limitInputPixels: false, failOn: "none" }).metadata();
}
