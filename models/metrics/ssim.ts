import { flatGrid, flatWorkgroup } from "../../engine/kernel/grid.ts";
import { slice } from "../../engine/ops/join.ts";
import { mean } from "../../engine/ops/reduce.ts";

import { Tensor } from "../../engine/tensor.ts";
import { gaussianWindow } from "./gaussian-window.ts";
import { expectPair, luma } from "./luma.ts";

/** Side of the window, pixels. */
export const windowSide = 11;
const deviation = 1.5;

/**
 * Mean structural similarity of two pictures, a full-reference score: 1 for equal pictures, lower for less alike ones.
 * Luma in [0, 1], Gaussian window of 11 x 11 with standard deviation 1.5, K1 = 0.01, K2 = 0.03, positions where the whole
 * window fits. Source: Wang, Bovik, Sheikh & Simoncelli, "Image quality assessment" (IEEE TIP 2004), Eq. 13.
 * @param a [1, H, W, 3] in [0, 1], sides at least 11
 * @param b the same shape
 * @returns [1]
 * @throws ShapeError when the shapes differ or are too small
 */
export function ssim(a: Tensor, b: Tensor): Tensor {
  expectPair("ssim", a, b, windowSide);
  return a.device.scope(() => slice(structure(luma(a), luma(b)), [0], [1]));
}

/**
 * Means over all positions of SSIM, and of its part of contrast and structure.
 * @param a luma [H, W] in [0, 1], sides at least 11
 * @returns [2]
 */
export function structure(a: Tensor, b: Tensor): Tensor {
  const { device } = a;
  const [height, width] = a.shape as [number, number];
  const positions = (height - windowSide + 1) * (width - windowSide + 1);
  return device.scope(() => {
    const maps = Tensor.empty(device, [2, positions]);
    const weights = Tensor.from(device, gaussianWindow(windowSide, deviation), [windowSide + 3, windowSide, 4]);
    const fours = Math.ceil((height - windowSide + 1) / 4) * (width - windowSide + 1);
    device.kernels.run(
      "compare/structure",
      { WORKGROUP: flatWorkgroup },
      { a: a.window(), b: b.window(), weights: weights.window(), y: maps.window() },
      { height, width, side: windowSide },
      flatGrid(device, fours),
      // At each tap the shift of both (2) and five weighted sums (10), of four positions; then the shift (10) and the quotients (28)
      { flops: 4 * fours * (12 * windowSide * (windowSide + 3) + 38) },
    );
    return mean(maps, 1);
  });
}
