import { flatGrid, flatWorkgroup } from "../../engine/kernel/grid.ts";
import { mean } from "../../engine/ops/reduce.ts";
import { ShapeError, Tensor } from "../../engine/tensor.ts";

const side = 11;
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
  const [images, height, width, channels] = a.shape as [number, number, number, number];
  if (a.shape.join() !== b.shape.join() || images !== 1 || channels !== 3 || height < side || width < side) {
    throw new ShapeError(
      `ssim compares two pictures [1, H, W, 3] of at least ${side} pixels; found [${a.shape}] and [${b.shape}]`,
    );
  }
  const { device } = a;
  return device.scope(() => {
    const map = Tensor.empty(device, [height - side + 1, width - side + 1]);
    device.kernels.run(
      "image/ssim",
      { WORKGROUP: flatWorkgroup },
      {
        a: a.window(),
        b: b.window(),
        window: Tensor.from(device, gaussianWindow(), [side * side]).window(),
        y: map.window(),
      },
      { height, width, side },
      flatGrid(device, map.size),
      // At each tap two lumas (10), their shift (2) and five weighted sums (10); then the shift (10) and the quotient (24)
      { flops: map.size * (22 * side ** 2 + 34) },
    );
    return mean(map);
  });
}

function gaussianWindow(): Float32Array<ArrayBuffer> {
  const line = Array.from({ length: side }, (_, i) => Math.exp(-((i - (side - 1) / 2) ** 2) / (2 * deviation ** 2)));
  const total = line.reduce((sum, value) => sum + value, 0) ** 2;
  return Float32Array.from({ length: side * side }, (_, i) => (line[i % side]! * line[Math.floor(i / side)]!) / total);
}
