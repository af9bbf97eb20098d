import type { Device } from "../device/device.ts";
import { rowRanges } from "../kernel/grid.ts";
import { Tensor } from "../tensor.ts";
import { sumParts } from "./reduce.ts";

/** Two numbers, for height and width. */
export type Pair = readonly [number, number];

/**
 * A contraction over taps and channels, in the terms of `shaders/conv/tile.wgsl`. Channels and columns are multiples of 4.
 * Matrix products, convolutions and their input gradients are all of this form.
 */
export interface Contraction {
  readonly images: number;
  /** Rows of one image: positions (i, j). */
  readonly grid: Pair;
  readonly input: Pair;
  readonly channels: number;
  readonly columns: number;
  readonly taps: Pair;
  readonly stride: Pair;
  /** Distance in x between taps, 1 or −1. */
  readonly step: number;
  readonly offset: Pair;
  /** First tap in the weight, and the distance to the next one. */
  readonly kernelStart: Pair;
  readonly kernelStep: Pair;
  readonly kernelWidth: number;
  /** Size of the picture that is written, and where a row (i, j) goes in it; absent when rows are written in order. */
  readonly scatter?: { readonly output: Pair; readonly stride: Pair; readonly start: Pair };
}

/** Rows of one workgroup's tile; see section "Kernels" of the engine's notes on what was tried. */
const tileRows = 32;

/** Tile constants for the adapter: lanes along columns, rows broadcast within a subgroup where that is possible. */
function tile(device: Device, rows: number, columns4: number) {
  const lanes = device.subgroupSize;
  if (lanes === 0) return { BROADCAST: false, LANES: 16, ROW_LANES: 1, GROUPS: Math.min(8, rows), COLUMNS: 1 };
  const groups = Math.max(1, Math.min(Math.floor(tileRows / lanes), Math.ceil(rows / lanes)));
  return {
    BROADCAST: true,
    LANES: lanes,
    ROW_LANES: lanes,
    GROUPS: groups,
    COLUMNS: columns4 > lanes && lanes <= 16 ? 2 : 1,
  };
}

/**
 * Writes `out` = x · weight over taps and channels, plus a bias per column when given.
 * x: [images, input, channels], weight: [taps, channels, columns], out: rows by columns.
 */
export function contract(x: Tensor, weight: Tensor, out: Tensor, shape: Contraction, bias?: Tensor): void {
  const { device } = x;
  const columns4 = shape.columns / 4;
  const imageRows = shape.grid[0] * shape.grid[1];
  const xImage = shape.input[0] * shape.input[1] * shape.channels;
  const target = shape.scatter?.output ?? shape.grid;
  const outImage = target[0] * target[1] * shape.columns;
  const { start: outStart = [0, 0], stride: outStride = [1, 1] } = shape.scatter ?? {};
  const config = tile(device, shape.images * imageRows, columns4);
  const rowsPerGroup = config.GROUPS * config.ROW_LANES;
  const mostRows = device.gpu.limits.maxComputeWorkgroupsPerDimension * rowsPerGroup;
  const mostImages = Math.max(1, Math.floor(mostRows / imageRows));
  for (const { start, count } of rowRanges(device, shape.images, [xImage, outImage], mostImages)) {
    const rows = count * imageRows;
    device.kernels.run(
      "conv/tile",
      { ...config, BIAS: bias !== undefined, SCATTER: shape.scatter !== undefined },
      {
        x: x.window(start * xImage, count * xImage),
        weight: weight.window(),
        out: out.window(start * outImage, count * outImage),
        ...(bias && { bias: bias.window() }),
      },
      {
        rows,
        grid_height: shape.grid[0],
        grid_width: shape.grid[1],
        in_height: shape.input[0],
        in_width: shape.input[1],
        channels4: shape.channels / 4,
        columns4,
        taps_h: shape.taps[0],
        taps_w: shape.taps[1],
        stride_h: shape.stride[0],
        stride_w: shape.stride[1],
        step: shape.step,
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
      },
      [Math.ceil(columns4 / (config.LANES * config.COLUMNS)), Math.ceil(rows / rowsPerGroup), 1],
    );
  }
}

/** A convolution as its weight gradient sees it. */
export interface WeightContraction {
  readonly images: number;
  readonly input: Pair;
  readonly channels: number;
  readonly output: Pair;
  readonly columns: number;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
}

/** Workgroups wanted in flight, and lines that a part should at least have: both only bound how the sum is split. */
const wantedWorkgroups = 256;
const leastLinesPerPart = 8;

/**
 * Gradient of the weight: [kernel, channels, columns] = Σ over positions of x ⊗ dy. The positions are split into parts
 * where the weight alone gives too little parallel work; parts are added in a fixed order.
 */
export function contractWeight(x: Tensor, dy: Tensor, shape: WeightContraction): Tensor {
  const { device } = x;
  const columns4 = shape.columns / 4;
  const channels4 = shape.channels / 4;
  const rows4 = shape.kernel[1] * channels4;
  const config = weightTile(device, rows4, columns4);
  const tilesX = Math.ceil(columns4 / (config.LANES * config.COLUMNS));
  const tilesY = Math.ceil(rows4 / (config.ROW_LANES * config.GROUPS));
  const wantedParts = Math.ceil(wantedWorkgroups / (tilesX * tilesY * shape.kernel[0]));

  const xImage = shape.input[0] * shape.input[1] * shape.channels;
  const dyImage = shape.output[0] * shape.output[1] * shape.columns;
  const calls = rowRanges(device, shape.images, [xImage, dyImage]).map((range) => {
    const lines = range.count * shape.output[0];
    const parts = Math.max(1, Math.min(wantedParts, Math.floor(lines / leastLinesPerPart)));
    const linesPerPart = Math.ceil(lines / parts);
    return { ...range, linesPerPart, parts: Math.ceil(lines / linesPerPart) };
  });
  const weightShape = [...shape.kernel, shape.channels, shape.columns];
  const parts = Tensor.empty(device, [calls.reduce((sum, call) => sum + call.parts, 0), ...weightShape]);
  let firstPart = 0;
  for (const call of calls) {
    device.kernels.run(
      "conv/weight_gradient",
      config,
      {
        x: x.window(call.start * xImage, call.count * xImage),
        dy: dy.window(call.start * dyImage, call.count * dyImage),
        out: parts.window(),
      },
      {
        images: call.count,
        in_height: shape.input[0],
        in_width: shape.input[1],
        channels4,
        out_height: shape.output[0],
        out_width: shape.output[1],
        columns4,
        kernel_height: shape.kernel[0],
        kernel_width: shape.kernel[1],
        stride_h: shape.stride[0],
        stride_w: shape.stride[1],
        pad_h: shape.padding[0],
        pad_w: shape.padding[1],
        lines_per_part: call.linesPerPart,
        first_part: firstPart,
      },
      [tilesX, tilesY, shape.kernel[0] * call.parts],
    );
    firstPart += call.parts;
  }
  return sumParts(parts, weightShape);
}

function weightTile(device: Device, rows4: number, columns4: number) {
  const lanes = device.subgroupSize;
  if (lanes === 0) return { BROADCAST: false, LANES: 16, ROW_LANES: 1, GROUPS: Math.min(2, rows4), COLUMNS: 1 };
  const rowLanes = Math.min(lanes, 8);
  return {
    BROADCAST: true,
    LANES: lanes,
    ROW_LANES: rowLanes,
    GROUPS: 1,
    COLUMNS: columns4 > lanes && lanes <= 16 ? 2 : 1,
  };
}
