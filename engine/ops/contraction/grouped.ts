import { flatGrid, flatWorkgroup, rowRanges } from "../../kernel/grid.ts";
import { Tensor } from "../../tensor.ts";
import type { ConvShape } from "./conv-shape.ts";
import { metTaps } from "./depthwise.ts";
import { columnSums } from "./matmul.ts";

/** Parameters of the kernels in shaders/conv/grouped_*.wgsl. */
function groupedParameters(s: ConvShape, images: number) {
  return {
    images,
    in_height: s.input[0],
    in_width: s.input[1],
    channels: s.channels,
    out_height: s.output[0],
    out_width: s.output[1],
    columns: s.columns,
    kernel_height: s.kernel[0],
    kernel_width: s.kernel[1],
    stride_h: s.stride[0],
    stride_w: s.stride[1],
    pad_h: s.padding[0],
    pad_w: s.padding[1],
    dilation_h: s.dilation[0],
    dilation_w: s.dilation[1],
    group_channels: s.channels / s.groups,
    group_columns: s.columns / s.groups,
  };
}

/** A multiply-add for every tap of every output, outside the picture too. */
function groupedFlops({ output, columns, kernel, channels, groups }: ConvShape, images: number): number {
  return 2 * images * output[0] * output[1] * columns * kernel[0] * kernel[1] * (channels / groups);
}

/** Convolution in groups: one invocation per element, for the narrow groups where a tile would be mostly empty. */
export const grouped = {
  forward(x: Tensor, weight: Tensor, s: ConvShape, bias?: Tensor): Tensor {
    const { device } = x;
    const y = Tensor.like(x, [s.images, ...s.output, s.columns]);
    const xImage = x.size / s.images;
    const yImage = y.size / s.images;
    for (const { start, count } of rowRanges(device, s.images, [xImage, yImage])) {
      device.kernels.run(
        "conv/grouped",
        { BIAS: bias !== undefined, WORKGROUP: flatWorkgroup },
        {
          x: x.window(start * xImage, count * xImage),
          weight: weight.window(),
          y: y.window(start * yImage, count * yImage),
          ...(bias && { bias: bias.window() }),
        },
        groupedParameters(s, count),
        flatGrid(device, count * yImage),
        { flops: groupedFlops(s, count) },
      );
    }
    return y;
  },

  inputGradient(dy: Tensor, weight: Tensor, s: ConvShape): Tensor {
    const { device } = dy;
    const dx = Tensor.like(dy, [s.images, ...s.input, s.channels]);
    const dxImage = dx.size / s.images;
    const dyImage = dy.size / s.images;
    for (const { start, count } of rowRanges(device, s.images, [dxImage, dyImage])) {
      device.kernels.run(
        "conv/grouped_input_gradient",
        { WORKGROUP: flatWorkgroup },
        {
          dy: dy.window(start * dyImage, count * dyImage),
          weight: weight.window(),
          dx: dx.window(start * dxImage, count * dxImage),
        },
        groupedParameters(s, count),
        flatGrid(device, count * dxImage),
        { flops: 2 * count * s.channels * (s.columns / s.groups) * metTaps(s) },
      );
    }
    return dx;
  },

  weightGradient(x: Tensor, dy: Tensor, s: ConvShape): Tensor {
    const { device } = x;
    const shape = [...s.kernel, s.channels / s.groups, s.columns];
    const xImage = x.size / s.images;
    const dyImage = dy.size / s.images;
    // One sum per image, the images added afterwards in order.
    const perImage = Tensor.empty(device, [s.images, ...shape]);
    const size = perImage.size / s.images;
    for (const { start, count } of rowRanges(device, s.images, [xImage, dyImage, size])) {
      device.kernels.run(
        "conv/grouped_weight_gradient",
        { WORKGROUP: flatWorkgroup },
        {
          x: x.window(start * xImage, count * xImage),
          dy: dy.window(start * dyImage, count * dyImage),
          dweight: perImage.window(start * size, count * size),
        },
        groupedParameters(s, count),
        flatGrid(device, count * size),
        { flops: groupedFlops(s, count) },
      );
    }
    const flat = columnSums(perImage.alias([s.images, size]));
    return flat.alias(shape);
  },
};
