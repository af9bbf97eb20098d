import { isRecording } from "../autograd.ts";
import { type Shape, Tensor } from "../tensor.ts";
import type { Trial, Way } from "../tune/tuner.ts";
import { relu6 } from "./activation.ts";
import { type ConvOptions, conv2d, conv2dThen } from "./conv.ts";
import { type BatchNormOptions, type BatchNormState, batchNorm, runningMoments } from "./norm.ts";

export interface ConvNormOptions extends ConvOptions, Omit<BatchNormOptions, "relu"> {
  /** What ends it, after the residual; nothing unless given. */
  readonly activation?: "relu" | "relu6" | undefined;
}

/** Reading the residual where rows are written can cost more than a pass of its own. */
const ways: readonly Way[] = [{ name: "fused" }, { name: "separate" }];

/**
 * y = activation(batchNorm(conv2d(x)) + residual), as {@link conv2d} and {@link batchNorm} describe them. x: [N, H, W, C],
 * weight: [KH, KW, C / groups, O], residual: as y. With running statistics and nothing to differentiate, one kernel can
 * make it and no map between is stored: in f32 by the same operations in the same order, in f16 with one rounding less.
 * @throws ShapeError when the extents do not fit
 */
export function convNorm(x: Tensor, weight: Tensor, state: BatchNormState, options: ConvNormOptions): Tensor {
  const { residual, bias, training, groups = 1 } = options;
  const inputs = [x, weight, state.scale, state.shift, bias, residual].filter((tensor) => !!tensor);
  const differentiated = isRecording() && inputs.some((tensor) => tensor.tracked);
  if (training || differentiated || groups > 1 || weight.shape.at(-1)! % 4 > 0)
    return separate(x, weight, state, options);
  const { device } = x;
  const y = device.scope(() => {
    // Only in f32 is the choice free: elsewhere it would change the result.
    if (x.dtype !== "f32") return fused(x, weight, state, options);
    const way = device.tuner.choose(describe(x, weight, options), ways, () => trial(x, weight, state, options));
    return way.name === "fused" ? fused(x, weight, state, options) : separate(x, weight, state, options);
  });
  device.numbers?.examine("convNorm", "forward", inputs, y);
  return y;
}

function separate(x: Tensor, weight: Tensor, state: BatchNormState, options: ConvNormOptions): Tensor {
  const { training, epsilon, momentum, residual, activation, ...convolution } = options;
  const relu = activation === "relu";
  const normalised = batchNorm(conv2d(x, weight, convolution), state, {
    training,
    relu,
    ...(epsilon !== undefined && { epsilon }),
    ...(momentum !== undefined && { momentum }),
    ...(residual && { residual }),
  });
  return activation === "relu6" ? relu6(normalised) : normalised;
}

function fused(x: Tensor, weight: Tensor, state: BatchNormState, options: ConvNormOptions): Tensor {
  const { epsilon = 1e-5, residual, activation, ...convolution } = options;
  const moments = runningMoments(x.device, state, weight.shape.at(-1)!, epsilon);
  const norm = { moments, scale: state.scale, shift: state.shift };
  return conv2dThen(x, weight, convolution, { norm, residual, activation });
}

/** Images of a trial: more take proportionally longer and much memory. */
const trialImages = 8;

/** What the time depends on; numbers of images beyond those of a trial are alike. */
function describe(
  x: Tensor,
  weight: Tensor,
  { stride = 1, padding = 0, residual, activation }: ConvNormOptions,
): string {
  const [images, ...map] = x.shape as [number, ...number[]];
  const end = `${residual ? "residual, " : ""}${activation ?? "no activation"}`;
  return `convNorm ${Math.min(images, trialImages)}x[${map}] by [${weight.shape}], stride ${stride}, padding ${padding}, ${end}`;
}

/** The same on tensors of its own. */
function trial(x: Tensor, weight: Tensor, state: BatchNormState, options: ConvNormOptions): Trial<Way> {
  const own: Tensor[] = [];
  const zeros = ({ device, dtype }: Tensor, shape: Shape) => {
    const tensor = Tensor.zeros(device, shape, dtype).keep();
    own.push(tensor);
    return tensor;
  };
  const like = (tensor: Tensor) => zeros(tensor, tensor.shape);
  const some = (tensor: Tensor) => zeros(tensor, [Math.min(tensor.shape[0]!, trialImages), ...tensor.shape.slice(1)]);
  const ownState = {
    scale: like(state.scale),
    shift: like(state.shift),
    runningMean: like(state.runningMean),
    runningVariance: like(state.runningVariance),
  };
  const [maps, ownWeight, { bias, residual }] = [some(x), like(weight), options];
  const ownOptions = { ...options, ...(bias && { bias: like(bias) }), ...(residual && { residual: some(residual) }) };
  return {
    run: ({ name }) =>
      x.device.scope(() => {
        (name === "fused" ? fused : separate)(maps, ownWeight, ownState, ownOptions);
      }),
    dispose: () => {
      for (const tensor of own) tensor.dispose();
    },
  };
}
