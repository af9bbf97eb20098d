import { flatGrid, flatWorkgroup, rowRanges } from "../../kernel/grid.ts";
import { Tensor } from "../../tensor.ts";
import { sumParts } from "../reduce.ts";
import type { WeightContraction } from "./contract-weight.ts";

/**
 * Depthwise convolution: as many groups and columns as channels. weight: [KH, KW, 1, C]. The kernels are unrolled over
 * the width, hence for kernels up to {@link widestDepthwise} wide.
 */
export const depthwise = { forward, inputGradient, weightGradient };

/** Most columns of a kernel, and of its stride, that the depthwise kernels unroll. */
export const widestDepthwise = 7;

/** Positions that one invocation makes in a row: more load less for each, and take longer to compile. */
const tileColumns = 4;

function forward(x: Tensor, weight: Tensor, s: WeightContraction, bias?: Tensor): Tensor {
  const y = Tensor.like(x, [s.images, ...s.output, s.channels]);
  const tiling = {
    TRANSPOSED: false,
    COLUMNS: tileColumns,
    REACH: 0,
    INPUT_COLUMNS: (tileColumns - 1) * s.stride[1] + s.kernel[1],
  };
  const flops = 2 * s.channels * s.output[0] * s.output[1] * s.kernel[0] * s.kernel[1];
  overRows(s, { x, weight, y, ...(bias && { bias }) }, tiling, Math.ceil(s.output[1] / tileColumns), flops);
  return y;
}

function inputGradient(dy: Tensor, weight: Tensor, s: WeightContraction): Tensor {
  const dx = Tensor.like(dy, [s.images, ...s.input, s.channels]);
  const steps = Math.ceil(tileColumns / s.stride[1]);
  const reach = Math.floor((s.kernel[1] - 1) / s.stride[1]);
  const columns = steps * s.stride[1];
  const tiling = { TRANSPOSED: true, COLUMNS: columns, REACH: reach, INPUT_COLUMNS: reach + steps };
  const flops = 2 * s.channels * metTaps(s);
  overRows(s, { x: dy, weight, y: dx }, tiling, Math.ceil((s.input[1] + s.padding[1]) / columns), flops);
  return dx;
}

/**
 * Pairs of a position of one input picture and a tap that meets a step of the stride there, on outputs beyond the picture
 * too: what an input gradient multiplies for each pair of channels.
 */
export function metTaps(shape: Omit<WeightContraction, "images" | "columns">): number {
  const { input, kernel, stride, padding, dilation = [1, 1] } = shape;
  const along = (axis: 0 | 1) => {
    let met = 0;
    for (let at = 0; at < input[axis]; at++) {
      for (let tap = 0; tap < kernel[axis]; tap++) {
        if ((at + padding[axis] - tap * dilation[axis]) % stride[axis] === 0) met++;
      }
    }
    return met;
  };
  return along(0) * along(1);
}

function overRows(
  s: WeightContraction,
  { x, weight, y, bias }: Readonly<{ x: Tensor; weight: Tensor; y: Tensor; bias?: Tensor }>,
  tiling: Readonly<Record<string, number | boolean>>,
  tiles: number,
  imageFlops: number,
): void {
  const { device } = x;
  const [xImage, yImage] = [x.size / s.images, y.size / s.images];
  const { channels } = elements(s);
  for (const { start, count } of rowRanges(device, s.images, [xImage, yImage])) {
    device.kernels.run(
      "conv/depthwise",
      { ...tiling, ...constants(s), BIAS: bias !== undefined },
      {
        x: x.window(start * xImage, count * xImage),
        weight: weight.window(),
        y: y.window(start * yImage, count * yImage),
        ...(bias && { bias: bias.window() }),
      },
      { ...parameters(s, x, y), images: count, tiles },
      flatGrid(device, count * y.shape[1]! * tiles * channels),
      { flops: count * imageFlops },
    );
  }
}

/** Invocations wanted in flight, and lines that a part should at least have: both only bound how the sum is split. */
const wantedInvocations = 16384;
const leastLinesPerPart = 4;

function weightGradient(x: Tensor, dy: Tensor, s: WeightContraction): Tensor {
  const { device } = x;
  const { channels } = elements(s);
  const [xImage, dyImage] = [x.size / s.images, dy.size / s.images];
  const shape = [...s.kernel, 1, s.channels];
  const wantedParts = Math.ceil(wantedInvocations / (channels * s.kernel[0]));
  const calls = rowRanges(device, s.images, [xImage, dyImage]).map((range) => {
    const lines = range.count * s.output[0];
    const parts = Math.max(1, Math.min(wantedParts, Math.floor(lines / leastLinesPerPart)));
    const linesPerPart = Math.ceil(lines / parts);
    return { ...range, lines, linesPerPart, parts: Math.ceil(lines / linesPerPart) };
  });
  const parts = Tensor.empty(device, [calls.reduce((sum, call) => sum + call.parts, 0), ...shape]);
  let firstPart = 0;
  for (const call of calls) {
    device.kernels.run(
      "conv/depthwise_weight_gradient",
      { ...constants(s), COLUMNS: tileColumns, INPUT_COLUMNS: (tileColumns - 1) * s.stride[1] + s.kernel[1] },
      {
        x: x.window(call.start * xImage, call.count * xImage),
        dy: dy.window(call.start * dyImage, call.count * dyImage),
        parts: parts.window(),
      },
      { ...parameters(s, x, dy), lines: call.lines, lines_per_part: call.linesPerPart, first_part: firstPart },
      flatGrid(device, call.parts * s.kernel[0] * channels),
      { flops: 2 * call.lines * s.output[1] * s.channels * s.kernel[0] * s.kernel[1] },
    );
    firstPart += call.parts;
  }
  return sumParts(parts, shape);
}

/** Channels as the kernels count them. */
function elements({ channels }: WeightContraction): { vector: boolean; channels: number } {
  const vector = channels % 4 === 0;
  return { vector, channels: vector ? channels / 4 : channels };
}

function constants(s: WeightContraction) {
  return { KERNEL_W: s.kernel[1], STRIDE_W: s.stride[1], VECTOR: elements(s).vector, WORKGROUP: flatWorkgroup };
}

/** Parameters of both kernels; `x` is what is read by windows, `y` what the lines are counted in. */
function parameters(s: WeightContraction, x: Tensor, y: Tensor) {
  return {
    in_height: x.shape[1]!,
    in_width: x.shape[2]!,
    channels: elements(s).channels,
    out_height: y.shape[1]!,
    out_width: y.shape[2]!,
    kernel_h: s.kernel[0],
    stride_h: s.stride[0],
    pad_h: s.padding[0],
    pad_w: s.padding[1],
  };
}
