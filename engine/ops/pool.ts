import { type Checks, expectOptions, flag, sides } from "../arguments.ts";
import { isRecording, record } from "../autograd.ts";
import { flatWorkgroup } from "../kernel/grid.ts";
import { elementBytes, ShapeError, Tensor } from "../tensor.ts";
import { batchShape, overImages } from "./batch.ts";
import type { Pair } from "./contraction/contract.ts";
import { pair } from "./contraction/conv.ts";
import { coveredPlaces } from "./covered.ts";

export interface PoolOptions {
  /** Extents of the window; one number for both axes, or [height, width]. */
  readonly kernel: number | Pair;
  /** Distance between windows; the kernel's extents unless given. */
  readonly stride?: number | Pair;
  /** Positions added around the picture, at most half a kernel; 0 unless given. */
  readonly padding?: number | Pair;
}

export interface AveragePoolOptions extends PoolOptions {
  /** Divide by all taps of the kernel (the default), or only by those inside the picture. */
  readonly countPadding?: boolean;
}

interface PoolShape {
  readonly images: number;
  readonly input: Pair;
  readonly channels: number;
  readonly output: Pair;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  /** True when kernels take four channels at a time. */
  readonly vector: boolean;
}

/** What the taps of a maximum are numbered with: 8 bits, 4 for each axis. */
const largestMaxPool = 16;

const poolChecks: Checks<PoolOptions> = { kernel: sides(1), stride: sides(1), padding: sides(0) };
const averagePoolChecks: Checks<AveragePoolOptions> = { ...poolChecks, countPadding: flag };

function poolShape<Options extends PoolOptions>(
  operation: string,
  x: Tensor,
  options: Options,
  checks: Checks<Options>,
): PoolShape {
  const [images, height, width, channels] = batchShape(operation, x);
  expectOptions(operation, options, checks);
  if (options.kernel === undefined) throw new ShapeError(`${operation}: the option kernel is missing`);
  const kernel = pair(options.kernel);
  const stride = pair(options.stride ?? options.kernel);
  const padding = pair(options.padding ?? 0);
  if (padding.some((p, axis) => p > kernel[axis]! / 2)) {
    throw new ShapeError(`${operation}: padding ${padding} is more than half of kernel ${kernel}`);
  }
  const output: Pair = [
    Math.floor((height + 2 * padding[0] - kernel[0]) / stride[0]) + 1,
    Math.floor((width + 2 * padding[1] - kernel[1]) / stride[1]) + 1,
  ];
  if (output[0] < 1 || output[1] < 1) {
    throw new ShapeError(
      `${operation}: a ${kernel.join("x")} kernel does not fit [${x.shape}] with padding ${padding}`,
    );
  }
  return { images, input: [height, width], channels, output, kernel, stride, padding, vector: channels % 4 === 0 };
}

/** Parameters that all kernels with windows take, by their names there. */
function windowParameters(s: PoolShape) {
  return {
    in_height: s.input[0],
    in_width: s.input[1],
    channels: elements(s),
    out_height: s.output[0],
    out_width: s.output[1],
    kernel_h: s.kernel[0],
    kernel_w: s.kernel[1],
    stride_h: s.stride[0],
    stride_w: s.stride[1],
    pad_h: s.padding[0],
    pad_w: s.padding[1],
  };
}

function windowConstants(s: PoolShape) {
  return {
    KERNEL_HEIGHT: s.kernel[0],
    KERNEL_WIDTH: s.kernel[1],
    STRIDE_HEIGHT: s.stride[0],
    STRIDE_WIDTH: s.stride[1],
    VECTOR: s.vector,
    WORKGROUP: flatWorkgroup,
  };
}

/** Bytes of so many images of the tensors of x and y; positions of x that no window covers are not looked at. */
function poolBytes(s: PoolShape, images: number, bytesOfX: number, bytesOfY: number): number {
  const covered = [0, 1].map((axis) => coveredExtent(s, axis as 0 | 1)) as [number, number];
  return images * s.channels * (covered[0] * covered[1] * bytesOfX + s.output[0] * s.output[1] * bytesOfY);
}

/** Places of an axis of x that lie in some window. */
function coveredExtent({ input, output, kernel, stride, padding }: PoolShape, axis: 0 | 1): number {
  const windows = { count: output[axis], stride: stride[axis], taps: kernel[axis], first: -padding[axis] };
  return coveredPlaces(input[axis], windows);
}

/** Windows that cover some place of an axis, of all its places, those beside the picture left out. */
function insideTaps({ input, output, kernel, stride, padding }: PoolShape, axis: 0 | 1): number {
  let taps = 0;
  for (let i = 0; i < output[axis]; i++) {
    const first = i * stride[axis] - padding[axis];
    taps += Math.min(first + kernel[axis], input[axis]) - Math.max(first, 0);
  }
  return taps;
}

/** Channels as the kernels count them. */
function elements(s: PoolShape): number {
  return s.vector ? s.channels / 4 : s.channels;
}

/**
 * Largest value of every window. x: [N, H, W, C] → [N, (H + 2·padding − kernel) / stride + 1, …, C]. Padding never wins;
 * of equal values the first in reading order takes the gradient.
 * @throws ShapeError when the window does not fit, padding is over half a kernel, or an extent of kernel or stride over 16
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
    const constants = { ...windowConstants(shape), INDEX: keepIndex };
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
  const { images, input, channels, kernel, stride, padding } = shape;
  const dx = Tensor.like(dy, [images, ...input, channels]);
  const blocks = [0, 1].map((axis) => Math.floor((input[axis]! - 1 + padding[axis]!) / stride[axis]!) + 1) as [
    number,
    number,
  ];
  const constants = {
    ...windowConstants(shape),
    WINDOWS_HEIGHT: Math.ceil(kernel[0] / stride[0]),
    WINDOWS_WIDTH: Math.ceil(kernel[1] / stride[1]),
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
 * Mean of every window, padding counting as zeros. x: [N, H, W, C] → [N, (H + 2·padding − kernel) / stride + 1, …, C].
 * @throws ShapeError when the window does not fit or padding is over half a kernel
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
