import { type Checks, expectOptions, oneOf } from "../../arguments.ts";
import { isRecording } from "../../autograd.ts";
import type { Tensor } from "../../tensor.ts";
import { relu6 } from "../activations.ts";
import {
  type BatchNormOptions,
  type BatchNormState,
  batchNorm,
  expectState,
  normChecks,
  runningMoments,
} from "../norm.ts";
import { expectOperands } from "../operands.ts";
import { conv2d, conv2dThen } from "./conv.ts";
import { type ConvOptions, convChecks } from "./conv-shape.ts";

export interface ConvNormOptions extends ConvOptions, Omit<BatchNormOptions, "relu"> {
  /** What ends it, after the residual; nothing unless given. */
  readonly activation?: "relu" | "relu6" | undefined;
}

const { relu: _, ...norms } = normChecks;
const checks: Checks<ConvNormOptions> = { ...convChecks, ...norms, activation: oneOf("relu", "relu6") };

/**
 * y = activation(batchNorm(conv2d(x)) + residual), as {@link conv2d} and {@link batchNorm} describe them. x: [N, H, W, C],
 * weight: [KH, KW, C / groups, O], residual: as y. With running statistics, no residual and nothing to differentiate one
 * kernel makes it and no map between is stored: in f32 the same operations in the same order, in f16 a rounding less.
 * @throws ShapeError when the extents do not fit
 */
export function convNorm(x: Tensor, weight: Tensor, state: BatchNormState, options: ConvNormOptions): Tensor {
  expectOptions("convNorm", options, checks);
  expectState("convNorm", state);
  const { scale, shift } = state;
  expectOperands(
    "convNorm",
    options.residual ? { x, weight, scale, residual: options.residual } : { x, weight, scale, shift },
  );
  const { training, epsilon = 1e-5, momentum, residual, activation, ...convolution } = options;
  const columns = weight.shape.at(-1)!;
  const inputs = [x, weight, state.scale, state.shift, convolution.bias].filter((tensor) => !!tensor);
  const differentiated = isRecording() && inputs.some((tensor) => tensor.tracked);
  const plain = training || differentiated || residual || (convolution.groups ?? 1) > 1 || columns % 4 > 0;
  if (plain) {
    const relu = activation === "relu";
    const y = batchNorm(conv2d(x, weight, convolution), state, { training, epsilon, momentum, residual, relu });
    return activation === "relu6" ? relu6(y) : y;
  }
  const { device } = x;
  const y = device.scope(() => {
    const norm = { moments: runningMoments(device, state, columns, epsilon), scale: state.scale, shift: state.shift };
    return conv2dThen(x, weight, convolution, { norm, activation });
  });
  device.journal?.push({ operation: "convNorm", inputs, output: y, details: { state, options, epsilon } });
  device.labels.record("convNorm", inputs, y);
  device.numbers?.examine("convNorm", "forward", inputs, y);
  return y;
}
