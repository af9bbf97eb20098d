import type { TiffPage } from "./headers/tiff.ts";

/** Colour samples of a pixel by PhotometricInterpretation; more are extra samples, such as alpha. */
const colourSamples: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3 };

const palette = 3;
const inks = 5;
const yCbCr = 6;
const lab = 8;
const jpegCompression = 7;
const [multipliedAlpha, alpha] = [1, 2];

const otherColours: Readonly<Record<number, string>> = {
  4: "a transparency mask",
  9: "ICC L*a*b* colours",
  10: "ITU L*a*b* colours",
  32803: "the colour filter mosaic of a camera",
  32844: "logarithmic luminance",
  32845: "logarithmic luminance and colours (LogLuv)",
  34892: "linear raw samples of a camera",
  51177: "a depth map",
};

const formatNames: Readonly<Record<number, string>> = {
  2: "signed",
  3: "floating-point",
  5: "complex signed",
  6: "complex floating-point",
};

/**
 * Why a TIFF page has no picture that everybody would see alike, in words that follow "It is a TIFF"; undefined where it has.
 * SampleFormat 4, of samples that nobody has described, means unsigned numbers by the standard.
 */
export function tiffObjection(page: TiffPage): string | undefined {
  const { photometric, samples, compression } = page;
  if (photometric === undefined) return undefined;
  const needed = colourSamples[photometric];
  if (needed === undefined)
    return `with ${otherColours[photometric] ?? `colours of the unknown kind ${photometric} (PhotometricInterpretation)`}. ${saveAs}`;
  if (samples < needed) return `with ${samples} samples a pixel where its colours need ${needed}. ${saveAs}`;
  if (photometric === inks && page.inkSet !== 1)
    return `with inks other than cyan, magenta, yellow and black. ${saveAs}`;
  if (photometric === yCbCr && compression !== jpegCompression)
    return `with YCbCr colours outside of JPEG compression (compression ${compression}). ${saveAs}`;
  return objectionToSamples(page);
}

const saveAs = "Save it as RGB or grey.";

/** What a user can do about samples of another kind. */
export const keptSamples = "Save it with 8 or 16 unsigned bits a sample.";

function objectionToSamples(page: TiffPage): string | undefined {
  const { photometric, formats, bits, extra } = page;
  const [format, depth] = [formats[0]!, bits[0]!];
  if (formats.some((other) => other !== format) || bits.some((other) => other !== depth))
    return `whose samples differ in kind: ${bits.join(", ")} bits, formats ${formats.join(", ")}. ${keptSamples}`;
  if (format !== 1 && format !== 4) {
    const name = formatNames[format] ?? `unknown (SampleFormat ${format})`;
    return `with ${name} samples of ${depth} bits, and nothing in it tells which values are black and white. ${keptSamples}`;
  }
  if (photometric === lab && depth !== 16) return `with L*a*b* colours of ${depth} bits. ${saveAs}`;
  const isOneSample = colourSamples[photometric!] === 1 && extra.length === 0;
  if (![...(isOneSample ? [1, 2, 4] : []), 8, 16, 32].includes(depth))
    return `with ${depth} bits a sample. ${keptSamples}`;
  if (depth === 32 && (photometric === palette || photometric === inks))
    return `with 32 bits a sample of palette or inks. ${keptSamples}`;
  if (extra.length === 0 && extraCount(page) > 1)
    return `with ${page.samples} samples a pixel, of which it explains ${page.samples - extraCount(page)}. ${saveAs}`;
  return objectionToAlpha(page, depth);
}

/** The decoder takes alpha out of colours, and beside grey, only where nothing else is unusual. */
function objectionToAlpha(page: TiffPage, depth: number): string | undefined {
  const place = alphaPlace(page);
  if (place < 0 || (depth < 32 && extraCount(page) === 1)) return undefined;
  const isGrey = colourSamples[page.photometric!] === 1;
  if (!isGrey && page.extra[place] === alpha) return undefined;
  return `with ${page.samples} samples of ${depth} bits a pixel, one of them ${isGrey ? "an alpha beside grey" : "an alpha that is multiplied into the others"}. Save it without the alpha.`;
}

/** What the decoder would misread of a page, or not cope with. */
export interface TiffSamples {
  /** It has 32 bits, or extra samples that are no alpha, and is read in its own way. */
  readonly isOdd: boolean;
  /** Place of the alpha among the samples of a pixel. */
  readonly alphaChannel: number | undefined;
}

export function tiffSamples(page: TiffPage): TiffSamples {
  const { photometric, bits, extra } = page;
  const place = alphaPlace(page);
  const colours = colourSamples[photometric ?? 1] ?? 1;
  const hasUnknown = photometric !== palette && extra.length > 0 && (extraCount(page) > 1 || place !== 0);
  return { isOdd: bits[0] === 32 || hasUnknown, alphaChannel: place < 0 ? undefined : colours + place };
}

/** Place of the alpha among the extra samples; -1 for none. */
function alphaPlace({ extra }: TiffPage): number {
  return extra.findIndex((meaning) => meaning === multipliedAlpha || meaning === alpha);
}

function extraCount({ photometric, samples }: TiffPage): number {
  return samples - (colourSamples[photometric ?? 1] ?? 1);
}
