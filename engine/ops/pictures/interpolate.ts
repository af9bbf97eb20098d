import { type Check, type Checks, expectOptions, extent, finite, flag, oneOf, positive } from "../../arguments.ts";
import type { Tensor } from "../../tensor.ts";
import { keys } from "./bicubic.ts";
import { type Resampling, resample, resampling } from "./resample.ts";

/** Where output i looks in the input, by the scale s = outputs / inputs. Names and formulas are those of ONNX's Resize. */
export type Coordinates =
  /** (i + ½) / s − ½: edges stay at their places. */
  | "half_pixel"
  /** The same; 0 for a single output. */
  | "pytorch_half_pixel"
  /** The same about the middle of the picture where the scale is not that of the extents. */
  | "half_pixel_symmetric"
  /** i (inputs − 1) / (outputs − 1): the centres of the outer pixels stay; 0 for a single output. */
  | "align_corners"
  /** i / s: the first pixel stays. */
  | "asymmetric";

/** What "nearest" takes between two inputs. */
export type NearestRounding = "round_prefer_floor" | "round_prefer_ceil" | "floor" | "ceil";

export interface InterpolateOptions {
  readonly height: number;
  readonly width: number;
  /** The nearest input, lines between two, or cubic convolution of four (Keys 1981). */
  readonly filter: "nearest" | "linear" | "cubic";
  /** half_pixel unless given. */
  readonly coordinates?: Coordinates;
  /** Of "nearest"; round_prefer_floor unless given. */
  readonly rounding?: NearestRounding;
  /** Outputs for each input, one number or [height, width]; outputs / inputs unless given. */
  readonly scale?: number | readonly [number, number];
  /** Slope of the cubic kernel at 1; −0.75 unless given. */
  readonly cubicCoefficient?: number;
  /** Leave out what lies outside the picture, instead of taking its border for it. */
  readonly excludeOutside?: boolean;
  /** Widen the linear or cubic filter as the picture shrinks. */
  readonly antialias?: boolean;
}

const scaleCheck: Check = {
  allowed: "a finite number above 0, or [height, width] of them",
  fits: (value) => positive.fits(value) || (Array.isArray(value) && value.length === 2 && value.every(positive.fits)),
};

const checks: Checks<InterpolateOptions> = {
  height: extent,
  width: extent,
  filter: oneOf("nearest", "linear", "cubic"),
  coordinates: oneOf("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric", "align_corners", "asymmetric"),
  rounding: oneOf("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"),
  scale: scaleCheck,
  cubicCoefficient: finite,
  excludeOutside: flag,
  antialias: flag,
};

function placeOf(coordinates: Coordinates, i: number, inputs: number, outputs: number, scale: number): number {
  if (coordinates === "asymmetric") return i / scale;
  if (coordinates === "align_corners") return outputs > 1 ? (i * (inputs - 1)) / (outputs - 1) : 0;
  if (coordinates === "pytorch_half_pixel" && outputs === 1) return 0;
  const shift = coordinates === "half_pixel_symmetric" ? (inputs / 2) * (1 - outputs / (scale * inputs)) : 0;
  return shift + (i + 0.5) / scale - 0.5;
}

const roundings: Readonly<Record<NearestRounding, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** The map of one axis. */
function mapOf(options: InterpolateOptions, inputs: number, outputs: number, given: number | undefined): Resampling {
  const { filter, coordinates = "half_pixel", rounding = "round_prefer_floor", antialias = false } = options;
  const { cubicCoefficient = -0.75, excludeOutside = false } = options;
  const scale = given ?? outputs / inputs;
  const held = (at: number) => Math.min(Math.max(at, 0), inputs - 1);
  const stretch = antialias ? Math.max(1, 1 / scale) : 1;
  const reach = (filter === "cubic" ? 2 : 1) * stretch;
  const weightAt = (distance: number) =>
    filter === "cubic" ? keys(distance / stretch, cubicCoefficient) : Math.max(0, 1 - Math.abs(distance / stretch));
  return resampling(inputs, outputs, (i) => {
    const center = placeOf(coordinates, i, inputs, outputs, scale);
    if (filter === "nearest") return { first: held(roundings[rounding](center)), weights: [1] };
    // Always four inputs, as PyTorch looks at, for a cubic filter that is not widened.
    const four = filter === "cubic" && !antialias;
    const low = four ? Math.floor(center) - 1 : Math.floor(center - reach) + 1;
    const high = four ? low + 3 : Math.ceil(center + reach) - 1;
    const first = held(low);
    const weights: number[] = Array(held(high) - first + 1).fill(0);
    for (let at = low; at <= high; at++) {
      if (!excludeOutside || at === held(at)) weights[held(at) - first]! += weightAt(at - center);
    }
    const total = antialias || excludeOutside ? weights.reduce((sum, weight) => sum + weight, 0) : 1;
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

/**
 * Resizes pictures [N, H, W, C] → [N, height, width, C] as ONNX's Resize: any filter with any coordinates, forward and backward.
 * PyTorch's `nearest` is "asymmetric" with rounding "floor", its `nearest-exact` "half_pixel" with "round_prefer_ceil".
 * `resize` and `resizeBicubic` are PyTorch's and Pillow's filters with antialias, which are others at the border.
 * @throws ShapeError when height or width is not a whole number of at least 1
 */
export function interpolate(x: Tensor, options: InterpolateOptions): Tensor {
  expectOptions("interpolate", options, checks);
  const { height, width, scale } = options;
  const [vertical, horizontal] = typeof scale === "object" ? scale : [scale, scale];
  const { height: _, width: __, ...rest } = options;
  const name = `interpolate ${JSON.stringify(rest)}`;
  const map = (inputs: number, outputs: number, axis: 1 | 2) =>
    mapOf(options, inputs, outputs, axis === 1 ? vertical : horizontal);
  // With a scale of its own an axis that keeps its extent moves too.
  return resample("interpolate", x, { height, width }, { name, map, moves: scale !== undefined });
}
