import type { Device } from "../../device/device.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../../kernel/grid.ts";
import { elementBytes, Tensor } from "../../tensor.ts";
import { contract, type Epilogue, matrixProduct, type Pair } from "./contract.ts";

/** A convolution as Winograd's method sees it. Channels and columns are multiples of 4. */
export interface WinogradShape {
  readonly images: number;
  readonly input: Pair;
  readonly channels: number;
  readonly output: Pair;
  readonly columns: number;
  /** Row and column of x under the first tap of the first output: minus the padding. */
  readonly offset: Pair;
}

/** Side of the piece of x behind one tile: 4 makes 2 x 2 outputs, F(2 x 2, 3 x 3); 6 makes 4 x 4, F(4 x 4, 3 x 3). */
export type TileSize = 4 | 6;

/** What the choice depends on. */
export interface WinogradChoice {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly output: Pair;
  readonly channels: number;
  readonly columns: number;
}

/** What one transformed number costs, in multiply-adds of a matrix product. Measured on software adapters. */
const costOfNumber = 60;
/** The transformed weight is taken to serve so many images. The real number must not count: see {@link tileSize}. */
const imagesOfWeight = 8;
/** Most bytes of one piece of transformed tiles, so that what one kernel writes is in a cache when the next one reads it. */
const pieceBytes = 2 ** 22;

/**
 * Which tiles a convolution is made with, or undefined where its sum over taps is cheaper. A function of sides and
 * channels alone: neither time, which would have the bits of a result depend on a measurement, nor the number of images,
 * which would have a picture's result depend on what it shares a batch with.
 *
 * Multiply-adds of one image, over channels · columns, with T tiles: 9 · output directly, against
 * size² · T + costOfNumber · size² · (T / channels + T / columns + 1 / imagesOfWeight).
 */
export function tileSize(device: Device, shape: WinogradChoice): TileSize | undefined {
  const { kernel, stride, output, channels, columns } = shape;
  // Matrix units do the sum over taps in less time than the transforms take.
  if (device.matrixUnits.length > 0) return undefined;
  if (!device.winograd || kernel.some((extent) => extent !== 3) || stride.some((step) => step !== 1)) return undefined;
  let least = 9 * output[0] * output[1];
  let best: TileSize | undefined;
  for (const size of [4, 6] as const) {
    const [h, w] = tileGrid(size, output);
    const tiles = h * w;
    const cost = size ** 2 * (tiles + costOfNumber * (tiles / channels + tiles / columns + 1 / imagesOfWeight));
    const largest = 4 * size ** 2 * Math.max(channels * columns, channels, columns);
    if (cost >= least || largest > device.maximumBindingBytes) continue;
    least = cost;
    best = size;
  }
  return best;
}

/** Floating-point operations of `filtered` in the three kernels: on a line of x, of the kernel, of the products. */
const lineFlops = {
  4: { input: 4, weight: 6, output: 4 },
  6: { input: 22, weight: 13, output: 16 },
} as const;

/**
 * Floating-point operations of the transforms of one channel: Bᵀ · d · B of a tile goes through `size` columns and as many
 * rows, G · g · Gᵀ of a kernel through 3 columns and `size` rows, Aᵀ · M · A through `size` columns and `size` − 2 rows.
 */
export function transformFlops(size: TileSize): {
  readonly input: number;
  readonly weight: number;
  readonly output: number;
} {
  const { input, weight, output } = lineFlops[size];
  return { input: 2 * size * input, weight: (3 + size) * weight, output: (size + size - 2) * output };
}

/** Arithmetic of the matrix products for one image. */
export function winogradFlops(size: TileSize, { output, channels, columns }: WinogradChoice): number {
  const [h, w] = tileGrid(size, output);
  return 2 * size ** 2 * h * w * channels * columns;
}

/** Tiles of one image, down and across. */
function tileGrid(size: TileSize, output: Pair): Pair {
  return [Math.ceil(output[0] / (size - 2)), Math.ceil(output[1] / (size - 2))];
}

/**
 * Writes `out` = x ⋆ weight through the epilogue by Winograd's minimal filtering: with tiles d of x and a 3 x 3 kernel g,
 * out = Aᵀ · Σ_channels ((G · g · Gᵀ) ∘ (Bᵀ · d · B)) · A, where the sums are size² matrix products of transformed tiles
 * and transformed kernels. What is transformed is f32 whatever the storage of x.
 * Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.
 * @param x [images, input, channels]
 * @param weight [3, 3, channels, columns], or, `turned`, [3, 3, columns, channels] taken back to front: an input gradient
 * @param out [images, output, columns]
 */
export function winograd(
  size: TileSize,
  x: Tensor,
  weight: Tensor,
  out: Tensor,
  shape: WinogradShape,
  { turned = false, ...epilogue }: Epilogue & { readonly turned?: boolean } = {},
): void {
  const { device } = x;
  const { images, channels, columns, output } = shape;
  const grid = tileGrid(size, output);
  const imageTiles = grid[0] * grid[1];
  const [xImage, outImage] = [x.size / images, out.size / images];
  const bytes = Math.min(pieceBytes, device.maximumBindingBytes);
  const most = Math.max(1, Math.floor(bytes / (4 * size ** 2 * Math.max(channels, columns))));
  const held = Math.min(most, images * imageTiles);
  const kernels = transformedKernels(size, weight, [channels, columns], turned);
  const pieces = Tensor.empty(device, [size ** 2, held, channels]);
  const products = Tensor.empty(device, [size ** 2, held, columns]);
  for (const { start, count } of rowRanges(device, images, [xImage, outImage])) {
    const all = count * imageTiles;
    const perPiece = Math.ceil(all / Math.ceil(all / most));
    for (let first = 0; first < all; first += perPiece) {
      const tiles = Math.min(perPiece, all - first);
      const places = { first_tile: first, tiles, tiles_h: grid[0], tiles_w: grid[1] };
      device.kernels.run(
        "winograd/input",
        { SIZE: size, WORKGROUP: flatWorkgroup },
        { x: x.window(start * xImage, count * xImage), transformed: pieces.window() },
        {
          ...places,
          in_height: shape.input[0],
          in_width: shape.input[1],
          channels,
          offset_h: shape.offset[0],
          offset_w: shape.offset[1],
        },
        flatGrid(device, tiles * channels),
        {
          flops: transformFlops(size).input * tiles * channels,
          bytes: (tiles / all) * count * xImage * elementBytes[x.dtype] + 4 * size ** 2 * tiles * channels,
        },
      );
      contract(pieces, kernels, products, matrixProduct({ entries: size ** 2, rows: tiles, channels, columns }));
      const written = (tiles / all) * count * outImage * elementBytes[out.dtype];
      writeOutputs(size, products, out.window(start * outImage, count * outImage), shape, places, written, epilogue);
    }
  }
}

function writeOutputs(
  size: TileSize,
  products: Tensor,
  out: ReturnType<Tensor["window"]>,
  { output, columns }: WinogradShape,
  places: { readonly first_tile: number; readonly tiles: number; readonly tiles_h: number; readonly tiles_w: number },
  writtenBytes: number,
  { bias, norm, activation }: Epilogue,
): void {
  const { device } = products;
  device.kernels.run(
    "winograd/output",
    {
      SIZE: size,
      OUTPUTS: size - 2,
      BIAS: bias !== undefined,
      NORM: norm !== undefined,
      ACTIVATION: activation ?? "none",
      WORKGROUP: flatWorkgroup,
    },
    {
      products: products.window(),
      out,
      ...(bias && { bias: bias.window() }),
      ...(norm && { moments: norm.moments.window(), scale: norm.scale.window(), shift: norm.shift.window() }),
    },
    { ...places, out_height: output[0], out_width: output[1], columns },
    flatGrid(device, places.tiles * columns),
    {
      flops: transformFlops(size).output * places.tiles * columns,
      bytes: 4 * (size ** 2 * places.tiles + (bias ? 1 : 0) + (norm ? 4 : 0)) * columns + writtenBytes,
    },
  );
}

/** [size², rows, columns]: G · g · Gᵀ of all kernels g. */
function transformedKernels(size: TileSize, weight: Tensor, [rows, columns]: Pair, turned: boolean): Tensor {
  const { device } = weight;
  const transformed = Tensor.empty(device, [size ** 2, rows, columns]);
  device.kernels.run(
    "winograd/weight",
    { SIZE: size, TURNED: turned, WORKGROUP: flatWorkgroup },
    { weight: weight.window(), transformed: transformed.window() },
    { rows, columns },
    flatGrid(device, rows * columns),
    { flops: transformFlops(size).weight * rows * columns },
  );
  return transformed;
}
