import { type ColourSpace, encodeSrgb } from "./colours.ts";
import type { Frame } from "./headers/gif.ts";

/** Samples as the decoder gives them, by rows from the top. */
export interface Samples {
  readonly width: number;
  readonly height: number;
  /** Samples of a pixel. */
  readonly channels: number;
  /** [height, width, channels], each over the whole range of its type. */
  readonly values: Uint8Array | Uint16Array | Uint32Array;
}

/** What the channels of samples are. */
export interface Meaning {
  /** 1: grey, 3: red, green, blue, 4: cyan, magenta, yellow, black. */
  readonly colourChannels: 1 | 3 | 4;
  /** Which channel is the alpha, if any. */
  readonly alphaChannel?: number | undefined;
  /** The colours are multiplied with the alpha. */
  readonly isMultiplied?: boolean;
  /** sRGB where undefined. */
  readonly colours?: ColourSpace | undefined;
  /** The rest of the picture is transparent. */
  readonly frame?: Frame | undefined;
}

/** 8 bits: [height, width, 3], or 4 with alpha behind, not multiplied. */
export interface Bytes {
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
  readonly samples: Uint8Array;
}

/**
 * Samples of any kind in sRGB of 8 bits, clipped to what sRGB has. They are cut to 8 bits before their colours are converted, as
 * browsers do it. Samples of 8 bits that are in order already are changed where they are.
 */
export function toSrgb(native: Samples, meaning: Meaning): Bytes {
  const bytes = inOrder(native, meaning) ?? ordered(native, meaning);
  if (meaning.isMultiplied && bytes.channels === 4) divide(bytes.samples);
  if (meaning.colours) convert(bytes, meaning.colours);
  return meaning.frame ? framed(bytes, meaning.frame) : bytes;
}

/** Takes the alpha out of the colours, in place; what is wholly transparent stays. */
function divide(rgba: Uint8Array): void {
  for (let at = 0; at < rgba.length; at += 4) {
    const alpha = rgba[at + 3]!;
    if (alpha === 0 || alpha === 255) continue;
    for (let c = 0; c < 3; c++) rgba[at + c] = Math.min(255, Math.round((rgba[at + c]! * 255) / alpha));
  }
}

/** With an alpha that shows what lies in the frame. */
function framed({ width, height, channels, samples }: Bytes, frame: Frame): Bytes {
  const shown = new Uint8Array(4 * width * height);
  const [right, bottom] = [Math.min(width, frame.left + frame.width), Math.min(height, frame.top + frame.height)];
  for (let y = frame.top; y < bottom; y++) {
    for (let x = frame.left; x < right; x++) {
      const at = y * width + x;
      for (let c = 0; c < 3; c++) shown[4 * at + c] = samples[channels * at + c]!;
      shown[4 * at + 3] = 255;
    }
  }
  return { width, height, channels: 4, samples: shown };
}

function inOrder({ width, height, channels, values }: Samples, meaning: Meaning): Bytes | undefined {
  const { colourChannels, alphaChannel } = meaning;
  const isRgb = channels === 3 && alphaChannel === undefined;
  const isRgba = channels === 4 && alphaChannel === 3;
  if (!(values instanceof Uint8Array) || colourChannels !== 3 || !(isRgb || isRgba)) return undefined;
  return { width, height, channels, samples: values };
}

/** The highest byte of each sample, which is how the decoder cuts too, as red, green, blue and alpha. */
function ordered({ width, height, channels, values }: Samples, meaning: Meaning): Bytes {
  const { colourChannels, alphaChannel } = meaning;
  const kept = alphaChannel === undefined ? 3 : 4;
  const samples = new Uint8Array(kept * width * height);
  const shift = 8 * values.BYTES_PER_ELEMENT - 8;
  const step = colourChannels === 1 ? 0 : 1;
  for (let from = 0, to = 0; to < samples.length; from += channels, to += kept) {
    for (let c = 0; c < 3; c++) samples[to + c] = values[from + c * step]! >>> shift;
    if (colourChannels === 4) {
      // Inks on white paper: R = (1 - C)(1 - K).
      const paper = 255 - (values[from + 3]! >>> shift);
      for (let c = 0; c < 3; c++) samples[to + c] = Math.round(((255 - samples[to + c]!) * paper) / 255);
    }
    if (alphaChannel !== undefined) samples[to + 3] = values[from + alphaChannel]! >>> shift;
  }
  return { width, height, channels: kept, samples };
}

/** Light is told apart in as many steps on its way to 8 bits: a step is a twentieth of a level of sRGB at the dark end. */
const lightSteps = 65535;
let encoded: Uint8Array | undefined;

/** sRGB(M · curve(sample)), in place. */
function convert({ samples, channels }: Bytes, { curves, toLinearSrgb }: ColourSpace): void {
  encoded ??= Uint8Array.from({ length: lightSteps + 1 }, (_, i) => Math.round(255 * encodeSrgb(i / lightSteps)));
  const levels = encoded;
  const level = (light: number) => levels[light <= 0 ? 0 : light >= lightSteps ? lightSteps : Math.round(light)]!;
  const [red, green, blue] = [0, 1, 2].map((c) => lightTable(curves[c] ?? curves[0]!)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  if (!toLinearSrgb) {
    const tables = [red, green, blue].map((table) => Uint8Array.from(table, level));
    for (let at = 0; at < samples.length; at += channels)
      for (let c = 0; c < 3; c++) samples[at + c] = tables[c]![samples[at + c]!]!;
    return;
  }
  const [m0, m1, m2, m3, m4, m5, m6, m7, m8] = toLinearSrgb as Nine;
  for (let at = 0; at < samples.length; at += channels) {
    const r = red[samples[at]!]!;
    const g = green[samples[at + 1]!]!;
    const b = blue[samples[at + 2]!]!;
    samples[at] = level(m0 * r + m1 * g + m2 * b);
    samples[at + 1] = level(m3 * r + m4 * g + m5 * b);
    samples[at + 2] = level(m6 * r + m7 * g + m8 * b);
  }
}

type Nine = [number, number, number, number, number, number, number, number, number];

/** Light of every sample, in steps; where a curve gives none it is dark. */
function lightTable(curve: (sample: number) => number): Float64Array {
  return Float64Array.from({ length: 256 }, (_, i) => {
    const light = curve(i / 255);
    return light > 0 ? lightSteps * Math.min(light, 1e3) : 0;
  });
}
