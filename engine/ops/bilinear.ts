import { type Checks, expectOptions, flag } from "../arguments.ts";
import { ShapeError, type Tensor } from "../tensor.ts";
import { batchShape } from "./batch.ts";
import { batchedMatmul } from "./contraction/batched.ts";
import { l2Normalise } from "./normalise-l2.ts";
import { expectOperands } from "./operands.ts";
import { reshape, transpose } from "./shape.ts";
import { scale, signedSqrt } from "./unary.ts";

export interface BilinearPoolOptions {
  /** Ends with {@link signedSqrt}; false unless given. */
  readonly signedSqrt?: boolean;
  /** Ends with rows of length 1; false unless given. */
  readonly l2Normalise?: boolean;
}

const checks: Checks<BilinearPoolOptions> = { signedSqrt: flag, l2Normalise: flag };

/**
 * Bilinear pooling (Lin et al. 2015): the outer products of the two maps' channels at each position, averaged over positions.
 * x: [N, H, W, C1], y: [N, H, W, C2] → [N, C1·C2], element c1·C2 + c2 the mean of x_c1 · y_c2. The head of DB-CNN (Zhang
 * et al. 2020) takes both options.
 * @throws ShapeError when images, heights or widths differ
 */
export function bilinearPool(x: Tensor, y: Tensor, options: BilinearPoolOptions = {}): Tensor {
  expectOptions("bilinearPool", options, checks);
  expectOperands("bilinearPool", { x, y });
  const [images, height, width, xChannels] = batchShape("bilinearPool", x);
  const [yImages, yHeight, yWidth, yChannels] = batchShape("bilinearPool", y);
  if (images !== yImages || height !== yHeight || width !== yWidth) {
    throw new ShapeError(
      `bilinearPool: maps [${x.shape}] and [${y.shape}] must agree in images, height and width; resize one to the other`,
    );
  }
  const positions = height * width;
  const rows = transpose(reshape(x, [images, positions, xChannels]));
  const products = batchedMatmul(rows, reshape(y, [images, positions, yChannels]));
  let pooled = reshape(scale(products, 1 / positions), [images, xChannels * yChannels]);
  if (options.signedSqrt) pooled = signedSqrt(pooled);
  return options.l2Normalise ? l2Normalise(pooled) : pooled;
}
