import { record } from "../autograd.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { ShapeError, sizeOf, Tensor } from "../tensor.ts";
import { batchShape } from "./batch.ts";
import { type Resampling, transposed } from "./resample.ts";

export interface BicubicOptions {
  readonly height: number;
  readonly width: number;
  /** Widen the filter as the picture shrinks, as Pillow does; false unless given: the four inputs around a point. */
  readonly antialias?: boolean;
}

/**
 * Resizes maps [N, H, W, C] → [N, height, width, C] by cubic convolution (Keys 1981); corners are not aligned. Equal to
 * `interpolate(…, mode="bicubic", antialias=…)` of PyTorch: a = −0.75, or −0.5 with antialias. The way to give the
 * position embedding of a vision transformer another grid.
 * @throws ShapeError when height or width is not a whole number of at least 1
 */
export function resizeBicubic(x: Tensor, { height, width, antialias = false }: BicubicOptions): Tensor {
  const [, inHeight, inWidth] = batchShape("resizeBicubic", x);
  for (const extent of [height, width]) {
    if (!Number.isInteger(extent) || extent < 1) {
      throw new ShapeError(`resizeBicubic: ${height}x${width} is not a size: extents are whole and at least 1`);
    }
  }
  const passes = (
    [
      { axis: 1, inputs: inHeight, outputs: height },
      { axis: 2, inputs: inWidth, outputs: width },
    ] as const
  )
    .filter(({ inputs, outputs }) => inputs !== outputs)
    .map(({ axis, inputs, outputs }) => ({ axis, map: cubic(inputs, outputs, antialias) }));
  const y = x.device.scope(() => passes.reduce((map, pass) => through(map, pass.axis, pass.map), x.alias()));
  // y = R_w R_h x    dx = R_hᵀ R_wᵀ dy
  return record("resizeBicubic", [x], y, (dy) => [
    dy.device.scope(() =>
      passes.toReversed().reduce((map, pass) => through(map, pass.axis, transposed(pass.map)), dy.alias()),
    ),
  ]);
}

/** The cubic kernel of Keys: 1 at 0, 0 at every other whole number and from 2 on, slope `a` at 1. */
function keys(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/** Output i looks at c = (i + ½) · inputs / outputs; without antialias, inputs outside are those at the border. */
export function cubic(inputs: number, outputs: number, antialias: boolean): Resampling {
  const scale = inputs / outputs;
  const stretch = antialias ? Math.max(scale, 1) : 1;
  const rows = Array.from({ length: outputs }, (_, i) => {
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
  return { inputs, first: rows.map(({ first }) => first), weights: rows.map(({ weights }) => weights) };
}

/** One axis of x: [N, H, W, C] through a map. Not recorded. */
function through(x: Tensor, axis: 1 | 2, map: Resampling): Tensor {
  const { device } = x;
  const outputs = map.first.length;
  const taps = Math.max(...map.weights.map((row) => row.length));
  const flat = new Float32Array(taps * outputs);
  map.weights.forEach((row, i) => {
    flat.set(row, taps * i);
  });
  const spans = map.first.flatMap((first, i) => [first, map.weights[i]!.length]);
  using spanTable = Tensor.from(device, Uint32Array.from(spans), [outputs, 2]);
  using weightTable = Tensor.from(device, flat, [outputs, taps]);
  const shape = x.shape.with(axis, outputs);
  const y = Tensor.like(x, shape);
  const inner = sizeOf(shape.slice(axis + 1));
  const vector = inner % 4 === 0;
  const width = vector ? inner / 4 : inner;
  const [inLine, outLine] = [map.inputs * inner, outputs * inner];
  for (const { start, count } of rowRanges(device, sizeOf(shape.slice(0, axis)), [inLine, outLine])) {
    device.kernels.run(
      "image/resample",
      { VECTOR: vector, WORKGROUP: flatWorkgroup },
      {
        x: x.window(start * inLine, count * inLine),
        spans: spanTable.window(),
        weights: weightTable.window(),
        y: y.window(start * outLine, count * outLine),
      },
      { outer: count, length: map.inputs, out_length: outputs, inner: width, taps },
      flatGrid(device, count * outputs * width),
    );
  }
  return y;
}
