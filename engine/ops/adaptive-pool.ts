import { type Checks, expectOptions, extent } from "../arguments.ts";
import type { Tensor } from "../tensor.ts";
import { type Resampling, resample, resampling } from "./pictures/resample.ts";

interface Size {
  readonly height: number;
  readonly width: number;
}

const checks: Checks<Size> = { height: extent, width: extent };

/**
 * Means of height x width windows that cover maps of any size: [N, H, W, C] → [N, height, width, C]. Window i of an axis of
 * length L goes from ⌊i·L/n⌋ to below ⌈(i + 1)·L/n⌉, as in PyTorch's `AdaptiveAvgPool2d`; for n > L windows repeat inputs.
 * @throws ShapeError when height or width is not a whole number of at least 1
 */
export function adaptiveAveragePool2d(x: Tensor, size: Size): Tensor {
  expectOptions("adaptiveAveragePool2d", size, checks);
  return resample("adaptiveAveragePool2d", x, size, { name: "adaptive average", map: adaptiveAverage });
}

/** A mean over a window is a map with equal weights; the mean over both axes is one map after the other. */
function adaptiveAverage(inputs: number, outputs: number): Resampling {
  return resampling(inputs, outputs, (i) => {
    const first = Math.floor((i * inputs) / outputs);
    const count = Math.ceil(((i + 1) * inputs) / outputs) - first;
    return { first, weights: Array(count).fill(1 / count) };
  });
}
