import type { Device } from "../../device/device.ts";
import type { KernelArgument } from "../../kernel/argument.ts";
import { rowRanges } from "../../kernel/grid.ts";
import { type DataType, elementBytes, Tensor } from "../../tensor.ts";
import type { Trial } from "../../tune/tuner.ts";
import { coveredPlaces } from "../covered.ts";
import { matrixTiles, matrixUnitFor } from "./matrix-tiles.ts";
import type { Tile } from "./tile.ts";
import { contractionTiles } from "./tiles.ts";

/** Two numbers, for height and width. */
export type Pair = readonly [number, number];

/**
 * A contraction over taps and channels, in the terms of `shaders/conv/tile.wgsl`. Channels and columns are multiples of 4.
 * Matrix products, convolutions and their input gradients are all of this form.
 */
export interface Contraction {
  /** Contractions of this form that are made at once, each with an x, a weight and an output of its own; 1 unless given. */
  readonly entries?: number;
  readonly images: number;
  /** Rows of one image: positions (i, j). */
  readonly grid: Pair;
  readonly input: Pair;
  readonly channels: number;
  /** Numbers from one position of x to the next in its line, a multiple of 4; the channels unless given. Fewer overlap. */
  readonly pixel?: number;
  readonly columns: number;
  /** Channels and columns that hold numbers, where the others are zeros to fill up; all unless given. */
  readonly filled?: Pair;
  readonly taps: Pair;
  readonly stride: Pair;
  /** Distance in x between taps, which may be negative. */
  readonly step: Pair;
  readonly offset: Pair;
  /** First tap in the weight, and the distance to the next one. */
  readonly kernelStart: Pair;
  readonly kernelStep: Pair;
  readonly kernelWidth: number;
  /** Size of the picture that is written, and where a row (i, j) goes in it; absent when rows are written in order. */
  readonly scatter?: { readonly output: Pair; readonly stride: Pair; readonly start: Pair };
}

/** Matrix products [rows, channels] · [channels, columns], `entries` of them: contractions without taps. */
export function matrixProduct(
  shape: Pick<Contraction, "entries" | "channels" | "columns" | "filled"> & { readonly rows: number },
): Contraction {
  const { rows, ...rest } = shape;
  const [one, none]: [Pair, Pair] = [
    [1, 1],
    [0, 0],
  ];
  const still = { grid: one, input: one, taps: one, stride: one, step: one, offset: none };
  return { ...rest, ...still, images: rows, kernelStart: none, kernelStep: one, kernelWidth: 1 };
}

/** A multiply-add for every tap, channel and column of every row; taps that fall outside the picture count too. */
export function contractionFlops({ entries = 1, images, grid, channels, columns, taps, filled }: Contraction): number {
  const [inner, outer] = filled ?? [channels, columns];
  return 2 * entries * images * grid[0] * grid[1] * taps[0] * taps[1] * inner * outer;
}

/** Bytes of x under the taps, of the taps of the weight, of the rows that are written, and of the epilogue. */
function contractionBytes(
  x: Tensor,
  weight: Tensor,
  out: Tensor,
  shape: Contraction,
  { bias, norm }: Epilogue,
): number {
  const { entries = 1, images, grid, channels, columns, taps } = shape;
  const [bytesOfX, bytesOfWeight, bytesOfOut] = [x, weight, out].map(({ dtype }) => elementBytes[dtype]);
  const inner = taps[0] * taps[1] * channels;
  const perImage = pixelsUnderTaps(shape) * (shape.pixel ?? channels) * bytesOfX!;
  const rows = images * grid[0] * grid[1];
  const epilogue = 4 * columns * ((bias ? 1 : 0) + (norm ? 4 : 0));
  return entries * (images * perImage + inner * columns * bytesOfWeight! + rows * columns * bytesOfOut!) + epilogue;
}

/** Pixels of one image that some tap meets. Those that lie closer than they are long overlap: then all. */
function pixelsUnderTaps({ input, grid, channels, pixel = channels, taps, stride, step, offset }: Contraction): number {
  if (pixel !== channels) return input[0] * input[1];
  const along = (axis: 0 | 1) => {
    const reach = (taps[axis] - 1) * step[axis];
    const first = offset[axis] + Math.min(0, reach);
    return coveredPlaces(input[axis], { count: grid[axis], stride: stride[axis], taps: Math.abs(reach) + 1, first });
  };
  return along(0) * along(1);
}

/** What a contraction ends with, before it is written: y = activation(norm(x · weight + bias)). */
export interface Epilogue {
  /** [columns] */
  readonly bias?: Tensor | undefined;
  /** scale · (· − mean) · inverse + shift; moments: [2, columns] = (mean, inverse), the others [columns]. */
  readonly norm?: { readonly moments: Tensor; readonly scale: Tensor; readonly shift: Tensor } | undefined;
  readonly activation?: "relu" | "relu6" | undefined;
}

/**
 * Writes `out` = x · weight over taps and channels, through the epilogue.
 * x: [images, input, channels], weight: [taps, channels, columns], out: rows by columns, each [entries, …] with entries.
 */
export function contract(x: Tensor, weight: Tensor, out: Tensor, shape: Contraction, epilogue: Epilogue = {}): void {
  if (out.size === 0) return;
  const { device } = x;
  const rows = shape.images * shape.grid[0] * shape.grid[1];
  const tiles = tilesFor(device, shape, rows, x.dtype, weight);
  const unit = tiles[0]!.unit ? ` ${tiles[0]!.unit}` : "";
  const key = `contraction ${describe(shape, rows)} ${x.dtype} ${weight.dtype} ${out.dtype}${unit}`;
  const tile = device.tuner.choose(key, tiles, () =>
    contractionTrial(device, shape, [x.dtype, weight.dtype, out.dtype]),
  );
  runContraction(tile, x, weight, out, shape, epilogue);
}

/** Ways with the same bits: those with subgroup matrices where the device has some for this shape, else the plain ones. */
function tilesFor(device: Device, shape: Contraction, rows: number, x: DataType, weight: Tensor): Tile[] {
  const columns4 = shape.columns / 4;
  // The kernel with matrices has no entries.
  const single = (shape.entries ?? 1) === 1;
  const unit = single ? matrixUnitFor(device, x, rows, shape.columns, shape.channels) : undefined;
  const matrices = unit ? matrixTiles(device, unit, rows, columns4, [x, weight.dtype]) : [];
  return matrices.length > 0 ? matrices : contractionTiles(device, rows, columns4, weight);
}

/** What the time of a contraction depends on; numbers of rows that differ by less than a factor of two are alike. */
function describe(shape: Contraction, rows: number): string {
  const { entries = 1, grid, channels, pixel = channels, columns, taps, stride, scatter } = shape;
  const size = 2 ** Math.round(Math.log2(rows));
  const times = entries > 1 ? `${2 ** Math.round(Math.log2(entries))} times ` : "";
  return `${times}${size}x${columns} of ${taps.join("x")}x${channels}${pixel < channels ? ` every ${pixel}` : ""}, lines of ${grid[1]}, stride ${stride.join()}${scatter ? ", scattered" : ""}`;
}

/** Arithmetic of one run of a trial, at most about: more says no more. */
const trialFlops = 2e8;
/** Enough images or entries that operands do not stay in the cache where those of the real run would not. */
export const wideTrialFlops = 6e8;

/** A contraction of the same shape on tensors of its own, with fewer images when it is large. */
function contractionTrial(
  device: Device,
  shape: Contraction,
  types: readonly [DataType, DataType, DataType],
): Trial<Tile> {
  const { grid, input, channels, pixel = channels, columns, taps } = shape;
  const flops = 2 * grid[0] * grid[1] * taps[0] * taps[1] * channels * columns;
  const images = Math.min(shape.images, Math.max(1, Math.ceil(trialFlops / flops)));
  const entries = Math.min(shape.entries ?? 1, Math.max(1, Math.ceil(wideTrialFlops / (flops * images))));
  const target = shape.scatter?.output ?? grid;
  // A stride beyond the kernel leaves positions that no tap meets.
  const height = Math.max(1, shape.kernelStart[0] + (taps[0] - 1) * shape.kernelStep[0] + 1);
  const tensor = (extents: readonly number[], dtype: DataType) => Tensor.zeros(device, extents, dtype).keep();
  const x = tensor([entries, images, ...input, pixel], types[0]);
  const weight = tensor([entries, height, shape.kernelWidth, channels, columns], types[1]);
  const out = tensor([entries, images, ...target, columns], types[2]);
  return {
    run: (tile) => runContraction(tile, x, weight, out, { ...shape, entries, images }, {}),
    dispose: () => {
      for (const own of [x, weight, out]) own.dispose();
    },
  };
}

/** Runs a contraction in a given way. Exported for the check of subgroup matrices. */
export function runContraction(
  tile: Tile,
  x: Tensor,
  weight: Tensor,
  out: Tensor,
  shape: Contraction,
  { bias, norm, activation }: Epilogue,
): void {
  const { device } = x;
  const columns4 = shape.columns / 4;
  const imageRows = shape.grid[0] * shape.grid[1];
  const { pixel = shape.channels } = shape;
  const xImage = shape.input[0] * shape.input[1] * pixel;
  const target = shape.scatter?.output ?? shape.grid;
  const outImage = target[0] * target[1] * shape.columns;
  const { start: outStart = [0, 0], stride: outStride = [1, 1] } = shape.scatter ?? {};
  const { entries = 1, images } = shape;
  // A batch is cut between its entries, a single contraction between its images.
  const single = entries === 1;
  const [xSize, weightSize, outSize] = single
    ? [xImage, 0, outImage]
    : [images * xImage, weight.size / entries, images * outImage];
  const ranges = single
    ? rowRanges(device, images, [xSize, outSize])
    : rowRanges(device, entries, [xSize, weightSize, outSize]);
  for (const { start, count } of ranges) {
    const rows = (single ? count : images) * imageRows;
    const part = { ...shape, ...(single ? { images: count } : { entries: count }) };
    device.kernels.run(
      tile.kernel,
      {
        ...tile.constants,
        BIAS: bias !== undefined,
        NORM: norm !== undefined,
        ACTIVATION: activation ?? "none",
        SCATTER: shape.scatter !== undefined,
      },
      {
        x: x.window(start * xSize, count * xSize),
        weight: shown(tile, "weight", single ? weight.window() : weight.window(start * weightSize, count * weightSize)),
        out: out.window(start * outSize, count * outSize),
        ...(bias && { bias: bias.window() }),
        ...(norm && { moments: norm.moments.window(), scale: norm.scale.window(), shift: norm.shift.window() }),
      },
      {
        rows,
        grid_height: shape.grid[0],
        grid_width: shape.grid[1],
        in_height: shape.input[0],
        in_width: shape.input[1],
        channels4: shape.channels / 4,
        pixel4: pixel / 4,
        columns4,
        taps_h: shape.taps[0],
        taps_w: shape.taps[1],
        stride_h: shape.stride[0],
        stride_w: shape.stride[1],
        step_h: shape.step[0],
        step_w: shape.step[1],
        offset_h: shape.offset[0],
        offset_w: shape.offset[1],
        kernel_h0: shape.kernelStart[0],
        kernel_w0: shape.kernelStart[1],
        kernel_step_h: shape.kernelStep[0],
        kernel_step_w: shape.kernelStep[1],
        kernel_width: shape.kernelWidth,
        out_height: target[0],
        out_width: target[1],
        out_stride_h: outStride[0],
        out_stride_w: outStride[1],
        out_h0: outStart[0],
        out_w0: outStart[1],
        x_entry: xSize / 4,
        weight_entry: weightSize / 4,
        out_entry: outSize / 4,
      },
      [Math.ceil(columns4 / tile.columns4), Math.ceil(rows / tile.rows), single ? 1 : count],
      {
        flops: contractionFlops(part),
        bytes: contractionBytes(x, weight, out, part, { bias, norm }),
        variant: tile.name,
      },
    );
  }
}

/** An argument as the tile reads it. */
export function shown({ textures }: Tile, name: string, argument: KernelArgument): KernelArgument {
  return textures?.includes(name) ? { ...argument, texture: true } : argument;
}
