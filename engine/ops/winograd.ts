import type { Device } from "../device/device.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { Tensor } from "../tensor.ts";
import { contract, type Epilogue, type Pair } from "./contract.ts";

/** A convolution with a 3x3 kernel and stride 1. Channels and columns are multiples of 4. */
export interface WinogradShape {
  readonly images: number;
  readonly input: Pair;
  readonly channels: number;
  readonly output: Pair;
  readonly columns: number;
  /** Row and column of x under the first tap of the first output; minus the padding. */
  readonly offset: Pair;
}

/** Side of the piece of x behind one tile: 4 makes 2 x 2 outputs, 6 makes 4 x 4. */
export type TileSize = 4 | 6;

/** Transformed tiles and their products are made in pieces of so many bytes at most. */
export const pieceBytes = { value: 2 ** 23 };

/**
 * Writes `out` = x ⋆ weight through the epilogue by Winograd's minimal filtering: with tiles d of x and a 3x3 kernel g,
 * out = Aᵀ · ((G · g · Gᵀ) ∘ (Bᵀ · d · B)) · A, the products over channels summed between, as size² matrix products.
 * Transformed tensors are f32 whatever the storage of x.
 * Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016.
 * x: [images, input, channels], out: [images, output, columns], weight: [3, 3, channels, columns], or, `turned`,
 * [3, 3, columns, channels] read back to front, as an input gradient has it.
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
  const { channels, columns, output } = shape;
  const entries = size ** 2;
  const grid: Pair = [Math.ceil(output[0] / (size - 2)), Math.ceil(output[1] / (size - 2))];
  const kernels = transformedWeight(size, weight, shape, turned);
  const most = mostTiles(device, size, channels, columns);
  const imageTiles = grid[0] * grid[1];
  const held = Math.min(most, shape.images * imageTiles);
  const transformed = Tensor.empty(device, [entries, held, channels]);
  const products = Tensor.empty(device, [entries, held, columns]);
  const xImage = x.size / shape.images;
  const outImage = out.size / shape.images;
  for (const { start, count } of rowRanges(device, shape.images, [xImage, outImage])) {
    const all = count * imageTiles;
    for (let first = 0; first < all; first += most) {
      const tiles = Math.min(most, all - first);
      const places = { first_tile: first, tiles, tiles_h: grid[0], tiles_w: grid[1] };
      device.kernels.run(
        "winograd/input",
        { SIZE: size, WORKGROUP: flatWorkgroup },
        { x: x.window(start * xImage, count * xImage), transformed: transformed.window() },
        {
          ...places,
          in_height: shape.input[0],
          in_width: shape.input[1],
          channels4: channels / 4,
          offset_h: shape.offset[0],
          offset_w: shape.offset[1],
        },
        flatGrid(device, (tiles * channels) / 4),
      );
      contract(transformed, kernels, products, matrixProducts(entries, tiles, channels, columns));
      const { bias, norm, activation = "none" } = epilogue;
      device.kernels.run(
        "winograd/output",
        {
          SIZE: size,
          OUTPUTS: size - 2,
          BIAS: bias !== undefined,
          NORM: norm !== undefined,
          ACTIVATION: activation,
          WORKGROUP: flatWorkgroup,
        },
        {
          products: products.window(),
          out: out.window(start * outImage, count * outImage),
          ...(bias && { bias: bias.window() }),
          ...(norm && { moments: norm.moments.window(), scale: norm.scale.window(), shift: norm.shift.window() }),
        },
        { ...places, out_height: output[0], out_width: output[1], columns4: columns / 4 },
        flatGrid(device, (tiles * columns) / 4),
      );
    }
  }
}

/** Tiles of one piece. */
function mostTiles(device: Device, size: TileSize, channels: number, columns: number): number {
  const bytes = Math.min(pieceBytes.value, device.maximumBindingBytes);
  return Math.max(1, Math.floor(bytes / (4 * size ** 2 * Math.max(channels, columns))));
}

/** [size², channels, columns]: G · g · Gᵀ of all kernels g. */
function transformedWeight(size: TileSize, weight: Tensor, shape: WinogradShape, turned: boolean): Tensor {
  const { device } = weight;
  const { channels, columns } = shape;
  const transformed = Tensor.empty(device, [size ** 2, channels, columns]);
  device.kernels.run(
    "winograd/weight",
    { SIZE: size, TURNED: turned, WORKGROUP: flatWorkgroup },
    { weight: weight.window(), transformed: transformed.window() },
    { rows: channels, columns4: columns / 4 },
    flatGrid(device, (channels * columns) / 4),
  );
  return transformed;
}

/** `entries` products [rows, channels] · [channels, columns] as a batch of contractions without taps. */
function matrixProducts(entries: number, rows: number, channels: number, columns: number) {
  const lines: Pair = [1, rows];
  const ones: Pair = [1, 1];
  return {
    entries,
    images: 1,
    grid: lines,
    input: lines,
    channels,
    columns,
    taps: ones,
    stride: ones,
    step: 1,
    offset: [0, 0] as Pair,
    kernelStart: [0, 0] as Pair,
    kernelStep: ones,
    kernelWidth: 1,
  };
}
