import { type Checks, expectOptions, extent, flag } from "../../arguments.ts";
import type { Tensor } from "../../tensor.ts";
import { type Resampling, resample, resampling } from "./resample.ts";

export interface BicubicOptions {
  readonly height: number;
  readonly width: number;
  /** Widen the filter as the picture shrinks, as Pillow does; false unless given: the four inputs around a point. */
  readonly antialias?: boolean;
  /** The centres of the outer pixels stay where they are, instead of the edges; false unless given. Not with antialias. */
  readonly alignCorners?: boolean;
}

const checks: Checks<BicubicOptions> = { height: extent, width: extent, antialias: flag, alignCorners: flag };

/**
 * Resizes maps [N, H, W, C] → [N, height, width, C] by cubic convolution (Keys 1981). Equal to
 * `interpolate(…, mode="bicubic", antialias=…, align_corners=…)` of PyTorch: a = −0.75, or −0.5 with antialias. The way to give the
 * position embedding of a vision transformer another grid.
 * @throws ShapeError when height or width is not a whole number of at least 1; TypeError for aligned corners with antialias
 */
export function resizeBicubic(x: Tensor, options: BicubicOptions): Tensor {
  expectOptions("resizeBicubic", options, checks);
  const { height, width, antialias = false, alignCorners = false } = options;
  if (antialias && alignCorners) throw new TypeError("resizeBicubic: corners are aligned without antialias alone");
  const map = (inputs: number, outputs: number) => cubic(inputs, outputs, antialias, alignCorners);
  return resample("resizeBicubic", x, { height, width }, { name: `bicubic ${antialias} ${alignCorners}`, map });
}

/** The cubic kernel of Keys: 1 at 0, 0 at every other whole number and from 2 on, slope `a` at 1. */
export function keys(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/**
 * Output i looks at c = (i + ½) · inputs / outputs, with aligned corners at i (inputs − 1) / (outputs − 1) + ½; without antialias, inputs outside
 * are those at the border.
 */
export function cubic(inputs: number, outputs: number, antialias: boolean, alignCorners = false): Resampling {
  const scale = inputs / outputs;
  const aligned = outputs > 1 ? (inputs - 1) / (outputs - 1) : 0;
  const stretch = antialias ? Math.max(scale, 1) : 1;
  return resampling(inputs, outputs, (i) => {
    const center = alignCorners ? i * aligned + 0.5 : (i + 0.5) * scale;
    if (antialias) {
      const first = Math.max(0, Math.trunc(center - 2 * stretch + 0.5));
      const end = Math.min(inputs, Math.trunc(center + 2 * stretch + 0.5));
      const weights = Array.from({ length: end - first }, (_, t) => keys((first + t + 0.5 - center) / stretch, -0.5));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return { first, weights: weights.map((weight) => weight / total) };
    }
    const left = Math.floor(center - 0.5) - 1;
    const clamp = (at: number) => Math.min(Math.max(at, 0), inputs - 1);
    const first = clamp(left);
    const weights: number[] = Array(clamp(left + 3) - first + 1).fill(0);
    for (let at = left; at < left + 4; at++) weights[clamp(at) - first]! += keys(at + 0.5 - center, -0.75);
    return { first, weights };
  });
}
