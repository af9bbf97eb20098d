import type { Device } from "../../device/device.ts";
import { rowRanges } from "../../kernel/grid.ts";
import { type DataType, elementBytes, sizeOf, Tensor } from "../../tensor.ts";
import type { Trial } from "../../tune/tuner.ts";
import { coveredPlaces } from "../covered.ts";
import { sumParts } from "../reduce.ts";
import { type Pair, shown, wideTrialFlops } from "./contract.ts";
import type { Tile } from "./tile.ts";
import { weightTiles } from "./tiles.ts";

/** A convolution as its weight gradient sees it. */
export interface WeightContraction {
  readonly images: number;
  readonly input: Pair;
  readonly channels: number;
  readonly output: Pair;
  readonly columns: number;
  /** Channels and columns that hold numbers, where the others are zeros to fill up; all unless given. */
  readonly filled?: Pair;
  readonly kernel: Pair;
  readonly stride: Pair;
  /** Zeros in front of the picture, above and on the left. */
  readonly padding: Pair;
  /** Distance in x between taps; 1 unless given. */
  readonly dilation?: Pair;
  /** Each image has a weight of its own, hence a gradient, of this type: nothing is summed over images. */
  readonly apart?: DataType;
}

/** A multiply-add for every position and every number of the weight; taps that fall outside the picture count too. */
export function weightFlops({ images, output, kernel, channels, columns, filled }: WeightContraction): number {
  const [inner, outer] = filled ?? [channels, columns];
  return 2 * images * output[0] * output[1] * kernel[0] * kernel[1] * inner * outer;
}

/** Workgroups wanted in flight, and lines that a part should at least have: both only bound how the sum is split. */
const wantedWorkgroups = 256;
/** Area in vec4s by vec4s that a workgroup is taken to make when the sum is split. */
const partArea = 128;
const leastLinesPerPart = 8;

/**
 * Gradient of the weight: [kernel, channels, columns] = Σ over positions of x ⊗ dy. The positions are split into parts
 * where the weight alone gives too little parallel work; parts are added in a fixed order. With `apart` it is
 * [images, kernel, channels, columns].
 */
export function contractWeight(x: Tensor, dy: Tensor, shape: WeightContraction): Tensor {
  const { device } = x;
  const { images, input, channels, output, columns, kernel, stride } = shape;
  if (x.size === 0 || dy.size === 0) {
    const weightShape = [...kernel, channels, columns];
    return Tensor.zeros(device, shape.apart ? [images, ...weightShape] : weightShape, shape.apart);
  }
  const tiles = weightTiles(device, (kernel[1] * channels) / 4, columns / 4, [x, dy]);
  const size = 2 ** Math.round(Math.log2(images * output[0]));
  const key = `weight gradient ${kernel.join("x")}x${channels}x${columns}, ${size} lines of ${output[1]} from ${input[1]}, stride ${stride.join()}${(shape.dilation ?? [1]).some((step) => step > 1) ? `, dilated ${shape.dilation}` : ""}${shape.apart ? `, apart ${shape.apart}` : ""} ${x.dtype} ${dy.dtype}`;
  const tile = device.tuner.choose(key, tiles, () => weightTrial(device, shape, [x.dtype, dy.dtype]));
  return runWeightContraction(tile, x, dy, shape);
}

/** A weight gradient of the same shape on tensors of its own, with fewer images when it is large. */
function weightTrial(device: Device, shape: WeightContraction, types: readonly [DataType, DataType]): Trial<Tile> {
  const { input, channels, output, columns, kernel } = shape;
  const flops = 2 * output[0] * output[1] * kernel[0] * kernel[1] * channels * columns;
  const images = Math.min(shape.images, Math.max(1, Math.ceil(wideTrialFlops / flops)));
  const x = Tensor.zeros(device, [images, ...input, channels], types[0]).keep();
  const dy = Tensor.zeros(device, [images, ...output, columns], types[1]).keep();
  return {
    run: (tile) => runWeightContraction(tile, x, dy, { ...shape, images }).dispose(),
    dispose: () => {
      x.dispose();
      dy.dispose();
    },
  };
}

/** Makes the gradient of a weight in a given way. Exported for tests. */
export function runWeightContraction(tile: Tile, x: Tensor, dy: Tensor, shape: WeightContraction): Tensor {
  const { device } = x;
  const columns4 = shape.columns / 4;
  const channels4 = shape.channels / 4;
  const rows4 = shape.kernel[1] * channels4;
  // How the sum is cut decides its bits: by the shape alone, not by the tile.
  const weightShape = [...shape.kernel, shape.channels, shape.columns];
  const weightSize = sizeOf(weightShape);
  const wanted = Math.ceil((wantedWorkgroups * partArea) / (columns4 * rows4 * shape.kernel[0]));
  const wantedParts = Math.min(wanted, Math.floor(device.maximumBindingBytes / (4 * weightSize)));

  const xImage = shape.input[0] * shape.input[1] * shape.channels;
  const dyImage = shape.output[0] * shape.output[1] * shape.columns;
  const { input, output, kernel, stride, padding, dilation = [1, 1] } = shape;
  const [high, wide] = ([0, 1] as const).map((axis) =>
    coveredPlaces(input[axis], {
      count: output[axis],
      stride: stride[axis],
      taps: (kernel[axis] - 1) * dilation[axis] + 1,
      first: -padding[axis],
    }),
  ) as [number, number];
  const pixels = high * wide;
  const ranges = rowRanges(device, shape.images, [xImage, dyImage, ...(shape.apart ? [weightSize] : [])]);
  const calls = ranges.map((range) => {
    if (shape.apart) return { ...range, linesPerPart: shape.output[0], parts: range.count };
    const lines = range.count * shape.output[0];
    const parts = Math.max(1, Math.min(wantedParts, Math.floor(lines / leastLinesPerPart)));
    const linesPerPart = Math.ceil(lines / parts);
    return { ...range, linesPerPart, parts: Math.ceil(lines / linesPerPart) };
  });
  const allParts = calls.reduce((sum, call) => sum + call.parts, 0);
  const parts = Tensor.empty(device, [allParts, ...weightShape], shape.apart);
  let firstPart = 0;
  for (const call of calls) {
    device.kernels.run(
      tile.kernel,
      tile.constants,
      {
        x: shown(tile, "x", x.window(call.start * xImage, call.count * xImage)),
        dy: shown(tile, "dy", dy.window(call.start * dyImage, call.count * dyImage)),
        out: shape.apart ? parts.window(firstPart * weightSize, call.parts * weightSize) : parts.window(),
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
        dilation_h: dilation[0],
        dilation_w: dilation[1],
        lines_per_part: call.linesPerPart,
        first_part: shape.apart ? 0 : firstPart,
      },
      [Math.ceil(columns4 / tile.columns4), Math.ceil(rows4 / tile.rows), shape.kernel[0] * call.parts],
      {
        flops: weightFlops({ ...shape, images: call.count }),
        bytes:
          call.count * (pixels * shape.channels * elementBytes[x.dtype] + dyImage * elementBytes[dy.dtype]) +
          call.parts * weightSize * elementBytes[parts.dtype],
        variant: tile.name,
      },
    );
    firstPart += call.parts;
  }
  return shape.apart ? parts : sumParts(parts, weightShape);
}
