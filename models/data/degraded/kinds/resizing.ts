import { cubic } from "../../../../engine/ops/pictures/bicubic.ts";
import {
  antialiased,
  type Filter,
  type Resampling,
  resample,
  resampling,
} from "../../../../engine/ops/pictures/resample.ts";
import { clamp } from "../../../../engine/ops/unary.ts";
import type { Tensor } from "../../../../engine/tensor.ts";
import { extents, type Levels } from "./kernels.ts";

/** Pillow's filters, which widen as a picture shrinks; nearest looks at one pixel. */
const filters = {
  nearest: (inputs: number, outputs: number) =>
    resampling(inputs, outputs, (i) => ({ first: Math.floor(((i + 0.5) * inputs) / outputs), weights: [1] })),
  bilinear: antialiased,
  bicubic: (inputs: number, outputs: number) => cubic(inputs, outputs, true),
  lanczos,
} satisfies Record<string, Filter["map"]>;

function lanczos(inputs: number, outputs: number): Resampling {
  const scale = inputs / outputs;
  const stretch = Math.max(scale, 1);
  const sinc = (x: number) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
  return resampling(inputs, outputs, (i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - 3 * stretch + 0.5));
    const end = Math.min(inputs, Math.trunc(centre + 3 * stretch + 0.5));
    const weights = Array.from({ length: end - first }, (_, t) => {
      const x = (first + t + 0.5 - centre) / stretch;
      return Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
    });
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

export type ResizingFilter = keyof typeof filters;

export const resizingFilters = Object.keys(filters) as ResizingFilter[];

/** What height and width are divided by at level 1 … 5 (Saha, Mishra & Bovik 2023). */
export const resizingFactors: Levels = [2, 3, 4, 8, 16];

/**
 * A picture reduced by a factor, its extents rounded down, and enlarged to its size again, both through one filter, in [0, 1] after each.
 * @param x [1, H, W, C] in [0, 1] @param factor of at least 1
 */
export function resized(x: Tensor, filter: ResizingFilter, factor: number): Tensor {
  const { height, width } = extents(x);
  const by = { name: `resizing ${filter}`, map: filters[filter] };
  const small = { height: Math.max(1, Math.floor(height / factor)), width: Math.max(1, Math.floor(width / factor)) };
  const within = (y: Tensor) => clamp(y, 0, 1);
  return x.device.scope(() =>
    within(resample("resized", within(resample("resized", x, small, by)), { height, width }, by)),
  );
}
