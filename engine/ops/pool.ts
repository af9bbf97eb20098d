import { type Checks, flag } from "../arguments.ts";
import { isRecording, record } from "../autograd.ts";
import { flatWorkgroup } from "../kernel/grid.ts";
import { elementBytes, ShapeError, Tensor } from "../tensor.ts";
import { batchShape, overImages } from "./batch.ts";
import {
  elements,
  insideTaps,
  type PoolOptions,
  type PoolShape,
  poolBytes,
  poolChecks,
  poolShape,
  span,
  windowConstants,
  windowParameters,
} from "./pool-shape.ts";

export type { PoolOptions };

export interface AveragePoolOptions extends PoolOptions {
  /** Divide by all taps that lie in the picture or its padding (the default), or only by those inside the picture. */
  readonly countPadding?: boolean;
}

/** What the taps of a maximum are numbered with: 8 bits, 4 for each axis. */
const largestMaxPool = 16;

const averagePoolChecks: Checks<AveragePoolOptions> = { ...poolChecks, countPadding: flag };

/**
 * Largest value of every window. x: [N, H, W, C] → [N, (H + 2·padding − span) / stride + 1, …, C] with
 * span = (kernel − 1)·dilation + 1. Padding never wins; of equal values the first in reading order takes the gradient.
 * @throws ShapeError when the window does not fit, the padding is not shorter than it, or an extent of kernel or stride over 16
 */
export function maxPool2d(x: Tensor, options: PoolOptions): Tensor {
  const shape = poolShape("maxPool2d", x, options, poolChecks);
  const { images, output, channels } = shape;
  if ([...shape.kernel, ...shape.stride].some((extent) => extent > largestMaxPool)) {
    throw new ShapeError(
      `maxPool2d: kernel ${shape.kernel} and stride ${shape.stride} go up to ${largestMaxPool} for each axis`,
    );
  }
  const y = Tensor.like(x, [images, ...output, channels]);
  const keepIndex = isRecording() && x.tracked;
  const index = keepIndex ? Tensor.empty(x.device, [images, ...output, elements(shape)], "u32") : undefined;
  const perImage = output[0] * output[1] * channels;
  overImages({ x, y, ...(index && { index }) }, {}, ({ windows, grid, images: count }) => {
    const constants = { ...windowConstants(shape), DILATED: Math.max(...shape.dilation) > 1, INDEX: keepIndex };
    x.device.kernels.run(
      "pool/max",
      constants,
      windows,
      windowParameters(shape),
      grid(output[1] * elements(shape), output[0]),
      {
        flops: count * perImage * shape.kernel[0] * shape.kernel[1],
        bytes:
          poolBytes(shape, count, elementBytes[x.dtype], elementBytes[y.dtype]) +
          (index ? 4 * count * output[0] * output[1] * elements(shape) : 0),
      },
    );
  });
  // dx[h, w] = Σ of dy over the windows whose maximum lies at (h, w)
  return record(["maxPool2d", options], [x], y, (dy) => [maxPoolGradient(dy, index!, shape)]);
}

function maxPoolGradient(dy: Tensor, index: Tensor, shape: PoolShape): Tensor {
  const { images, input, channels, stride, before } = shape;
  const dx = Tensor.like(dy, [images, ...input, channels]);
  const blocks = [0, 1].map((axis) => Math.floor((input[axis]! - 1 + before[axis]!) / stride[axis]!) + 1) as [
    number,
    number,
  ];
  const constants = {
    ...windowConstants(shape),
    WINDOWS_HEIGHT: Math.ceil(span(shape, 0) / stride[0]),
    WINDOWS_WIDTH: Math.ceil(span(shape, 1) / stride[1]),
  };
  overImages({ dy, index, dx }, {}, ({ windows, grid, images: count }) => {
    const parameters = { ...windowParameters(shape), blocks_w: blocks[1] };
    dy.device.kernels.run(
      "pool/max_gradient",
      constants,
      windows,
      parameters,
      grid(blocks[1] * elements(shape), blocks[0]),
      // Each element of dy goes to one place.
      { flops: (count * dy.size) / images },
    );
  });
  return dx;
}

/**
 * Mean of every window, padding counting as zeros. x: [N, H, W, C] → [N, (H + 2·padding − span) / stride + 1, …, C] with
 * span = (kernel − 1)·dilation + 1.
 * @throws ShapeError when the window does not fit or the padding is not shorter than it
 */
export function averagePool2d(x: Tensor, options: AveragePoolOptions): Tensor {
  const shape = poolShape("averagePool2d", x, options, averagePoolChecks);
  const { images, input, output, channels } = shape;
  const constants = { ...windowConstants(shape), COUNT_PADDING: options.countPadding ?? true };
  const y = Tensor.like(x, [images, ...output, channels]);
  overImages({ x, y }, {}, ({ windows, grid, images: count }) => {
    const size = grid(output[1] * elements(shape), output[0]);
    // Σ over the taps, and a division
    const flops = ((count * y.size) / images) * (shape.kernel[0] * shape.kernel[1] + 1);
    const bytes = poolBytes(shape, count, elementBytes[x.dtype], elementBytes[y.dtype]);
    x.device.kernels.run("pool/average", constants, windows, windowParameters(shape), size, { flops, bytes });
  });
  // dx[h, w] = Σ of dy / count over the windows that cover (h, w)
  return record(["averagePool2d", options], [x], y, (dy) => {
    const dx = Tensor.like(x);
    overImages({ dy, dx }, {}, ({ windows, grid, images: count }) => {
      const size = grid(input[1] * elements(shape), input[0]);
      // A quotient for every element of dy, and one addition for every tap inside the picture
      const flops = (count * dy.size) / images + count * channels * insideTaps(shape, 0) * insideTaps(shape, 1);
      dy.device.kernels.run("pool/average_gradient", constants, windows, windowParameters(shape), size, { flops });
    });
    return [dx];
  });
}

/** Mean over all positions. x: [N, H, W, C] → [N, C]. */
export function globalAveragePool(x: Tensor): Tensor {
  const [images, height, width, channels] = batchShape("globalAveragePool", x);
  const vector = channels % 4 === 0;
  const constants = { VECTOR: vector, WORKGROUP: flatWorkgroup };
  const parameters = { height, width, channels: vector ? channels / 4 : channels };
  const { device } = x;
  const y = Tensor.like(x, [images, channels]);
  overImages({ x }, { y }, ({ windows, grid, firstImage, images: count }) => {
    const size = grid(parameters.channels, 1);
    const all = { ...parameters, first_image: firstImage };
    // Σ, and a division
    device.kernels.run("pool/global_average", constants, windows, all, size, {
      flops: count * channels * (height * width + 1),
      bytes: count * channels * (height * width * elementBytes[x.dtype] + elementBytes[y.dtype]),
    });
  });
  // dx = dy / (H · W) at every position
  return record("globalAveragePool", [x], y, (dy) => {
    const dx = Tensor.like(x);
    overImages({ dx }, { dy }, ({ windows, grid, firstImage, images: count }) => {
      const size = grid(parameters.channels, height);
      device.kernels.run(
        "pool/global_average_gradient",
        constants,
        windows,
        { ...parameters, first_image: firstImage },
        size,
        {
          flops: count * channels,
          bytes: count * channels * (height * width * elementBytes[dx.dtype] + elementBytes[dy.dtype]),
        },
      );
    });
    return [dx];
  });
}
