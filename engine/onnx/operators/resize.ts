import { type Resampling, resample, resampling } from "../../ops/pictures/resample.ts";
import { reshape } from "../../ops/shape.ts";
import { sizeOf, type Tensor } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import { Value } from "../value.ts";

/** How an axis is resized. */
interface Axis {
  readonly inputs: number;
  readonly outputs: number;
  /** outputs / inputs as the model says it, which may differ from the quotient. */
  readonly scale: number;
  /** The part of the axis, as shares, for "tf_crop_and_resize". */
  readonly part: readonly [from: number, to: number];
}

interface Manner {
  readonly mode: string;
  readonly coordinates: string;
  readonly rounding: string;
  readonly cubic: number;
  readonly excludeOutside: boolean;
  readonly antialias: boolean;
}

/** Where output i looks in an axis of inputs. */
function center(i: number, { inputs, outputs, scale, part }: Axis, coordinates: string): number {
  switch (coordinates) {
    case "align_corners":
      // The reference takes the length before it is cut to a whole one.
      return outputs === 1 ? 0 : (i * (inputs - 1)) / (scale * inputs - 1);
    case "asymmetric":
      return i / scale;
    case "pytorch_half_pixel":
      return outputs > 1 ? (i + 0.5) / scale - 0.5 : 0;
    case "tf_half_pixel_for_nn":
      return (i + 0.5) / scale;
    case "half_pixel_symmetric": {
      const adjustment = outputs / (scale * inputs);
      return (inputs / 2) * (1 - adjustment) + (i + 0.5) / scale - 0.5;
    }
    case "tf_crop_and_resize": {
      const [from, to] = part;
      if (outputs === 1) return 0.5 * (from + to) * (inputs - 1);
      return from * (inputs - 1) + (i * (to - from) * (inputs - 1)) / (outputs - 1);
    }
    default:
      return (i + 0.5) / scale - 0.5;
  }
}

const roundings: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** Keys' cubic of distance d (Keys 1981). */
function cubic(d: number, a: number): number {
  const x = Math.abs(d);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** Weights of the inputs at whole places, before they are brought inside of the axis. */
function taps(at: number, scale: number, manner: Manner): { first: number; weights: number[] } {
  const { mode, rounding, antialias } = manner;
  if (mode === "nearest") return { first: roundings[rounding]!(at), weights: [1] };
  const reach = mode === "linear" ? 1 : 2;
  const kernel =
    mode === "linear" ? (d: number) => Math.max(0, 1 - Math.abs(d)) : (d: number) => cubic(d, manner.cubic);
  // Where a picture shrinks, the filter is widened to look at all of it.
  const stretch = antialias && scale < 1 ? scale : 1;
  const first = Math.ceil(at - reach / stretch);
  const last = Math.floor(at + reach / stretch);
  const weights = Array.from({ length: last - first + 1 }, (_, t) => kernel((first + t - at) * stretch));
  return { first, weights };
}

/** The linear map of an axis. */
function mapOf(axis: Axis, manner: Manner): Resampling {
  const { inputs, outputs, scale } = axis;
  return resampling(inputs, outputs, (i) => {
    const at = center(i, axis, manner.coordinates);
    if (manner.coordinates === "tf_crop_and_resize" && (at < 0 || at > inputs - 1)) return { first: 0, weights: [] };
    const { first, weights } = taps(at, scale, manner);
    const inside = Array(inputs).fill(0) as number[];
    let total = 0;
    weights.forEach((weight, t) => {
      const place = first + t;
      if ((manner.excludeOutside || manner.antialias) && (place < 0 || place >= inputs)) return;
      inside[Math.min(Math.max(place, 0), inputs - 1)]! += weight;
      total += weight;
    });
    const used = inside.flatMap((weight, place) => (weight === 0 ? [] : [place]));
    const [from, to] = [used[0] ?? 0, used.at(-1) ?? 0];
    return { first: from, weights: inside.slice(from, to + 1).map((weight) => weight / total) };
  });
}

/** One axis of x: [outer, inputs, inner]. */
function along(x: Tensor, axis: Axis, manner: Manner): Tensor {
  const name = `onnx ${Object.values(manner).join(" ")} ${axis.scale} ${axis.part}`;
  const [outer, , inner] = x.shape as [number, number, number];
  const pictures = reshape(x, [outer, axis.inputs, 1, inner]);
  const map = () => mapOf(axis, manner);
  return reshape(resample("resize", pictures, { height: axis.outputs, width: 1 }, { name, map }), [
    outer,
    axis.outputs,
    inner,
  ]);
}

/** Brings some axes of x to other extents, which may lie with the channels last. */
function resized(x: Value, axes: readonly Axis[], manner: Manner): Value {
  const last = x.rank > 2 && x.liesChannelsLast;
  const start = last ? x.channelsLast() : x.tensor();
  const order = last ? [axes[0]!, ...axes.slice(2), axes[1]!] : axes;
  const y = order.reduce<Tensor>((tensor, axis, d) => {
    if (axis.inputs === axis.outputs && axis.scale === 1) return tensor;
    const [before, after] = [tensor.shape.slice(0, d), tensor.shape.slice(d + 1)];
    const rows = along(reshape(tensor, [sizeOf(before), axis.inputs, sizeOf(after)]), axis, manner);
    return reshape(rows, [...before, axis.outputs, ...after]);
  }, start);
  const made = y === start ? y.alias() : y;
  return last ? Value.channelsLast(x.type, made) : Value.of(x.type, made);
}

const resize: Operator = (call) => {
  const x = call.value(0);
  // Operator set 10 has no part and no sizes.
  const [roi, scalesAt, sizesAt] = call.opset >= 11 ? [1, 2, 3] : [-1, 1, -1];
  const given = (i: number) => (i >= 0 && call.has(i) && call.value(i).size > 0 ? call.integers(i) : undefined);
  const [scales, sizes, part] = [given(scalesAt), given(sizesAt), given(roi)];
  const named = (call.list("axes") ?? x.shape.map((_, axis) => axis)).map((axis) => call.axis(axis, x.rank));
  const ratio = sizes && keptRatio(call, x, named, sizes);
  const axes = x.shape.map((inputs, axis): Axis => {
    const i = named.indexOf(axis);
    const whole = { inputs, outputs: inputs, scale: 1, part: [0, 1] as const };
    if (i < 0) return whole;
    const share: readonly [number, number] = part ? [part[i]!, part[i + named.length]!] : [0, 1];
    if (ratio) return { inputs, part: share, outputs: ratio[i]!.outputs, scale: ratio[i]!.scale };
    const scale = Math.fround(scales![i]!);
    return { inputs, part: share, scale, outputs: Math.floor(inputs * scale * (share[1] - share[0])) };
  });
  const manner: Manner = {
    mode: call.text("mode", "nearest"),
    coordinates: call.text("coordinate_transformation_mode", call.opset >= 11 ? "half_pixel" : "asymmetric"),
    rounding: call.opset >= 11 ? call.text("nearest_mode", "round_prefer_floor") : "floor",
    cubic: call.number("cubic_coeff_a", -0.75),
    excludeOutside: call.flag("exclude_outside"),
    antialias: call.flag("antialias"),
  };
  if (call.number("extrapolation_value", 0) !== 0) throw call.unsupported("an extrapolation value other than 0");
  return resized(x, axes, manner);
};

/** Extents and scales for `sizes`, one scale for all axes where the model asks for that. */
function keptRatio(call: Call, x: Value, axes: readonly number[], sizes: readonly number[]) {
  const policy = call.text("keep_aspect_ratio_policy", "stretch");
  const quotients = axes.map((axis, i) => sizes[i]! / x.shape[axis]!);
  if (policy === "stretch") return sizes.map((outputs, i) => ({ outputs, scale: quotients[i]! }));
  const scale = policy === "not_larger" ? Math.min(...quotients) : Math.max(...quotients);
  return axes.map((axis) => ({ outputs: Math.round(scale * x.shape[axis]!), scale }));
}

/** Until operator set 9: every output shows the input at the floor of its place. */
const upsample: Operator = (call) => {
  const x = call.value(0);
  const scales = call.integers(1, "scales")!;
  const axes = x.shape.map((inputs, axis): Axis => {
    const scale = scales[axis]!;
    return { inputs, outputs: Math.floor(inputs * scale), scale, part: [0, 1] };
  });
  const mode = call.text("mode", "nearest");
  const manner = {
    mode,
    coordinates: "asymmetric",
    rounding: "floor",
    cubic: 0,
    excludeOutside: false,
    antialias: false,
  };
  return resized(x, axes, manner);
};

export const resizeOperators: Operators = { Resize: resize, Upsample: upsample };
