import sharp, { type Sharp } from "sharp";
import { type ColourSpace, coloursOfCicp } from "./colours.ts";
import { heifColours, isMultipliedHeif } from "./headers/heif.ts";
import { PictureError, pixelWords } from "./picture-error.ts";
import { toSrgb } from "./samples.ts";
import { coloursByProfile, expectOrdinaryRange } from "./told-colours.ts";

/** What is used of libheif-js. */
interface HeifImage {
  get_width(): number;
  get_height(): number;
  /** Not 0 for the one that is to be shown. */
  is_primary(): number | boolean;
  /** Fills RGBA of 8 bits; gives null when it cannot. */
  display(target: HeifPixels, done: (filled: HeifPixels | null) => void): void;
  free(): void;
}

interface HeifPixels {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

interface LibHeif {
  readonly HeifDecoder: new () => { decode(bytes: Uint8Array): HeifImage[] };
}

const packageName = "libheif-js";
let library: Promise<LibHeif> | undefined;

/** The decoder, a package of its own that its users ask for: its licence (LGPL-3.0) is not that of Acutance. */
async function decoder(path: string): Promise<LibHeif> {
  // Not known where packages are bundled, and no part of the installation.
  const entry: string = `${packageName}/wasm-bundle.js`;
  library ??= import(entry).then((loaded) => loaded.default ?? loaded);
  try {
    return await library;
  } catch (cause) {
    library = undefined;
    const isAbsent = /Cannot find|ERR_MODULE_NOT_FOUND|not found/i.test(String(cause));
    const detail = `It is a HEIC picture (HEVC), whose decoder ${isAbsent ? "is not installed" : `does not start: ${cause}`}.`;
    const advice = `Install it beside Acutance, \`npm install ${packageName}\` (LGPL-3.0), or convert the picture to JPEG, PNG, WebP or TIFF first.`;
    throw new PictureError(path, "unsupported", detail, { advice, cause });
  }
}

/**
 * The primary picture of a HEIC or HEIF file, upright, as a pipeline of its samples in sRGB; samples of more bits are cut to 8.
 * @throws PictureError "unsupported" without the package libheif-js and for high dynamic range, "too-large", "damaged"
 */
export async function heicPipeline(bytes: Uint8Array, path: string, maxPixels: number): Promise<Sharp> {
  const colours = coloursOf(bytes, path);
  const { HeifDecoder } = await decoder(path);
  const { value: images, words } = quietly(() => new HeifDecoder().decode(bytes));
  try {
    const image = images.find((one) => one.is_primary()) ?? images[0];
    if (!image) throw damaged(path, words);
    const [width, height] = [image.get_width(), image.get_height()];
    if (width * height > maxPixels) throw new PictureError(path, "too-large", pixelWords(width, height, maxPixels));
    const target = { data: new Uint8ClampedArray(4 * width * height), width, height };
    const filled = await new Promise<HeifPixels | null>((resolve) => image.display(target, resolve));
    if (!filled) throw damaged(path, words);
    const values = new Uint8Array(filled.data.buffer, filled.data.byteOffset, filled.data.byteLength);
    const isMultiplied = isMultipliedHeif(bytes);
    const meaning = { colourChannels: 3, alphaChannel: 3, colours, isMultiplied } as const;
    const { samples, channels } = toSrgb({ width, height, channels: 4, values }, meaning);
    return sharp(samples, { raw: { width, height, channels }, limitInputPixels: maxPixels });
  } finally {
    for (const image of images) image.free();
  }
}

/** By a profile before code points, as in AVIF. */
function coloursOf(bytes: Uint8Array, path: string): ColourSpace | undefined {
  const { profile, cicp } = heifColours(bytes);
  expectOrdinaryRange(path, cicp?.transfer, "colour box or its stream");
  if (profile) return coloursByProfile(profile, path);
  // The transfers of video are shown as that of sRGB.
  const told =
    cicp && coloursOfCicp({ ...cicp, transfer: [4, 5, 7, 8, 17].includes(cicp.transfer) ? cicp.transfer : 13 });
  return typeof told === "object" ? told : undefined;
}

function damaged(path: string, words: string): PictureError {
  return new PictureError(path, "damaged", `The decoder cannot read it${words ? `: ${words}` : ""}.`);
}

/** Runs the decoder, which speaks on standard output, where results belong. */
function quietly<T>(work: () => T): { readonly value: T; readonly words: string } {
  const said: string[] = [];
  const log = console.log;
  console.log = (...words: unknown[]) => said.push(words.join(" ").trim().replace(/\.$/, ""));
  try {
    return { value: work(), words: said.join("; ") };
  } finally {
    console.log = log;
  }
}
