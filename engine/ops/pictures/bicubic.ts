import { type Checks, expectOptions, extent, flag } from "../../arguments.ts";
import type { Tensor } from "../../tensor.ts";
import { type Resampling, resample, resampling } from "./resample.ts";

export interface BicubicOptions {
  readonly height: number;
  readonly width: number;
  /** Widen the filter as the picture shrinks, as Pillow does; false unless given: the four inputs around a point. */
  readonly antialias?: boolean;
}

const checks: Checks<BicubicOptions> = { height: extent, width: extent, antialias: flag };

/**
 * Resizes maps [N, H, W, C] → [N, height, width, C] by cubic convolution (Keys 1981); corners are not aligned. Equal to
 * `interpolate(…, mode="bicubic", antialias=…)` of PyTorch: a = −0.75, or −0.5 with antialias. The way to give the
 * position embedding of a vision transformer another grid.
 * @throws ShapeError when height or width is not a whole number of at least 1
 */
export function resizeBicubic(x: Tensor, options: BicubicOptions): Tensor {
  expectOptions("resizeBicubic", options, checks);
  const { height, width, antialias = false } = options;
  const map = (inputs: number, outputs: number) => cubic(inputs, outputs, antialias);
  return resample("resizeBicubic", x, { height, width }, { name: `bicubic ${antialias}`, map });
}

/** The cubic kernel of Keys: 1 at 0, 0 at every other whole number and from 2 on, slope `a` at 1. */
export function keys(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/** Output i looks at c = (i + ½) · inputs / outputs; without antialias, inputs outside are those at the border. */
export function cubic(inputs: number, outputs: number, antialias: boolean): Resampling {
  const scale = inputs / outputs;
  const stretch = antialias ? Math.max(scale, 1) : 1;
  return resampling(inputs, outputs, (i) => {
    const center = (i + 0.5) * scale;
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
