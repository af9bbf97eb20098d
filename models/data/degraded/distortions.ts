import { expectNames } from "../../../engine/arguments.ts";
import { ShapeError, type Tensor } from "../../../engine/tensor.ts";
import { gaussianBlur, lensBlur, motionBlur } from "./kinds/blur.ts";
import { brighten, darken, meanShift } from "./kinds/brightness.ts";
import { colorDiffusion, colorSaturation1, colorSaturation2, colorShift } from "./kinds/colour.ts";
import { jpeg, jpeg2000 } from "./kinds/compression.ts";
import type { Levels } from "./kinds/kernels.ts";
import { denoiseLite, impulseNoise, multiplicativeNoise, whiteNoise, whiteNoiseColor } from "./kinds/noise.ts";
import { colorQuantization } from "./kinds/palette.ts";
import { contrastChange, highSharpen } from "./kinds/sharpness.ts";
import { colorBlock, jitter, nonEccentricityPatch, pixelate, quantization } from "./kinds/spatial.ts";
import { stretched } from "./kinds/stretch.ts";

export { gaussianKernel } from "./kinds/blur.ts";
export { fromBytes, toBytes } from "./kinds/bytes.ts";
export type { Levels } from "./kinds/kernels.ts";

/**
 * A way to degrade a picture [1, H, W, 3] in [0, 1], one of the 25 of KADID-10k and KADIS-700k (Lin, Hosu & Saupe 2019). `amount`
 * is its strength in its own unit, `seed` feeds its random choices. Edges are replicated.
 */
export interface Distortion {
  /** Place among KADID-10k's, from 1. */
  readonly number: number;
  readonly group: "blur" | "color" | "compression" | "noise" | "brightness" | "spatial" | "sharpness and contrast";
  /** Amounts at level 1 … 5 as KADID-10k's generator has them. */
  readonly kadid: Levels;
  /** Places of those levels from the mildest on, where that is not their order (Agnolucci et al., ARNIQA, 2024). */
  readonly severity?: Levels;
  /** The sign of an amount is a direction: of levels in different ones neither is the stronger. */
  readonly twoWay?: true;
  /** Levels of KADID-10k at which nothing is changed. */
  readonly unchanged?: readonly number[];
  /**
   * Amounts at level 1 … 5, the mildest first, where KADID-10k's are not taken: its mildest are invisible, or it goes into two
   * directions.
   */
  readonly own?: Levels;
  readonly apply: (x: Tensor, amount: number, seed: number) => Tensor | Promise<Tensor>;
}

/** Every distortion by its name, in KADID-10k's order. */
export const distortions = {
  "gaussian-blur": {
    ...{ number: 1, group: "blur", apply: gaussianBlur },
    ...{ kadid: [0.1, 0.5, 1, 2, 5], own: [0.6, 1, 1.6, 2.6, 4], unchanged: [1] },
  },
  "lens-blur": { number: 2, group: "blur", kadid: [1, 2, 4, 6, 8], apply: lensBlur },
  "motion-blur": {
    ...{ number: 3, group: "blur", apply: motionBlur },
    ...{ kadid: [1, 2, 4, 6, 10], own: [3, 5, 8, 12, 18], unchanged: [1] },
  },
  "color-diffusion": { number: 4, group: "color", kadid: [1, 3, 6, 8, 12], apply: colorDiffusion },
  "color-shift": { number: 5, group: "color", kadid: [1, 3, 6, 8, 12], apply: colorShift },
  "color-quantization": { number: 6, group: "color", kadid: [64, 48, 32, 16, 8], apply: colorQuantization },
  "color-saturation-1": { number: 7, group: "color", kadid: [0.4, 0.2, 0.1, 0, -0.4], apply: colorSaturation1 },
  "color-saturation-2": {
    ...{ number: 8, group: "color", apply: colorSaturation2 },
    ...{ kadid: [1, 2, 3, 6, 9], own: [1.5, 2, 3, 6, 9], unchanged: [1] },
  },
  jpeg2000: { number: 9, group: "compression", kadid: [16, 32, 45, 120, 400], apply: jpeg2000 },
  jpeg: {
    ...{ number: 10, group: "compression", apply: jpeg },
    ...{ kadid: [43, 36, 24, 7, 4], own: [40, 20, 10, 5, 2] },
  },
  "white-noise": {
    ...{ number: 11, group: "noise", apply: whiteNoise },
    ...{ kadid: [0.001, 0.002, 0.003, 0.005, 0.01], own: [0.001, 0.004, 0.012, 0.04, 0.1] },
  },
  "white-noise-color": {
    ...{ number: 12, group: "noise", apply: whiteNoiseColor },
    kadid: [0.0001, 0.0005, 0.001, 0.002, 0.003],
  },
  "impulse-noise": {
    ...{ number: 13, group: "noise", apply: impulseNoise },
    ...{ kadid: [0.001, 0.005, 0.01, 0.02, 0.03], own: [0.005, 0.02, 0.05, 0.12, 0.25] },
  },
  "multiplicative-noise": {
    ...{ number: 14, group: "noise", apply: multiplicativeNoise },
    kadid: [0.001, 0.005, 0.01, 0.02, 0.05],
  },
  "denoise-lite": { number: 15, group: "noise", kadid: [0.01, 0.03, 0.05, 0.1, 0.15], apply: denoiseLite },
  brighten: { number: 16, group: "brightness", kadid: [0.1, 0.2, 0.4, 0.7, 1.1], apply: brighten },
  darken: {
    ...{ number: 17, group: "brightness", apply: darken },
    ...{ kadid: [0.05, 0.1, 0.2, 0.4, 0.8], own: [0.2, 0.4, 0.55, 0.7, 0.85] },
  },
  "mean-shift": {
    ...{ number: 18, group: "brightness", twoWay: true, apply: meanShift },
    ...{ kadid: [0.15, 0.08, 0, -0.08, -0.15], severity: [3, 2, 4, 1, 5], own: [0.05, 0.08, 0.12, 0.18, 0.26] },
    unchanged: [3],
  },
  jitter: { number: 19, group: "spatial", kadid: [0.05, 0.1, 0.2, 0.5, 1], apply: jitter },
  "non-eccentricity-patch": {
    ...{ number: 20, group: "spatial", apply: nonEccentricityPatch },
    kadid: [20, 40, 60, 80, 100],
  },
  pixelate: {
    ...{ number: 21, group: "spatial", apply: pixelate },
    ...{
      kadid: [0.01, 0.05, 0.1, 0.2, 0.5].map((a) => 0.95 - a ** 0.6) as unknown as Levels,
      own: [0.7, 0.5, 0.35, 0.25, 0.16],
    },
  },
  quantization: { number: 22, group: "spatial", kadid: [20, 16, 13, 10, 7], apply: quantization },
  "color-block": { number: 23, group: "spatial", kadid: [2, 4, 6, 8, 10], apply: colorBlock },
  "high-sharpen": { number: 24, group: "sharpness and contrast", kadid: [1, 2, 3, 6, 12], apply: highSharpen },
  "contrast-change": {
    ...{ number: 25, group: "sharpness and contrast", twoWay: true, apply: contrastChange },
    ...{ kadid: [0.3, 0.15, 0, -0.4, -0.6], severity: [3, 2, 4, 1, 5], own: [-0.3, -0.45, -0.6, -0.75, -0.9] },
  },
} satisfies Record<string, Distortion>;

export type DistortionName = keyof typeof distortions;

/** All 25, in KADID-10k's order. */
export const distortionNames = Object.keys(distortions) as DistortionName[];

/** Those that are taken where no others are asked for: their own levels span most of the range of SSIM. */
export const usualDistortions = [
  "gaussian-blur",
  "motion-blur",
  "jpeg",
  "white-noise",
  "impulse-noise",
  "darken",
  "pixelate",
] as const satisfies readonly DistortionName[];

/**
 * Which levels 1 … 5 are meant: a distortion's own, or KADID-10k's where it has none, the mildest first; KADID-10k's in its order,
 * in which level 3 of `mean-shift` and `contrast-change` is the mildest; or KADID-10k's from the mildest on.
 */
export const levelSets = ["own", "kadid", "severity"] as const;

export type LevelSet = (typeof levelSets)[number];

/** Strength of a distortion at its levels 1 to 5, in its own unit. */
export function amountsOf(name: DistortionName, set: LevelSet = "own"): Levels {
  const { kadid, own = kadid, severity }: Distortion = distortions[name];
  if (set === "own") return own;
  if (set === "kadid" || !severity) return kadid;
  return severity.map((level) => kadid[level - 1]!) as unknown as Levels;
}

/** How strong a level of KADID-10k is among its five, 1 to 5; 0 where it changes nothing. */
export function severityOf(name: DistortionName, level: number): number {
  const { severity = [1, 2, 3, 4, 5], unchanged = [] }: Distortion = distortions[name];
  return unchanged.includes(level) ? 0 : severity.indexOf(level) + 1;
}

/** The level that a level is a step up from: the strongest milder one in its direction, 0 (the picture as it is) for the mildest. */
export function levelBelow(name: DistortionName, level: number, set: Exclude<LevelSet, "kadid"> = "own"): number {
  const { twoWay }: Distortion = distortions[name];
  if (!twoWay) return level - 1;
  const amounts = amountsOf(name, set);
  const isOnWay = (below: number) => amounts[below - 1]! * amounts[level - 1]! >= 0;
  let below = level - 1;
  while (below > 0 && !isOnWay(below)) below--;
  return below;
}

export interface DistortOptions {
  /** @default "own" */
  readonly levels?: LevelSet;
  /**
   * Stretches the picture, and what comes of it, to [0, 1] by its least and largest sample, as KADID-10k's generator does. It
   * partly undoes `mean-shift`.
   * @default false
   */
  readonly stretch?: boolean;
}

const optionNames = { levels: true, stretch: true } satisfies Record<keyof DistortOptions, true>;

/**
 * Degrades a picture.
 * @param x [1, H, W, 3] in [0, 1], which is not looked at; other numbers are not meant
 * @param level 1 … 5
 * @param seed a whole number below 2^32; noise, angles and places depend on it alone
 * @returns a tensor of the same shape, in [0, 1] but for rounding
 * @throws ShapeError for another shape; RangeError for a name, level, seed or level set that there is not
 */
export async function distort(
  x: Tensor,
  name: DistortionName,
  level: number,
  seed: number,
  options: DistortOptions = {},
): Promise<Tensor> {
  expectNames("distort", options, optionNames);
  const { levels = "own", stretch = false } = options;
  if (x.rank !== 4 || x.shape[0] !== 1 || x.shape[3] !== 3 || x.dtype !== "f32") {
    throw new ShapeError(`distort takes a picture f32 [1, H, W, 3], found ${x.dtype} [${x.shape}]`);
  }
  expectDistortion(name);
  if (!levelSets.includes(levels)) {
    throw new RangeError(`distort: levels ${JSON.stringify(levels)}; choose of ${levelSets.join(", ")}`);
  }
  const amount = amountsOf(name, levels)[level - 1];
  if (amount === undefined) throw new RangeError(`distort: level ${level}; there are levels 1 to 5`);
  if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)) {
    throw new RangeError(`distort: the seed must be a whole number from 0 to 2^32 − 1, got ${seed}`);
  }
  const { apply }: Distortion = distortions[name];
  if (!stretch) return apply(x, amount, seed);
  using wide = await stretched(x);
  using degraded = await apply(wide, amount, seed);
  return await stretched(degraded);
}

/** @throws RangeError for a name that no distortion has */
export function expectDistortion(name: string): asserts name is DistortionName {
  if (!Object.hasOwn(distortions, name))
    throw new RangeError(`There is no distortion ${JSON.stringify(name)}; choose of ${distortionNames.join(", ")}.`);
}
