import { type ColourSpace, encodeSrgb } from "./colours.ts";

/** Samples as a file has them, by rows from the top. */
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
  readonly alphaChannel?: number;
  /** sRGB where undefined. */
  readonly colours?: ColourSpace;
}

/** sRGB of 8 bits: [height, width, 3], or 4 with alpha behind, not multiplied. */
export interface SrgbSamples {
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
  readonly samples: Uint8Array;
}

/** Light is told apart in as many steps on its way to 8 bits: a step is a twentieth of a level of sRGB at the dark end. */
const lightSteps = 65535;
let encoded: Uint8Array | undefined;

/** Samples of any kind in sRGB of 8 bits, clipped to what sRGB has. */
export function toSrgb({ width, height, channels, values }: Samples, meaning: Meaning): SrgbSamples {
  const { alphaChannel } = meaning;
  const kept = alphaChannel === undefined ? 3 : 4;
  const samples = new Uint8Array(kept * width * height);
  const colour = colourReader(values, meaning);
  const shift = 8 * values.BYTES_PER_ELEMENT - 8;
  for (let from = 0, to = 0; to < samples.length; from += channels, to += kept) {
    colour(from, samples, to);
    if (alphaChannel !== undefined) samples[to + 3] = values[from + alphaChannel]! >>> shift;
  }
  return { width, height, channels: kept, samples };
}

type ColourReader = (from: number, samples: Uint8Array, to: number) => void;

function colourReader(values: Samples["values"], { colourChannels, colours }: Meaning): ColourReader {
  // As libvips reduces samples: by their highest byte.
  const shift = 8 * values.BYTES_PER_ELEMENT - 8;
  if (colourChannels === 4) {
    // Inks on white without a profile, as browsers take them: R = (1 - C)(1 - K).
    return (from, samples, to) => {
      const paper = 255 - (values[from + 3]! >>> shift);
      for (let c = 0; c < 3; c++) samples[to + c] = Math.round(((255 - (values[from + c]! >>> shift)) * paper) / 255);
    };
  }
  const step = colourChannels === 1 ? 0 : 1;
  if (!colours) {
    return (from, samples, to) => {
      for (let c = 0; c < 3; c++) samples[to + c] = values[from + c * step]! >>> shift;
    };
  }
  return lightReader(values, colours, step);
}

function lightReader(values: Samples["values"], { curves, toLinearSrgb }: ColourSpace, step: 0 | 1): ColourReader {
  encoded ??= Uint8Array.from({ length: lightSteps + 1 }, (_, i) => Math.round(255 * encodeSrgb(i / lightSteps)));
  const table = encoded;
  const bits = 8;
  const shift = 8 * values.BYTES_PER_ELEMENT - bits;
  const tables = curves.map((curve) => lightTable(curve, bits));
  const [red, green, blue] = [tables[0]!, tables[1] ?? tables[0]!, tables[2] ?? tables[0]!];
  const m = (toLinearSrgb ?? [1, 0, 0, 0, 1, 0, 0, 0, 1]).map((value) => value * lightSteps);
  const [m0, m1, m2, m3, m4, m5, m6, m7, m8] = m as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const level = (light: number) => table[light <= 0 ? 0 : light >= lightSteps ? lightSteps : Math.round(light)]!;
  return (from, samples, to) => {
    const r = red[values[from]! >>> shift]!;
    const g = green[values[from + step]! >>> shift]!;
    const b = blue[values[from + 2 * step]! >>> shift]!;
    samples[to] = level(m0 * r + m1 * g + m2 * b);
    samples[to + 1] = level(m3 * r + m4 * g + m5 * b);
    samples[to + 2] = level(m6 * r + m7 * g + m8 * b);
  };
}

/** Light of every sample; where a curve gives none it is dark. */
function lightTable(curve: (sample: number) => number, bits: number): Float64Array {
  const largest = 2 ** bits - 1;
  return Float64Array.from({ length: largest + 1 }, (_, i) => {
    const light = curve(i / largest);
    return light > 0 ? Math.min(light, 1e3) : 0;
  });
}
