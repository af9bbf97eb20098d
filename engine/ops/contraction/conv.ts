import { expectOptions } from "../../arguments.ts";
import { record } from "../../autograd.ts";
import { flatGrid, flatWorkgroup, greatestCommonDivisor, rowRanges } from "../../kernel/grid.ts";
import { type Shape, ShapeError, Tensor } from "../../tensor.ts";
import { expectOperands } from "../operands.ts";
import { transpose, upToFour, withColumns, withRowsAndColumns } from "../shape.ts";
import { contract, type Epilogue, type Pair } from "./contract.ts";
import { contractWeight } from "./contract-weight.ts";
import { type ConvOptions, type ConvShape, convChecks, convShape } from "./conv-shape.ts";
import { depthwise, widestDepthwise } from "./depthwise.ts";
import { grouped } from "./grouped.ts";
import { columnSums } from "./matmul.ts";
import { tileSize, winograd } from "./winograd.ts";

function expectConvOperands(x: Tensor, weight: Tensor, options: ConvOptions): void {
  expectOptions("conv2d", options, convChecks);
  const { bias } = options;
  expectOperands("conv2d", bias ? { x, weight, bias } : { x, weight });
}

/**
 * 2-D convolution (cross-correlation, as networks use the word).
 * x: [N, H, W, C], weight: [KH, KW, C / groups, O] → [N, (H + 2·padding − dilation·(KH − 1) − 1) / stride + 1, …, O].
 * @throws ShapeError when the extents do not fit or nothing is left of the picture
 */
export function conv2d(x: Tensor, weight: Tensor, options: ConvOptions = {}): Tensor {
  expectConvOperands(x, weight, options);
  const shape = convShape(x.shape, weight.shape, options);
  const { bias } = options;
  const ways = waysOf(shape);
  const y = x.device.scope(() => ways.forward(x, weight, shape, bias));
  // dx = dy ⋆ weight, flipped and transposed    dweight = Σ_positions x ⊗ dy    dbias = Σ_positions dy
  return record(["conv2d", options], bias ? [x, weight, bias] : [x, weight], y, (dy) => [
    x.tracked ? x.device.scope(() => ways.inputGradient(dy, weight, shape)) : undefined,
    weight.tracked ? x.device.scope(() => ways.weightGradient(x, dy, shape)) : undefined,
    bias?.tracked ? columnSums(dy) : undefined,
  ]);
}

/**
 * {@link conv2d} with what follows it, in one kernel. Not recorded.
 * @throws ShapeError as conv2d, with groups, or when the output's channels are no multiple of 4
 */
export function conv2dThen(x: Tensor, weight: Tensor, options: ConvOptions, then: Omit<Epilogue, "bias">): Tensor {
  expectConvOperands(x, weight, options);
  const shape = convShape(x.shape, weight.shape, options);
  if (shape.groups > 1 || shape.columns % 4 > 0)
    throw new ShapeError(`conv2dThen: ${shape.groups} groups, ${shape.columns} channels; take 1 and a multiple of 4`);
  return x.device.scope(() => dense.forward(x, weight, shape, options.bias, then));
}

/** The input gradient of {@link conv2d} alone, for x of shape `x`. Not recorded. */
export function conv2dInputGradient(dy: Tensor, weight: Tensor, x: Shape, options: ConvOptions = {}): Tensor {
  const shape = convShape(x, weight.shape, options);
  return dy.device.scope(() => waysOf(shape).inputGradient(dy, weight, shape));
}

/** The kernels for a convolution: by tiles, by channels, or element by element where groups are narrow. */
export function waysOf({ groups, channels, columns, kernel, stride, dilation }: ConvShape) {
  if (groups === 1) return dense;
  const separate = groups === channels && groups === columns && dilation.every((step) => step === 1);
  return separate && Math.max(kernel[1], stride[1]) <= widestDepthwise ? depthwise : grouped;
}

/** With so many channels or fewer, what a tap costs beside its products is worth saving. */
const fewChannels = 8;

/**
 * Pictures [N, H, W, C] with `before` zeros in front of each line, cut or filled to `width` pixels of `channels`. Not
 * recorded.
 */
function withMargins(x: Tensor, before: number, width: number, channels: number): Tensor {
  const { device } = x;
  const [images, height, fromWidth, fromChannels] = x.shape as [number, number, number, number];
  const y = Tensor.like(x, [images, height, width, channels]);
  const lines = images * height;
  const [from, to] = [fromWidth * fromChannels, width * channels];
  for (const { start, count } of rowRanges(device, lines, [from, to])) {
    device.kernels.run(
      "conv/lines",
      { WORKGROUP: flatWorkgroup },
      { x: x.window(start * from, count * from), y: y.window(start * to, count * to) },
      {
        lines: count,
        x_width: fromWidth,
        y_width: width,
        before,
        channels: fromChannels,
        channels4: channels / 4,
      },
      flatGrid(device, (count * to) / 4),
    );
  }
  return y;
}

function undilated({ dilation }: ConvShape): boolean {
  return dilation.every((step) => step === 1);
}

/** The taps that places of one remainder meet in an input gradient, along one axis. */
function tapsAt({ stride, dilation, padding, kernel }: ConvShape, axis: 0 | 1, remainder: number) {
  const shared = greatestCommonDivisor(stride[axis], dilation[axis]);
  const kernelStep = stride[axis] / shared;
  const at = remainder + padding[axis];
  let start = 0;
  while (start < kernelStep && (at - start * dilation[axis]) % stride[axis] !== 0) start++;
  const meets = start < kernelStep && start < kernel[axis];
  return {
    start: meets ? start : 0,
    taps: meets ? Math.ceil((kernel[axis] - start) / kernelStep) : 0,
    kernelStep,
    step: -dilation[axis] / shared,
    offset: meets ? (at - start * dilation[axis]) / stride[axis] : 0,
  };
}

const dense = {
  forward(x: Tensor, weight: Tensor, s: ConvShape, bias?: Tensor, then: Omit<Epilogue, "bias"> = {}): Tensor {
    const [channels, columns] = [upToFour(s.channels), upToFour(s.columns)];
    const out = Tensor.like(x, [s.images, ...s.output, columns]);
    const kernels = withRowsAndColumns(weight, channels, columns);
    const epilogue = { ...then, bias: bias && withColumns(bias, columns) };
    const offset: Pair = [-s.padding[0], -s.padding[1]];
    const size = undilated(s) ? tileSize(x.device, { ...s, channels, columns }) : undefined;
    // Pixels of a line that the kernel meets, with the zeros around it.
    const width = (s.output[1] - 1) * s.stride[1] + s.kernel[1];
    const shape = { images: s.images, grid: s.output, columns, step: s.dilation, stride: s.stride };
    const steps = { kernelStart: [0, 0] as Pair, kernelStep: [1, 1] as Pair };
    if (size) winograd(size, withColumns(x, channels), kernels, out, { ...s, channels, columns, offset }, epilogue);
    else if (
      channels <= fewChannels &&
      s.kernel[1] > 1 &&
      s.dilation[1] === 1 &&
      s.input[0] * width * channels * 4 < x.device.maximumBindingBytes
    ) {
      // A line of the kernel over all its channels is one tap: enough work in the innermost loop.
      const lines = withMargins(x, s.padding[1], width, channels);
      const line = { input: [s.input[0], width] as Pair, channels: s.kernel[1] * channels, pixel: channels };
      const taps = { taps: [s.kernel[0], 1] as Pair, kernelWidth: 1, offset: [offset[0], 0] as Pair };
      const filled: Pair = [s.kernel[1] * s.channels, s.columns];
      contract(lines, kernels, out, { ...shape, ...steps, ...line, ...taps, filled }, epilogue);
    } else {
      const taps = { taps: s.kernel, kernelWidth: s.kernel[1], offset };
      const filled: Pair = [s.channels, s.columns];
      const whole = { input: s.input, channels, filled };
      contract(withColumns(x, channels), kernels, out, { ...shape, ...steps, ...whole, ...taps }, epilogue);
    }
    return withColumns(out, s.columns);
  },

  /**
   * Rows h of dx with the same remainder a = h mod stride meet the same taps kh = kh0 + stride/g·t, g = gcd(stride, dilation), with
   * dilation·kh0 = a + pad modulo stride, at rows i + (a + pad − dilation·kh0)/stride − dilation/g·t of dy, where h = stride·i + a.
   * Each remainder is one contraction; it has no tap where there is no such kh0.
   */
  inputGradient(dy: Tensor, weight: Tensor, s: ConvShape): Tensor {
    const [channels, columns] = [upToFour(s.channels), upToFour(s.columns)];
    const dx = Tensor.like(dy, [s.images, ...s.input, channels]);
    const kernels = withRowsAndColumns(weight, channels, columns);
    const filled = withColumns(dy, columns);
    const reversed = { images: s.images, input: s.output, channels: columns, output: s.input, columns: channels };
    const size = undilated(s) ? tileSize(dy.device, { ...s, ...reversed }) : undefined;
    if (size) {
      // dx = dy, padded by 2 − padding, ⋆ the weight back to front
      const offset: Pair = [s.padding[0] - 2, s.padding[1] - 2];
      winograd(size, filled, kernels, dx, { ...reversed, offset }, { turned: true });
      return withColumns(dx, s.channels);
    }
    const turned = transpose(kernels);
    const simple = s.stride[0] === 1 && s.stride[1] === 1;
    for (let a = 0; a < Math.min(s.stride[0], s.input[0]); a++) {
      for (let b = 0; b < Math.min(s.stride[1], s.input[1]); b++) {
        const [along, across] = [tapsAt(s, 0, a), tapsAt(s, 1, b)];
        contract(filled, turned, dx, {
          images: s.images,
          grid: [Math.ceil((s.input[0] - a) / s.stride[0]), Math.ceil((s.input[1] - b) / s.stride[1])],
          input: s.output,
          channels: columns,
          columns: channels,
          filled: [s.columns, s.channels],
          taps: [along.taps, across.taps],
          stride: [1, 1],
          step: [along.step, across.step],
          offset: [along.offset, across.offset],
          kernelStart: [along.start, across.start],
          kernelStep: [along.kernelStep, across.kernelStep],
          kernelWidth: s.kernel[1],
          ...(simple ? {} : { scatter: { output: s.input, stride: s.stride, start: [a, b] as Pair } }),
        });
      }
    }
    return withColumns(dx, s.channels);
  },

  weightGradient(x: Tensor, dy: Tensor, s: ConvShape): Tensor {
    const [channels, columns] = [upToFour(s.channels), upToFour(s.columns)];
    const shape = { ...s, channels, columns, filled: [s.channels, s.columns] as const };
    const dweight = contractWeight(withColumns(x, channels), withColumns(dy, columns), shape);
    return withRowsAndColumns(dweight, s.channels, s.columns);
  },
};
