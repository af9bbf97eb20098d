import { type Check, type Checks, expectOptions, flag, sides } from "../arguments.ts";
import { flatWorkgroup } from "../kernel/grid.ts";
import { ShapeError, type Tensor } from "../tensor.ts";
import { batchShape } from "./batch.ts";
import type { Pair } from "./contraction/contract.ts";
import { pair } from "./contraction/conv-shape.ts";
import { coveredPlaces } from "./covered.ts";

export interface PoolOptions {
  /** Taps of the window; one number for both axes, or [height, width]. */
  readonly kernel: number | Pair;
  /** Distance between windows; the kernel's extents unless given. */
  readonly stride?: number | Pair;
  /**
   * Positions added around the picture, fewer than a window spans; 0 unless given. One number for all sides, [height, width], or
   * [[top, bottom], [left, right]].
   */
  readonly padding?: number | Pair | readonly [height: Pair, width: Pair];
  /** Distance between taps; 1 unless given. */
  readonly dilation?: number | Pair;
  /** A last window that begins inside but goes beyond the padding counts too, as PyTorch's `ceil_mode`. */
  readonly ceilMode?: boolean;
}

/** A pooling with all its extents, each for height and width. */
export interface PoolShape {
  readonly images: number;
  readonly input: Pair;
  readonly channels: number;
  readonly output: Pair;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
  /** Positions in front of the picture, and behind it. */
  readonly before: Pair;
  readonly after: Pair;
  /** True when kernels take four channels at a time. */
  readonly vector: boolean;
}

const side = sides(0);
/** Margins that may differ in front of the picture and behind it. */
const margins: Check = {
  allowed: `${side.allowed}, or [[top, bottom], [left, right]] of them`,
  fits: (value) =>
    side.fits(value) ||
    (Array.isArray(value) &&
      value.length === 2 &&
      value.every((axis) => Array.isArray(axis) && axis.length === 2 && side.fits(axis))),
  error: ShapeError,
};

/** What the options of a pooling may be. */
export const poolChecks: Checks<PoolOptions> = {
  kernel: sides(1),
  stride: sides(1),
  padding: margins,
  dilation: sides(1),
  ceilMode: flag,
};

/** Positions from the first tap of a window to its last. */
export function span({ kernel, dilation }: Pick<PoolShape, "kernel" | "dilation">, axis: 0 | 1): number {
  return (kernel[axis] - 1) * dilation[axis] + 1;
}

/** @throws ShapeError when the window does not fit, or the padding is not shorter than it */
export function poolShape<Options extends PoolOptions>(
  operation: string,
  x: Tensor,
  options: Options,
  checks: Checks<Options>,
): PoolShape {
  const [images, height, width, channels] = batchShape(operation, x);
  expectOptions(operation, options, checks);
  if (options.kernel === undefined) throw new ShapeError(`${operation}: the option kernel is missing`);
  const kernel = pair(options.kernel);
  const stride = pair(options.stride ?? options.kernel);
  const dilation = pair(options.dilation ?? 1);
  const padding = pairs(options.padding ?? 0);
  const input: Pair = [height, width];
  const output = ([0, 1] as const).map((axis) => {
    const reach = span({ kernel, dilation }, axis);
    const [before, after] = padding[axis];
    if (before >= reach || after >= reach)
      throw new ShapeError(
        `${operation}: padding ${shownPadding(padding)} leaves windows outside the picture: they span ${reach} positions`,
      );
    const steps = (input[axis] + before + after - reach) / stride[axis];
    const count = (options.ceilMode ? Math.ceil(steps) : Math.floor(steps)) + 1;
    // A window that begins behind the picture would see padding alone.
    return options.ceilMode && (count - 1) * stride[axis] >= input[axis] + before ? count - 1 : count;
  }) as unknown as Pair;
  if (output[0] < 1 || output[1] < 1) {
    const taps = `${kernel.join("x")} kernel${Math.max(...dilation) > 1 ? ` of dilation ${dilation}` : ""}`;
    throw new ShapeError(`${operation}: a ${taps} does not fit [${x.shape}] with padding ${shownPadding(padding)}`);
  }
  const [before, after] = ([0, 1] as const).map((end) => [padding[0][end], padding[1][end]] as const) as [Pair, Pair];
  return { images, input, channels, output, kernel, stride, dilation, before, after, vector: channels % 4 === 0 };
}

/** Margins [before, after] of each axis. */
function pairs(padding: NonNullable<PoolOptions["padding"]>): readonly [Pair, Pair] {
  const [height, width] = typeof padding === "number" ? [padding, padding] : padding;
  const both = (margin: number | Pair): Pair => (typeof margin === "number" ? [margin, margin] : margin);
  return [both(height), both(width)];
}

function shownPadding([height, width]: readonly [Pair, Pair]): string {
  const same = height[0] === height[1] && width[0] === width[1];
  return same ? `${height[0]},${width[0]}` : `[${height}],[${width}]`;
}

/** Channels as the kernels count them. */
export function elements(s: PoolShape): number {
  return s.vector ? s.channels / 4 : s.channels;
}

/** Parameters that all kernels with windows take, by their names there. */
export function windowParameters(s: PoolShape) {
  return {
    in_height: s.input[0],
    in_width: s.input[1],
    channels: elements(s),
    out_height: s.output[0],
    out_width: s.output[1],
    kernel_h: s.kernel[0],
    kernel_w: s.kernel[1],
    stride_h: s.stride[0],
    stride_w: s.stride[1],
    pad_h: s.before[0],
    pad_w: s.before[1],
    end_h: s.input[0] + s.after[0],
    end_w: s.input[1] + s.after[1],
  };
}

export function windowConstants(s: PoolShape) {
  return {
    KERNEL_HEIGHT: s.kernel[0],
    KERNEL_WIDTH: s.kernel[1],
    STRIDE_HEIGHT: s.stride[0],
    STRIDE_WIDTH: s.stride[1],
    DILATION_HEIGHT: s.dilation[0],
    DILATION_WIDTH: s.dilation[1],
    VECTOR: s.vector,
    WORKGROUP: flatWorkgroup,
  };
}

/** Bytes of so many images of the tensors of x and y; positions of x that no tap meets are not looked at. */
export function poolBytes(s: PoolShape, images: number, bytesOfX: number, bytesOfY: number): number {
  const covered = coveredExtent(s, 0) * coveredExtent(s, 1);
  return images * s.channels * (covered * bytesOfX + s.output[0] * s.output[1] * bytesOfY);
}

/** Places of an axis of x that some tap meets. */
function coveredExtent(s: PoolShape, axis: 0 | 1): number {
  const { input, output, kernel, stride, dilation, before } = s;
  if (dilation[axis] > 1) return new Set(placesOfTaps(s, axis)).size;
  const windows = { count: output[axis], stride: stride[axis], taps: kernel[axis], first: -before[axis] };
  return coveredPlaces(input[axis], windows);
}

/** Taps of all windows along an axis that lie inside the picture. */
export function insideTaps(s: PoolShape, axis: 0 | 1): number {
  return placesOfTaps(s, axis).length;
}

function placesOfTaps({ input, output, kernel, stride, dilation, before }: PoolShape, axis: 0 | 1): number[] {
  const places: number[] = [];
  for (let i = 0; i < output[axis]; i++) {
    for (let tap = 0; tap < kernel[axis]; tap++) {
      const place = i * stride[axis] - before[axis] + tap * dilation[axis];
      if (place >= 0 && place < input[axis]) places.push(place);
    }
  }
  return places;
}
