import {
  type Checks,
  expectArgument,
  expectList,
  expectNames,
  expectOptions,
  extent,
  finite,
  flag,
  object,
  oneOf,
  positive,
  shown,
} from "../../arguments.ts";
import { record } from "../../autograd.ts";
import type { Device } from "../../device/device.ts";
import { flatGrid, flatWorkgroup, greatestCommonDivisor, rowRanges } from "../../kernel/grid.ts";
import { elementBytes, ShapeError, Tensor } from "../../tensor.ts";
import { batchShape, overImages } from "../batch.ts";
import { concat } from "../join.ts";
import { expectOperandList, expectOperands } from "../operands.ts";
import { antialiased, cornersAligned, interpolated, resample } from "./resample.ts";

/**
 * Uploads a picture of interleaved 8-bit RGB and unpacks it on the adapter → [1, H, W, 3] in [0, 1]. Not differentiable.
 * @throws ShapeError when there are not height · width · 3 bytes
 */
export function unpackRgb(
  device: Device,
  pixels: Uint8Array | Uint8ClampedArray,
  height: number,
  width: number,
): Tensor {
  if (!/^Uint8(Clamped)?Array$/.test(Reflect.get(Object(pixels), Symbol.toStringTag)))
    throw new ShapeError(`unpackRgb takes bytes as a Uint8Array, found ${shown(pixels)}`);
  expectExtents("unpackRgb", height, width);
  const y = Tensor.empty(device, [1, height, width, 3]);
  if (pixels.length !== y.size) {
    y.dispose();
    throw new ShapeError(`unpackRgb: a ${height}x${width} picture has ${y.size} bytes, ${pixels.length} were given`);
  }
  const words = Math.ceil(y.size / 4);
  using bytes = Tensor.empty(device, [words], "u32");
  device.stream.upload(bytes.allocation, pixels as Uint8Array<ArrayBuffer>);
  for (const { start, count } of rowRanges(device, words, [1, 4])) {
    device.kernels.run(
      "image/unpack",
      { WORKGROUP: flatWorkgroup },
      { bytes: bytes.window(start, count), y: y.window(4 * start, 4 * count) },
      { count4: count },
      flatGrid(device, count),
      { flops: Math.min(4 * count, y.size - 4 * start) },
    );
  }
  return y;
}

export interface ResizeOptions {
  readonly height: number;
  readonly width: number;
  readonly filter?: "bilinear";
  /** Widen the filter as the picture shrinks, as Pillow and torchvision do (the default), or only interpolate. */
  readonly antialias?: boolean;
  /** Keep the outermost pixels at their places and interpolate between; false unless given. It goes with `antialias` false. */
  readonly alignCorners?: boolean;
}

const resizeChecks: Checks<ResizeOptions> = {
  height: extent,
  width: extent,
  filter: oneOf("bilinear"),
  antialias: flag,
  alignCorners: flag,
};

/**
 * Resizes pictures [N, H, W, C] → [N, height, width, C]; the aspect ratio is not kept. Equal to
 * `interpolate(…, mode="bilinear", antialias=…, align_corners=…)` of PyTorch on floats.
 * @throws ShapeError when height or width is not a whole number of at least 1; RangeError when corners are to be aligned with antialias
 */
export function resize(x: Tensor, options: ResizeOptions): Tensor {
  expectOptions("resize", options, resizeChecks);
  const { height, width, alignCorners = false, antialias = !alignCorners } = options;
  if (alignCorners && antialias)
    throw new RangeError("resize: `alignCorners` only interpolates; give `antialias` false, or leave it out");
  if (alignCorners)
    return resample("resize", x, { height, width }, { name: "bilinear, corners aligned", map: cornersAligned });
  const filter = antialias
    ? { name: "antialiased bilinear", map: antialiased }
    : { name: "bilinear", map: interpolated };
  return resample("resize", x, { height, width }, filter);
}

/** Upper left corner of a part of a picture, in pixels from the top and the left, and whether the part is mirrored. */
export interface CropWindow {
  readonly top: number;
  readonly left: number;
  /** Mirror the part left to right; false unless given. */
  readonly flip?: boolean;
}

const windowNames = { top: true, left: true, flip: true } satisfies Record<keyof CropWindow, true>;

/**
 * Cuts one part out of each picture and mirrors it where asked. x: [N, H, W, C] → [N, height, width, C].
 * @param windows one for each picture
 * @throws ShapeError when there are not N windows or one does not lie inside its picture
 */
export function cropAndFlip(x: Tensor, windows: readonly CropWindow[], height: number, width: number): Tensor {
  const [images, inHeight, inWidth] = batchShape("cropAndFlip", x);
  expectExtents("cropAndFlip", height, width);
  expectList("cropAndFlip", "windows", windows, object);
  for (const window of windows) expectNames("a window of cropAndFlip", window, windowNames);
  if (windows.length !== images) throw new ShapeError(`cropAndFlip: ${windows.length} windows for ${images} pictures`);
  windows.forEach(({ top, left }, n) => {
    const whole = Number.isInteger(top) && Number.isInteger(left);
    if (!whole || top < 0 || left < 0 || top + height > inHeight || left + width > inWidth) {
      throw new ShapeError(
        `cropAndFlip: picture ${n}: a ${height}x${width} window at top ${shown(top)}, left ${shown(left)} is not inside ${inHeight}x${inWidth}`,
      );
    }
  });
  const y = copyWindows(
    x,
    height,
    width,
    windows.map(({ top, left, flip }) => (flip ? [top, left + width - 1, -1] : [top, left, 1])),
  );
  // dx[top + i, left + j] = dy[i, j], mirrored where x was, and 0 outside of the window
  return record("cropAndFlip", [x], y, (dy) => {
    const back = windows.map(({ top, left, flip }) => (flip ? [-top, left + width - 1, -1] : [-top, -left, 1]));
    return [copyWindows(dy, inHeight, inWidth, back)];
  });
}

/** Runs image/window; `places` are (row, column, step) for each picture. */
function copyWindows(x: Tensor, height: number, width: number, places: readonly (readonly number[])[]): Tensor {
  const [images, inHeight, inWidth, channels] = batchShape("window", x);
  const { device } = x;
  const vector = channels % 4 === 0;
  const elements = vector ? channels / 4 : channels;
  const numbers = Int32Array.from(places.flatMap(([row, column, step]) => [row!, column!, step!, 0]));
  using table = Tensor.from(device, numbers, [images, 4]);
  const y = Tensor.like(x, [images, height, width, channels]);
  overImages({ x, y }, { places: table }, ({ windows, grid, firstImage, images }) => {
    const read = places.slice(firstImage, firstImage + images).reduce((sum, [row, column, step]) => {
      const rows = within(row!, row! + height, inHeight);
      const first = step! > 0 ? column! : column! - width + 1;
      return sum + rows * within(first, first + width, inWidth) * channels;
    }, 0);
    const written = images * height * width * channels;
    device.kernels.run(
      "image/window",
      { VECTOR: vector, WORKGROUP: flatWorkgroup },
      windows,
      {
        in_height: inHeight,
        in_width: inWidth,
        channels: elements,
        out_height: height,
        out_width: width,
        first_image: firstImage,
      },
      grid(width * elements, height),
      { bytes: elementBytes[x.dtype] * (read + written) + table.sizeBytes },
    );
  });
  return y;
}

/** Places from `start` to before `end` that lie within 0 … extent − 1. */
function within(start: number, end: number, extent: number): number {
  return Math.max(0, Math.min(end, extent) - Math.max(start, 0));
}

/** Mirrors pictures [N, H, W, C] left to right: all of them, or those for which `flips` is true. */
export function flipHorizontal(x: Tensor, flips?: readonly boolean[]): Tensor {
  const [images, height, width] = batchShape("flipHorizontal", x);
  if (flips) expectList("flipHorizontal", "flips", flips, flag);
  if (flips && flips.length !== images) {
    throw new ShapeError(`flipHorizontal: ${flips.length} flags for ${images} pictures`);
  }
  const windows = Array.from({ length: images }, (_, n) => ({ top: 0, left: 0, flip: flips?.[n] ?? true }));
  return cropAndFlip(x, windows, height, width);
}

/** The middle of pictures [N, H, W, C] → [N, height, width, C]; an odd margin is smaller above and on the left. */
export function centerCrop(x: Tensor, height: number, width: number): Tensor {
  const [images, inHeight, inWidth] = batchShape("centerCrop", x);
  expectExtents("centerCrop", height, width);
  const window = { top: Math.floor((inHeight - height) / 2), left: Math.floor((inWidth - width) / 2) };
  return cropAndFlip(x, Array(images).fill(window), height, width);
}

/**
 * (x − mean) / deviation for each channel. x: […, C].
 * @throws ShapeError when there are not C means and deviations, or a deviation is not above 0
 */
export function normalise(x: Tensor, mean: readonly number[], deviation: readonly number[]): Tensor {
  expectOperands("normalise", { x });
  expectList("normalise", "the means", mean, finite);
  expectList("normalise", "the deviations", deviation, positive);
  const channels = x.shape.at(-1);
  if (channels !== mean.length || channels !== deviation.length) {
    throw new ShapeError(
      `normalise: ${mean.length} means and ${deviation.length} deviations for an ${x.dtype} tensor [${x.shape}]`,
    );
  }
  const factors = deviation.map((d) => 1 / d);
  const zeros = mean.map(() => 0);
  // dx = dy / deviation
  return record(["normalise", { mean, deviation }], [x], perChannel(x, mean, factors), (dy) => [
    perChannel(dy, zeros, factors),
  ]);
}

/** (x − mean_c) · factor_c. Not recorded. */
function perChannel(x: Tensor, means: readonly number[], factors: readonly number[]): Tensor {
  const { device } = x;
  const period = means.length / greatestCommonDivisor(means.length, 4);
  const tiled = (values: readonly number[]) => Array.from({ length: 4 * period }, (_, i) => values[i % values.length]!);
  using table = Tensor.constant(device, [...tiled(means), ...tiled(factors)], [2, 4 * period]);
  const y = Tensor.like(x);
  for (const { start, count } of rowRanges(device, Math.ceil(x.size / 4), [4])) {
    device.kernels.run(
      "image/normalise",
      { PERIOD: period, WORKGROUP: flatWorkgroup },
      { x: x.window(4 * start, 4 * count), table: table.window(), y: y.window(4 * start, 4 * count) },
      { count4: count, phase: start % period },
      flatGrid(device, count),
      { flops: 2 * Math.min(4 * count, x.size - 4 * start) },
    );
  }
  return y;
}

/**
 * Puts pictures [1, H, W, C] of one size into a batch [N, H, W, C], in order.
 * @throws ShapeError when there are none, or their shapes differ
 */
export function stack(images: readonly Tensor[]): Tensor {
  expectOperandList("stack", images);
  const first = images[0]!;
  const [leading] = batchShape("stack", first);
  for (const image of images) {
    if (leading !== 1 || image.shape.join() !== first.shape.join()) {
      throw new ShapeError(
        `stack takes pictures [1, H, W, C] of one size, found [${first.shape}] and [${image.shape}]`,
      );
    }
  }
  return concat(images);
}

function expectExtents(operation: string, height: number, width: number): void {
  expectArgument(operation, "the height", height, extent);
  expectArgument(operation, "the width", width, extent);
}
