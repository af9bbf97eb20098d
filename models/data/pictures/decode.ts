import { readFile } from "node:fs/promises";
import sharp, { type Metadata, type Sharp, type SharpOptions } from "sharp";
import { expectNames } from "../../../engine/arguments.ts";
import { insteadOfFile } from "../../../engine/file-kind.ts";
import { onDisk } from "../files/file-name.ts";
import { reasonOf } from "../files/reason-of.ts";
import { decodeBmp } from "./bmp.ts";
import { closed, firstPicture, lookForMissing, scansOf, unsupportedTiff } from "./damage/index.ts";
import { Gate } from "./exclusive.ts";
import { heicPipeline } from "./heic.ts";
import { kindOf, type PictureFormat } from "./kind.ts";
import { PictureError, type PictureReason, pixelWords, wordsOf } from "./picture-error.ts";
import { rawPreview, rawTiff } from "./raw/preview.ts";
import { readingOf, readSamples, refuseSamples } from "./reading.ts";
import { toSrgb } from "./samples.ts";
import { coloursByProfile } from "./told-colours.ts";

/** A decoded picture, upright, opaque, in sRGB. */
export interface Picture {
  /** Pixels per row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** [height, width, 3] interleaved R, G, B, 0-255, gamma-encoded sRGB. */
  readonly pixels: Uint8Array;
}

export interface DecodeOptions {
  /**
   * Shows through where a picture is transparent, as `#rrggbb` or a CSS colour name.
   * @default "white", the page on which browsers show pictures
   */
  readonly background?: string;
  /**
   * Pictures with more pixels are refused before any is decoded; a decoded pixel takes 3 bytes.
   * @default 268402689 (0x3FFF squared)
   */
  readonly maxPixels?: number;
  /**
   * Halve a large picture as often as its shorter side, in pixels, stays at or above this. JPEG decoders do most of it
   * while decoding, many times faster than a full decode. Changes the scores of detail-sensitive models, so it is
   * never done unasked.
   */
  readonly shrinkToShorterSide?: number;
  /**
   * What counts as broken: `warning` refuses pictures of which a part is missing or broken, and not for what a decoder remarks
   * about anything else; `error` lets those pass that a decoder fills up, as with grey where the data of a JPEG is missing;
   * `truncated` those with broken blocks too.
   * @default "warning"
   */
  readonly strictness?: "warning" | "error" | "truncated";
  /** Stands for the path in errors when the picture is given as bytes. */
  readonly name?: string;
}

export const decodeNames = {
  background: true,
  maxPixels: true,
  shrinkToShorterSide: true,
  strictness: true,
  name: true,
} satisfies Record<keyof DecodeOptions, true>;
/** Which pictures are refused; the same for every picture of a run. */
export type Decoding = Pick<DecodeOptions, "strictness" | "maxPixels">;

export const decodingNames = { strictness: true, maxPixels: true } satisfies Record<keyof Decoding, true>;

const DEFAULT_MAX_PIXELS = 0x3fff * 0x3fff;
/** Pixels of a side: as many as a JPEG can have. Decoders take much more than the pixels' share for longer rows. */
const mostSide = 0xffff;
/** Cameras and encoders make about ten; each is a pass over the whole picture. */
const mostScans = 100;
const jpegXlAdvice =
  "Convert it first, such as with `djxl a.jxl a.png`, or run Acutance with a sharp that is built upon a libvips with libjxl.";
const NOT_PHOTOGRAPHS = new Set(["svg", "pdf", "magick", "openslide"]);

/**
 * Decodes a picture file to upright 8-bit sRGB as browsers show it: EXIF orientation applied, colours converted that an ICC
 * profile, code points (cICP, nclx) or gAMA with cHRM tell, grey and CMYK turned into RGB, 16 and 32 bits reduced to 8,
 * transparency flattened on a background, first frame of an animation, first page of a TIFF, primary picture of HEIC (with the package
 * libheif-js), largest JPEG preview of a raw photograph. High dynamic range (PQ, HLG) and
 * TIFF samples of no certain range (signed, floating-point) are refused.
 * @param source a path, the bytes of a file, or a pipeline of sharp, whose result is taken, with the colours that sharp makes
 * of it, and which stays as it was
 * @throws PictureError with path, reason and advice for every way a picture can fail; Error or RangeError for an option
 * that means nothing, such as an unknown colour
 */
export async function decode(source: string | Uint8Array | Sharp, options: DecodeOptions = {}): Promise<Picture> {
  expectNames("decode", options, decodeNames);
  const path = typeof source === "string" ? source : (options.name ?? "(bytes)");
  if (isPipeline(source)) {
    return attempt({ open: () => source.clone().autoOrient() }, path, options).catch((error: unknown) => {
      throw pipelineError(path, error);
    });
  }
  const bytes = typeof source === "string" ? await readBytes(source) : source;
  if (bytes.length === 0) throw new PictureError(path, "empty", "The file has no bytes.");
  const { format, what } = formatOf(bytes, path);
  if (format === "raw") return decode(rawPreview(bytes, path, what!), { ...options, name: path });
  const { maxPixels = DEFAULT_MAX_PIXELS } = options;
  if (format === "bmp") return attempt({ open: () => bmpPipeline(bytes, path, maxPixels) }, path, options);
  if (format === "heic") {
    const image = await heicPipeline(bytes, path, maxPixels);
    return attempt({ open: () => image.clone() }, path, options);
  }
  refuseSamples(bytes, path);
  if (format === "jpeg") refuseScans(bytes, path);
  const { strictness = "warning" } = options;
  const own = format === "jpeg" ? firstPicture(bytes) : bytes;
  const shown = format === "jpeg" && strictness !== "warning" ? closed(own) : own;
  const opened = openedFile(shown, strictness, options);
  // Outside of what is caught below: a wrong option is the caller's mistake, not the picture's.
  render(opened.open(), options);
  try {
    return await attempt(opened, path, options);
  } catch (error) {
    if (isOwn(error)) throw error;
    await refuseTooLarge(shown, path, options);
    const found = await lookForMissing(format, shown);
    if (!found.whole) throw new PictureError(path, found.reason, found.detail, { cause: error });
    return decodeWhole(openedFile(found.bytes, found.unread ? "warning" : "error", options), path, options);
  }
}

/** Decodes a picture whose pixels are all there, whatever the decoder has to say about what is beside them. */
async function decodeWhole(opened: Opened, path: string, options: DecodeOptions): Promise<Picture> {
  const outcome = await decoders.beside(() => attempt(opened, path, options));
  if ("value" in outcome) return outcome.value;
  try {
    if (!outcome.mixed || isOwn(outcome.error)) throw outcome.error;
    return await decoders.alone(() => attempt(opened, path, options));
  } catch (error) {
    if (isOwn(error)) throw error;
    throw new PictureError(path, "damaged", `The decoder cannot read it: ${wordsOf(error)}`, { cause: error });
  }
}

/** Whether an error says all there is to say: a refusal, or a mistake of the caller. */
function isOwn(error: unknown): boolean {
  return error instanceof PictureError || error instanceof RangeError || error instanceof TypeError;
}

/** @throws PictureError for a file that is, by its content, none that can be decoded here */
function formatOf(bytes: Uint8Array, path: string): { readonly format: PictureFormat; readonly what?: string } {
  const kind = kindOf(bytes);
  if (!kind) {
    const start = Buffer.from(bytes.subarray(0, 8))
      .toString("hex")
      .replaceAll(/..(?=.)/g, "$& ");
    throw new PictureError(path, "not-a-picture", `It begins with ${start}, as no known picture does.`);
  }
  if ("refusal" in kind) {
    const advice = /JPEG XL/.test(kind.refusal.detail) ? { advice: jpegXlAdvice } : {};
    throw new PictureError(path, kind.refusal.reason, kind.refusal.detail, advice);
  }
  const raw = kind.format === "tiff" && rawTiff(bytes);
  if (raw) return { format: "raw", what: raw };
  const unsupported = kind.format === "tiff" && unsupportedTiff(bytes);
  if (unsupported) throw new PictureError(path, "unsupported", unsupported);
  return kind;
}

function openedFile(bytes: Uint8Array, failOn: SharpOptions["failOn"] & string, { maxPixels }: DecodeOptions): Opened {
  const input: SharpOptions = { failOn, limitInputPixels: maxPixels ?? DEFAULT_MAX_PIXELS, autoOrient: true };
  return { bytes, open: (more) => sharp(bytes, { ...input, ...more }) };
}

/** @throws PictureError "too-large" when that is what the decoder refused */
async function refuseTooLarge(bytes: Uint8Array, path: string, { maxPixels }: DecodeOptions): Promise<void> {
  try {
    refuseOddities(path, await sharp(bytes, { failOn: "none", limitInputPixels: false }).metadata(), maxPixels);
  } catch (error) {
    if (error instanceof PictureError) throw error;
  }
}

/** Why the pipeline of a caller failed; the words before the name of its input are sharp's own. */
function pipelineError(path: string, error: unknown): unknown {
  if (isOwn(error)) return error;
  const words = wordsOf(error);
  const reasons: readonly (readonly [RegExp, PictureReason])[] = [
    [/^Input file is missing/, "missing"],
    [/^Input (file|buffer) contains unsupported image format/, "not-a-picture"],
    [/^Input image exceeds pixel limit/, "too-large"],
  ];
  const reason = reasons.find(([pattern]) => pattern.test(words))?.[1] ?? "damaged";
  return new PictureError(path, reason, words, { cause: error });
}

/**
 * libvips keeps the words of its errors in one place for the whole process, so that those of pictures decoded at the same time
 * mix: a picture whose pixels are all there, yet which failed among others, is decoded again alone, to hear why.
 */
const decoders = new Gate();

/** A BMP, which sharp cannot read, as a pipeline of its samples in sRGB. */
function bmpPipeline(bytes: Uint8Array, path: string, maxPixels: number): Sharp {
  const { samples: values, profile, ...size } = decodeBmp(bytes, path, maxPixels);
  const colours = profile && coloursByProfile(profile, path);
  const meaning = { colourChannels: 3, alphaChannel: size.channels === 4 ? 3 : undefined, colours } as const;
  const { samples, width, height, channels } = toSrgb({ ...size, values }, meaning);
  return sharp(samples, { raw: { width, height, channels }, limitInputPixels: maxPixels });
}

function render(image: Sharp, { background = "white" }: DecodeOptions): Sharp {
  return image.flatten({ background }).toColourspace("srgb").raw({ depth: "uchar" });
}

/** A picture that can be read more than once. */
interface Opened {
  /** The file; undefined where there is none that sharp reads. */
  readonly bytes?: Uint8Array;
  /** A new pipeline, upright. */
  open(more?: SharpOptions): Sharp;
}

/** @throws PictureError for what is refused here, else what the decoder throws */
async function attempt({ bytes, open }: Opened, path: string, options: DecodeOptions): Promise<Picture> {
  const maxPixels = options.maxPixels ?? DEFAULT_MAX_PIXELS;
  const plain = render(open(), options);
  const metadata = await plain.metadata();
  refuseOddities(path, metadata, maxPixels);
  const reading = readingOf(metadata, bytes, path);
  const image = reading ? render(await readSamples(open({ ignoreIcc: true }), reading, maxPixels), options) : plain;
  const shrunk = shrunkSize(metadata, options.shrinkToShorterSide);
  if (shrunk) image.resize({ ...shrunk, fit: "fill", kernel: "cubic" });
  // libvips brings 16-bit pictures with a profile to Display P3, not sRGB, unless the output profile is named.
  if (!reading && metadata.hasProfile && metadata.space === "rgb16") image.withIccProfile("srgb");
  const { data, info } = await image.toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) {
    throw new PictureError(path, "unsupported", `It decodes to ${info.channels} channels instead of 3.`);
  }
  const pixels = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { width: info.width, height: info.height, pixels };
}

/** Outcome of `checkPicture`: the upright size, or why the picture cannot be used. */
export type PictureCheck =
  | { readonly ok: true; readonly width: number; readonly height: number }
  | { readonly ok: false; readonly error: PictureError };

/**
 * Decodes a picture completely and keeps only its size: finds truncated and broken files before a long run does.
 * Never throws for a bad picture.
 */
export async function checkPicture(source: string | Uint8Array, options: DecodeOptions = {}): Promise<PictureCheck> {
  expectNames("checkPicture", options, decodeNames);
  try {
    const { width, height } = await decode(source, options);
    return { ok: true, width, height };
  } catch (error) {
    if (error instanceof PictureError) return { ok: false, error };
    throw error;
  }
}

/** True for a pipeline of sharp, of whichever copy of the package. */
export function isPipeline(source: unknown): source is Sharp {
  if (typeof source !== "object" || source === null) return false;
  return ["metadata", "toBuffer", "clone", "autoOrient"].every(
    (name) => typeof Reflect.get(source, name) === "function",
  );
}

async function readBytes(path: string): Promise<Uint8Array> {
  const other = await insteadOfFile(onDisk(path));
  if (other) throw new PictureError(path, "not-a-file", `It is ${other}.`);
  try {
    return await readFile(onDisk(path));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reasons: Record<string, PictureReason> = { ENOENT: "missing", ENOTDIR: "missing", EISDIR: "not-a-file" };
    throw new PictureError(path, reasons[code ?? ""] ?? "unreadable", sentence(reasonOf(error)), { cause: error });
  }
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

function refuseOddities(path: string, metadata: Metadata, maxPixels = DEFAULT_MAX_PIXELS): void {
  const { format, width, height } = metadata;
  if (NOT_PHOTOGRAPHS.has(format)) {
    throw new PictureError(path, "unsupported", `It is a ${format} document, which has no pixels of its own.`);
  }
  if (Math.max(width, height) > mostSide) {
    const detail = `It has ${width} x ${height} pixels; a side may have at most ${mostSide}.`;
    throw new PictureError(path, "too-large", detail, { advice: "Cut it into parts or shrink it first." });
  }
  if (width * height > maxPixels) throw new PictureError(path, "too-large", pixelWords(width, height, maxPixels));
}

/** @throws PictureError "too-costly" for a JPEG that comes in more scans than anybody needs */
function refuseScans(bytes: Uint8Array, path: string): void {
  const mark = Buffer.from([0xff, 0xda]);
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let marks = 0;
  // Bytes that look like a mark stand elsewhere, too: few in a picture's own data, so that most files need no closer look.
  for (let at = file.indexOf(mark); at >= 0 && marks <= mostScans; at = file.indexOf(mark, at + 2)) marks++;
  if (marks <= mostScans) return;
  const scans = scansOf(bytes);
  if (scans <= mostScans) return;
  const detail = `It comes in ${scans} scans, each a pass over the whole picture; at most ${mostScans} are taken.`;
  throw new PictureError(path, "too-costly", detail);
}

/** Upright size after halving as often as the shorter side allows; undefined when it stays as it is. */
function shrunkSize(
  metadata: Metadata,
  shorterSide: number | undefined,
): { width: number; height: number } | undefined {
  if (shorterSide === undefined) return undefined;
  if (!(shorterSide >= 1)) throw new RangeError(`shrinkToShorterSide must be at least 1 pixel, got ${shorterSide}.`);
  const { width, height } = metadata.autoOrient;
  const factor = 2 ** Math.floor(Math.log2(Math.min(width, height) / shorterSide));
  if (factor < 2) return undefined;
  return { width: Math.round(width / factor), height: Math.round(height / factor) };
}
