import { type Checks, margins, sides, whole } from "../../arguments.ts";
import { type Shape, ShapeError, type Tensor } from "../../tensor.ts";
import { operand } from "../operands.ts";
import type { Pair } from "./contract.ts";

export interface ConvOptions {
  /** One number for both axes, or [height, width]. */
  readonly stride?: number | Pair;
  /** Zeros around the picture; one number for both axes, [height, width], or [[top, bottom], [left, right]]. */
  readonly padding?: number | Pair | readonly [Pair, Pair];
  /** Distance between the taps of the kernel, 1 unless given; one number for both axes, or [height, width]. */
  readonly dilation?: number | Pair;
  /** Channels and columns are split into so many groups that do not see each other. */
  readonly groups?: number;
  /** One number per output channel. */
  readonly bias?: Tensor;
}

export interface ConvShape {
  readonly images: number;
  readonly input: Pair;
  readonly channels: number;
  readonly output: Pair;
  readonly columns: number;
  readonly kernel: Pair;
  readonly stride: Pair;
  /** Above and on the left. */
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

/** What the options of a convolution may be. */
export const convChecks: Checks<ConvOptions> = {
  stride: sides(1),
  padding: margins,
  dilation: sides(1),
  groups: whole(1),
  bias: operand,
};

/** A number for both axes, or one for each. */
export function pair(value: number | Pair): Pair {
  return typeof value === "number" ? [value, value] : value;
}

/** Zeros in front of and behind each axis. */
export function marginsOf(padding: NonNullable<ConvOptions["padding"]>): readonly [Pair, Pair] {
  const [height, width] = typeof padding === "number" ? [padding, padding] : padding;
  return [pair(height), pair(width)];
}

/**
 * The shape of a convolution of x by weight.
 * @throws ShapeError when the extents do not fit or nothing is left of the picture
 */
export function convShape(x: Shape, weight: Shape, options: ConvOptions): ConvShape {
  if (x.length !== 4 || weight.length !== 4) {
    throw new ShapeError(
      `conv2d takes x [N, H, W, C] and weight [KH, KW, C / groups, O]; found [${x}] and [${weight}]`,
    );
  }
  const [images, height, width, channels] = x as [number, number, number, number];
  const [kh, kw, inner, columns] = weight as [number, number, number, number];
  const groups = options.groups ?? 1;
  const stride = pair(options.stride ?? 1);
  const dilation = pair(options.dilation ?? 1);
  const [[top, bottom], [left, right]] = marginsOf(options.padding ?? 0);
  if (inner * groups !== channels || columns % groups !== 0) {
    throw new ShapeError(`conv2d: weight [${weight}] with ${groups} group(s) does not fit ${channels} channels`);
  }
  const { bias } = options;
  if (bias && bias.size !== columns) throw new ShapeError(`conv2d: bias [${bias.shape}] for ${columns} channels`);
  const output: Pair = [
    Math.floor((height + top + bottom - dilation[0] * (kh - 1) - 1) / stride[0]) + 1,
    Math.floor((width + left + right - dilation[1] * (kw - 1) - 1) / stride[1]) + 1,
  ];
  if (output[0] < 1 || output[1] < 1) {
    throw new ShapeError(
      `conv2d: a ${kh}x${kw} kernel${dilation.some((step) => step > 1) ? ` dilated by ${dilation}` : ""} does not fit a ${height}x${width} picture with padding ${[top, bottom, left, right]}`,
    );
  }
  const whole = { images, input: [height, width], channels, output, columns, kernel: [kh, kw], stride } as const;
  return { ...whole, padding: [top, left], dilation, groups };
}
