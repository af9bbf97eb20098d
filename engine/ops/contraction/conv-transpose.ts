import { type Checks, expectOptions, margins, ShapeError, sides, whole } from "../../arguments.ts";
import { record } from "../../autograd.ts";
import type { Tensor } from "../../tensor.ts";
import { add } from "../arithmetic.ts";
import { expectOperands, operand } from "../operands.ts";
import { reshape } from "../shape.ts";
import type { Pair } from "./contract.ts";
import { conv2d, waysOf } from "./conv.ts";
import { type ConvOptions, type ConvShape, marginsOf, pair } from "./conv-shape.ts";

export interface ConvTransposeOptions extends ConvOptions {
  /** Rows and columns more below and on the right, which some strides leave open; 0 unless given. */
  readonly outputPadding?: number | Pair;
}

const checks: Checks<ConvTransposeOptions> = {
  stride: sides(1),
  padding: margins,
  dilation: sides(1),
  groups: whole(1),
  bias: operand,
  outputPadding: sides(0),
};

/** The convolution of which this is the input gradient: from what is made here to x. */
function reversedShape(x: Tensor, weight: Tensor, options: ConvTransposeOptions): ConvShape {
  if (x.rank !== 4 || weight.rank !== 4) {
    throw new ShapeError(
      `convTranspose2d takes x [N, H, W, C] and weight [KH, KW, O / groups, C]; found [${x.shape}] and [${weight.shape}]`,
    );
  }
  const [images, height, width, columns] = x.shape as readonly [number, number, number, number];
  const [kh, kw, inner, outer] = weight.shape as readonly [number, number, number, number];
  const { groups = 1, bias } = options;
  if (outer !== columns || columns % groups !== 0) {
    throw new ShapeError(
      `convTranspose2d: weight [${weight.shape}] with ${groups} group(s) does not fit ${columns} channels of [${x.shape}]`,
    );
  }
  const channels = inner * groups;
  if (bias && bias.size !== channels)
    throw new ShapeError(`convTranspose2d: bias [${bias.shape}] for ${channels} channels`);
  const [stride, dilation] = [pair(options.stride ?? 1), pair(options.dilation ?? 1)];
  const [[top, bottom], [left, right]] = marginsOf(options.padding ?? 0);
  const more = pair(options.outputPadding ?? 0);
  const input: Pair = [
    (height - 1) * stride[0] - top - bottom + dilation[0] * (kh - 1) + more[0] + 1,
    (width - 1) * stride[1] - left - right + dilation[1] * (kw - 1) + more[1] + 1,
  ];
  if (input[0] < 1 || input[1] < 1) {
    throw new ShapeError(
      `convTranspose2d: nothing is left of [${x.shape}] under a ${kh}x${kw} kernel with padding ${[top, bottom, left, right]}`,
    );
  }
  const whole = { images, input, channels, output: [height, width], columns, kernel: [kh, kw], stride } as const;
  return { ...whole, padding: [top, left], dilation, groups };
}

/**
 * Transposed 2-D convolution, the input gradient of a convolution as a layer: each pixel of x lays its kernel onto the output, `stride`
 * apart. x: [N, H, W, C], weight: [KH, KW, O / groups, C] → [N, (H − 1)·stride − 2·padding + dilation·(KH − 1) + outputPadding + 1, …, O];
 * the weight is that of the convolution which it goes back, PyTorch's [C, O / groups, KH, KW] permuted by [2, 3, 1, 0].
 * @throws ShapeError when the extents do not fit or nothing is left of the picture
 */
export function convTranspose2d(x: Tensor, weight: Tensor, options: ConvTransposeOptions = {}): Tensor {
  expectOptions("convTranspose2d", options, checks);
  const { bias } = options;
  expectOperands("convTranspose2d", bias ? { x, weight, bias } : { x, weight });
  const shape = reversedShape(x, weight, options);
  const ways = waysOf(shape);
  const y = x.device.scope(() => ways.inputGradient(x, weight, shape));
  // dx = dy ⋆ weight    dweight = Σ_positions dy ⊗ x
  const made = record("convTranspose2d", [x, weight], y, (dy) => [
    x.tracked ? x.device.scope(() => ways.forward(dy, weight, shape)) : undefined,
    weight.tracked ? x.device.scope(() => ways.weightGradient(dy, x, shape)) : undefined,
  ]);
  return bias ? add(made, bias) : made;
}

/** Options of 1-D convolutions: numbers, and [before, after] for the padding. */
export interface Conv1dOptions {
  readonly stride?: number;
  readonly padding?: number | Pair;
  readonly dilation?: number;
  readonly groups?: number;
  readonly bias?: Tensor;
}

const lineChecks: Checks<Conv1dOptions> = {
  stride: whole(1),
  padding: sides(0),
  dilation: whole(1),
  groups: whole(1),
  bias: operand,
};

/**
 * 1-D convolution: {@link conv2d} of pictures of one line. x: [N, L, C], weight: [K, C / groups, O] →
 * [N, (L + 2·padding − dilation·(K − 1) − 1) / stride + 1, O].
 * @throws ShapeError when the extents do not fit or nothing is left of the line
 */
export function conv1d(x: Tensor, weight: Tensor, options: Conv1dOptions = {}): Tensor {
  expectOptions("conv1d", options, lineChecks);
  expectOperands("conv1d", { x, weight });
  if (x.rank !== 3 || weight.rank !== 3) {
    throw new ShapeError(
      `conv1d takes x [N, L, C] and weight [K, C / groups, O]; found [${x.shape}], [${weight.shape}]`,
    );
  }
  const [samples, length, channels] = x.shape as readonly [number, number, number];
  const { stride = 1, padding = 0, dilation = 1, ...rest } = options;
  const y = conv2d(reshape(x, [samples, 1, length, channels]), reshape(weight, [1, ...weight.shape]), {
    ...rest,
    stride: [1, stride],
    dilation: [1, dilation],
    padding: [[0, 0], pair(padding)],
  });
  return reshape(y, [samples, y.shape[2]!, y.shape[3]!]);
}
