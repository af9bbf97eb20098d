import { relu, relu6 } from "../../ops/activations.ts";
import { add } from "../../ops/arithmetic.ts";
import type { Pair } from "../../ops/contraction/contract.ts";
import { conv2d, conv2dThen } from "../../ops/contraction/conv.ts";
import { convNorm } from "../../ops/contraction/conv-norm.ts";
import { convTranspose2d } from "../../ops/contraction/conv-transpose.ts";
import { pad, permute, slice } from "../../ops/join.ts";
import { reshape } from "../../ops/shape.ts";
import type { Tensor } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import { Value } from "../value.ts";
import { asPicture, span, windowsOf } from "./windows.ts";

/** Maps [N, places…, C] of one or two axes as pictures [N, H, W, C]. */
export function pictureOf(call: Call, x: Value): Tensor {
  const tensor = x.channelsLast();
  if (x.rank === 4) return tensor;
  if (x.rank === 3) return reshape(tensor, [x.shape[0]!, 1, x.shape[2]!, x.shape[1]!]);
  throw call.unsupported(`a map of ${x.rank - 2} axes`);
}

/** A map of a picture that was made from one of `rank` axes. */
export function mapOf(x: Value, picture: Tensor): Value {
  if (x.rank === 4) return Value.channelsLast(x.type, picture);
  const [images, , width, channels] = picture.shape as [number, number, number, number];
  return Value.channelsLast(x.type, reshape(picture, [images, width, channels]));
}

/** The weight [O, I, KH, KW] of input 1 as [KH, KW, I, O]; a pass over the graph may have brought it to that order. */
function weightOf(call: Call): Tensor {
  const weight = call.tensor(1);
  const last = weight.shape.map((_, axis) => axis).slice(2);
  const turned = call.flag(turnedWeight) ? weight : permute(weight, [...last, 1, 0]);
  return turned.rank === 3 ? reshape(turned, [1, ...turned.shape]) : turned;
}

/** Attribute of a convolution whose weight is [KH, KW, I, O] already. */
export const turnedWeight = "acutance.weight";
/** Attribute of a convolution that ends with "Relu" or "Relu6". */
export const activationName = "acutance.activation";
/** Attribute of a convolution with inputs 3 to 6 of a batch normalisation, and 7 that is added behind it. */
export const normEpsilon = "acutance.epsilon";

const activations = { Relu: "relu", Relu6: "relu6" } as const;

const convolution: Operator = (call) => {
  const x = call.value(0);
  if (!x.isFloat) throw call.unsupported(`an input of ${x.type}`);
  const picture = pictureOf(call, x);
  const weight = weightOf(call);
  const places = x.shape.slice(2);
  const kernel = weight.shape.slice(0, 2).slice(-places.length);
  const windows = asPicture(windowsOf(call, places, kernel));
  const options = {
    stride: windows.strides as Pair,
    padding: [0, 1].map((axis) => [windows.before[axis]!, windows.after[axis]!]) as unknown as [Pair, Pair],
    dilation: windows.dilations as Pair,
    groups: call.number("group", 1),
    bias: call.has(2) ? call.tensor(2) : undefined,
  };
  return mapOf(x, ended(call, picture, weight, options));
};

/** A convolution with what was found behind it. */
function ended(call: Call, x: Tensor, weight: Tensor, options: Parameters<typeof conv2d>[2] & object): Tensor {
  const activation = activations[call.text(activationName, "") as keyof typeof activations];
  const epsilon = call.number(normEpsilon);
  if (epsilon !== undefined) {
    const [scale, shift, runningMean, runningVariance] = [3, 4, 5, 6].map((i) => call.tensor(i)) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const state = { scale, shift, runningMean, runningVariance };
    const given = { ...options, training: false, epsilon };
    if (!call.has(7)) return convNorm(x, weight, state, { ...given, activation });
    return convNorm(x, weight, state, { ...given, residual: pictureOf(call, call.value(7)), activation });
  }
  if (activation && options.groups === 1 && weight.shape[3]! % 4 === 0)
    return conv2dThen(x, weight, options, { activation });
  const y = conv2d(x, weight, options);
  return activation === "relu" ? relu(y) : activation === "relu6" ? relu6(y) : y;
}

/** The convolution whose input gradient it is, without its margins, which are cut off afterwards. */
const transposedConvolution: Operator = (call) => {
  const x = call.value(0);
  if (!x.isFloat) throw call.unsupported(`an input of ${x.type}`);
  const picture = pictureOf(call, x);
  const weight = weightOf(call);
  const places = x.shape.slice(2);
  const kernel = weight.shape.slice(0, 2).slice(-places.length);
  const { strides, dilations, before, after } = asPicture(windowsOf(call, places, kernel));
  const one = places.length === 1;
  const list = (name: string) =>
    call.list(name) && [...(one ? [name === "output_shape" ? 1 : 0] : []), ...call.list(name)!];
  const extra = list("output_padding") ?? [0, 0];
  const wanted = list("output_shape");
  const automatic = call.text("auto_pad", "NOTSET");
  const full = [0, 1].map(
    (axis) =>
      (picture.shape[axis + 1]! - 1) * strides[axis]! + span(weight.shape[axis]!, dilations[axis]!) + extra[axis]!,
  );
  const margins = [0, 1].map((axis): [number, number] => {
    const target =
      wanted?.[axis] ?? (automatic.startsWith("SAME") ? picture.shape[axis + 1]! * strides[axis]! : undefined);
    if (target === undefined) return [before[axis]!, after[axis]!];
    const total = full[axis]! - target;
    if (total < 0) return [0, total];
    const small = Math.trunc(total / 2);
    return automatic === "SAME_UPPER" ? [small, total - small] : [total - small, small];
  });
  const options = {
    stride: strides as Pair,
    dilation: dilations as Pair,
    groups: call.number("group", 1),
    outputPadding: extra as unknown as Pair,
  };
  const bias = call.has(2) ? call.tensor(2) : undefined;
  if (margins.flat().every((count) => count >= 0))
    return mapOf(
      x,
      convTranspose2d(picture, weight, { ...options, padding: margins as unknown as [Pair, Pair], bias }),
    );
  const y = cut(convTranspose2d(picture, weight, options), margins);
  return mapOf(x, bias ? add(y, bias) : y);
};

/** Takes so many lines and columns off both ends, or puts zeros there where the count is negative. */
function cut(x: Tensor, margins: readonly (readonly [number, number])[]): Tensor {
  const [first, last] = [0, 1].map((end) => [0, ...margins.map((each) => each[end]!), 0]) as [number[], number[]];
  const less = (counts: number[]) => counts.map((count) => Math.max(0, count));
  const more = (counts: number[]) => counts.map((count) => Math.max(0, -count));
  const ends = x.shape.map((extent, axis) => extent - less(last)[axis]!);
  const inner = [...first, ...last].some((count) => count > 0) ? slice(x, less(first), ends) : x;
  return [...first, ...last].some((count) => count < 0) ? pad(inner, more(first), more(last)) : inner;
}

export const convOperators: Operators = { Conv: convolution, ConvTranspose: transposedConvolution };
