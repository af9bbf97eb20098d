import { flatGrid, flatWorkgroup } from "../../engine/kernel/grid.ts";
import { keys } from "../../engine/ops/pictures/bicubic.ts";
import { type Resampling, resample, resampling } from "../../engine/ops/pictures/resample.ts";
import { sumAxis } from "../../engine/ops/reduce.ts";
import { ShapeError, Tensor } from "../../engine/tensor.ts";
import { gaussianWindow } from "../metrics/gaussian-window.ts";

/** Of the window of local means and deviations: a Gaussian of standard deviation 7/6 over 7 x 7 pixels. */
const side = 7;
const deviation = 7 / 6;

/** Rows of a block that one invocation adds up. */
const spanRows = 96;

/** Sums of one signal in one block, from which its distribution is fitted. */
export interface Moments {
  /** Numbers below 0: the sum of their squares, and how many they are. */
  readonly negativeSquares: number;
  readonly negatives: number;
  readonly positiveSquares: number;
  readonly positives: number;
  /** Of |v|. */
  readonly magnitudes: number;
  /** All numbers, those that are 0 among them. */
  readonly count: number;
}

/** Moments of the five signals of a block: MSCN coefficients, and their products with neighbours right, below and on both diagonals. */
export type BlockMoments = readonly Moments[];

export interface StatisticsOptions {
  /**
   * Side of the blocks at full size, an even number; what is left over at the right and below is cut off first. Without it the whole
   * picture is one block.
   */
  readonly block?: number;
  /** What lies outside of the picture for the window: its rim repeated, or 0. */
  readonly border: "repeat" | "zero";
}

/** [scale][block]: of the picture and of its half size. */
export interface SceneStatistics {
  readonly scales: readonly (readonly BlockMoments[])[];
  /** Mean local deviation of grey values (0 … 255) in each block at full size, where asked for. */
  readonly sharpness?: readonly number[];
}

/**
 * Statistics of natural scenes (Mittal, Moorthy & Bovik 2012; Mittal, Soundararajan & Bovik 2013) at two scales, on grey values as
 * MATLAB's rgb2gray gives them. The half size is that of MATLAB's imresize: cubic, antialiased, the rim mirrored. All that runs
 * through pixels does so on the device, summed in a fixed order; the read-back is 25 numbers a block and scale.
 * @param picture [1, H, W, 3] in [0, 1]
 * @throws ShapeError for another shape, or when the grey values do not fit one binding of the adapter
 */
export async function sceneStatistics(
  picture: Tensor,
  options: StatisticsOptions,
  withSharpness = false,
): Promise<SceneStatistics> {
  const [, height, width] = expectPicture(picture);
  const { block, border } = options;
  const cut = (length: number) => (block === undefined ? length : Math.floor(length / block) * block);
  const { device } = picture;
  const started = device.scope(() => {
    const full = greyValues(picture, cut(height), cut(width));
    const half = halfSize(full);
    const scales = [full, half].map((grey, scale) => {
      const [, rows, columns] = grey.shape as [number, number, number, number];
      const own = block === undefined ? { height: rows, width: columns } : squareOf(block / (scale + 1));
      return { sums: momentSums(normalised(grey, border, "mscn"), own).read(), count: own.height * own.width };
    });
    const sharpness = withSharpness && block ? blockSums(normalised(full, border, "deviation"), block).read() : null;
    return { scales, sharpness };
  });
  const [sharpness, ...sums] = await Promise.all([started.sharpness, ...started.scales.map((scale) => scale.sums)]);
  return {
    scales: sums.map((numbers, scale) => momentsOf(numbers!, started.scales[scale]!.count)),
    ...(sharpness && { sharpness: Array.from(sharpness, (sum) => sum / block! ** 2) }),
  };
}

const squareOf = (length: number) => ({ height: length, width: length });

/** @throws ShapeError */
export function expectPicture(picture: Tensor): [number, number, number, number] {
  const [images, , , channels] = picture.shape;
  if (picture.rank === 4 && images === 1 && channels === 3)
    return picture.shape as unknown as [number, number, number, number];
  throw new ShapeError(`a picture [1, H, W, 3] is expected, found [${picture.shape}]`);
}

/** Grey values 0 … 255 of the upper left part, [1, height, width, 1]. */
function greyValues(picture: Tensor, height: number, width: number): Tensor {
  const { device } = picture;
  const y = Tensor.empty(device, [1, height, width, 1]);
  device.kernels.run(
    "statistics/grey",
    { WORKGROUP: flatWorkgroup },
    { x: picture.window(), y: y.window() },
    { height, width, row: picture.shape[2]! },
    flatGrid(device, y.size),
    // Three samples to bytes (4 each)
    { flops: 12 * y.size },
  );
  return y;
}

/** MSCN coefficients, or local deviations, of grey values [1, H, W, 1] → the same shape. */
export function normalised(grey: Tensor, border: StatisticsOptions["border"], output: "mscn" | "deviation"): Tensor {
  const { device } = grey;
  const [, height, width] = grey.shape as [number, number, number, number];
  const y = Tensor.empty(device, grey.shape);
  const weights = Tensor.from(device, gaussianWindow(side, deviation), [side + 3, side, 4]);
  const columns = Math.ceil(height / 4) * width;
  device.kernels.run(
    "statistics/mscn",
    { BORDER: border, OUTPUT: output, WORKGROUP: flatWorkgroup },
    { x: grey.window(), weights: weights.window(), y: y.window() },
    { height, width, side },
    flatGrid(device, columns),
    // At each of 70 taps four differences, products and two sums (5 · 4); then the deviation and the quotient (5 · 4)
    { flops: columns * ((side + 3) * side * 20 + 20) },
  );
  weights.dispose();
  return y;
}

/** Sums of the signals in blocks [height, width] → [blocks, 25]. */
function momentSums(x: Tensor, { height, width }: { readonly height: number; readonly width: number }): Tensor {
  const { device } = x;
  const [, rows, row] = x.shape as [number, number, number, number];
  const across = Math.floor(row / width);
  const blocks = across * Math.floor(rows / height);
  const parts = Math.ceil(height / spanRows) * width;
  const y = Tensor.empty(device, [blocks, parts, 25]);
  device.kernels.run(
    "statistics/moments",
    { WORKGROUP: flatWorkgroup },
    { x: x.window(), y: y.window() },
    { blocks, across, height, width, row, rows: spanRows },
    flatGrid(device, blocks * parts),
    // Four products; squares, magnitudes and five sums of five signals (7 · 5)
    { flops: 39 * blocks * height * width, bytes: 4 * (blocks * height * width + y.size) },
  );
  return sumAxis(y, blocks, parts, 25);
}

/** Sums over blocks → [blocks]. */
function blockSums(x: Tensor, block: number): Tensor {
  const [, rows, columns] = x.shape as [number, number, number, number];
  const [down, across] = [rows / block, columns / block];
  const byRow = sumAxis(x, down, block, columns);
  return sumAxis(byRow, down * across, block, 1);
}

function momentsOf(sums: ArrayLike<number>, count: number): BlockMoments[] {
  const signals = 5;
  return Array.from({ length: sums.length / (5 * signals) }, (_, block) =>
    Array.from({ length: signals }, (_, signal) => {
      const at = (moment: number) => sums[25 * block + signals * moment + signal]!;
      return {
        negativeSquares: at(0),
        negatives: at(1),
        positiveSquares: at(2),
        positives: at(3),
        magnitudes: at(4),
        count,
      };
    }),
  );
}

/** Grey values [1, H, W, 1] at half their size, ⌈H/2⌉ x ⌈W/2⌉, as MATLAB's imresize(x, 0.5) makes them. */
export function halfSize(grey: Tensor): Tensor {
  const [, height, width] = grey.shape as [number, number, number, number];
  const half = { height: Math.ceil(height / 2), width: Math.ceil(width / 2) };
  return resample("halfSize", grey, half, { name: "half bicubic", map: halved });
}

/** Output i looks at the eight inputs around 2i + ½ with the cubic kernel of Keys (a = −½) stretched by 2; the rim is mirrored. */
function halved(inputs: number, outputs: number): Resampling {
  const taps = Array.from({ length: 8 }, (_, t) => keys((t - 3.5) / 2, -0.5));
  const total = taps.reduce((sum, weight) => sum + weight, 0);
  const mirrored = (at: number) => {
    const place = ((at % (2 * inputs)) + 2 * inputs) % (2 * inputs);
    return place < inputs ? place : 2 * inputs - 1 - place;
  };
  return resampling(inputs, outputs, (i) => {
    const places = taps.map((_, t) => mirrored(2 * i - 3 + t));
    const first = Math.min(...places);
    const weights: number[] = Array(Math.max(...places) - first + 1).fill(0);
    places.forEach((place, t) => {
      weights[place - first]! += taps[t]! / total;
    });
    return { first, weights };
  });
}
