// Bundled and run in a page by the tests: what takes the place of sharp there.
import { type DecodeOptions, decode, type Picture } from "../../../models/data/pictures/decode.ts";
import { reduced, stretched } from "../../../models/data/pictures/resample.ts";

interface Asked {
  /** A file in base 64. */
  readonly file: string;
  readonly options?: DecodeOptions;
  readonly longerSide?: number;
  readonly size?: { readonly width: number; readonly height: number };
}

async function pixelsOf({ file, options, longerSide, size }: Asked): Promise<{ size: number[]; pixels: string }> {
  const whole = await decode(
    Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0)),
    options,
  );
  const smaller: Picture = longerSide === undefined ? whole : await reduced(whole, longerSide);
  const { width, height, pixels } = size ? await stretched(smaller, size) : smaller;
  return { size: [width, height], pixels: Array.from(pixels, (value) => String.fromCharCode(value)).join("") };
}

Object.assign(globalThis, { pixelsOf });
