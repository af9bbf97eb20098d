import sharp from "sharp";
import type { Device } from "../../engine/device/device.ts";
import type { Random } from "../../engine/random.ts";
import {
  amountsOf,
  type Distortion,
  type DistortionName,
  distortions,
  fromBytes,
  toBytes,
} from "../data/degraded/distortions.ts";
import type { Picture } from "../data/index.ts";
import type { Reason } from "./names.ts";

/** From a level 1 … 5, which may lie between two, to what is done to a picture. */
type Degradation = (picture: Picture, level: number, at: { device: Device; random: Random }) => Promise<Picture>;

/** A distortion of the 25 at its own amounts, those between two levels from both. @param sign of the amount */
function of(name: DistortionName, sign: 1 | -1 = 1): Degradation {
  return async ({ pixels, width, height }, level, { device, random }) => {
    const amounts = amountsOf(name);
    const below = Math.min(4, Math.floor(level));
    const [from, to] = [amounts[below - 1]!, amounts[below]!];
    const between = from + (to - from) * (level - below);
    const amount = sign * (name === "jpeg" ? Math.round(between) : between);
    using clean = fromBytes(device, pixels, height, width);
    const { apply }: Distortion = distortions[name];
    using changed = await apply(clean, amount, random.word());
    return { pixels: await toBytes(changed), width, height };
  };
}

/** Every sample by a curve of bytes. */
function curve(of: (value: number, level: number) => number): Degradation {
  return async ({ pixels, width, height }, level) => {
    const table = Uint8Array.from({ length: 256 }, (_, value) =>
      Math.round(255 * Math.max(0, Math.min(1, of(value / 255, level)))),
    );
    return { pixels: pixels.map((value) => table[value]!), width, height };
  };
}

const toLight = (value: number) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const fromLight = (light: number) => (light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055);

/** Stops of exposure for each level: what is brighter than white is lost. */
const exposed = (stops: number) =>
  curve((value, level) => fromLight(Math.min(1, toLight(value) * 2 ** (stops * level))));

/** All samples drawn towards a grey, as haze and faded prints have it. */
const faded: Degradation = (picture, level, at) => {
  const grey = 0.3 + 0.5 * at.random.uniform();
  return curve((value) => grey + (value - grey) * (0.9 - 0.15 * level))(picture, level, at);
};

/** How each reason comes about; copies take one at random. */
export const degradations: Readonly<Record<Reason, Readonly<Record<string, Degradation>>>> = {
  blur: { "gaussian-blur": of("gaussian-blur"), "lens-blur": of("lens-blur") },
  "motion-blur": { "motion-blur": of("motion-blur") },
  noise: {
    "white-noise": of("white-noise"),
    "white-noise-color": of("white-noise-color"),
    "impulse-noise": of("impulse-noise"),
    "multiplicative-noise": of("multiplicative-noise"),
  },
  compression: { jpeg: of("jpeg"), jpeg2000: of("jpeg2000") },
  dark: { darken: of("darken"), "mean-shift": of("mean-shift", -1), exposure: exposed(-0.7) },
  overexposed: { brighten: of("brighten"), "mean-shift": of("mean-shift"), exposure: exposed(0.5) },
  "low-contrast": { "contrast-change": of("contrast-change"), faded },
  pixelation: { pixelate: of("pixelate") },
};

/** The picture as a JPEG of such a quality shows it. @param quality 1 to 100 */
export async function encodedAgain({ pixels, width, height }: Picture, quality: number): Promise<Picture> {
  const file = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality })
    .toBuffer();
  return { pixels: await sharp(file).raw().toBuffer(), width, height };
}
