import { add, divide, multiply, pow, subtract } from "../../ops/arithmetic.ts";
import type { Pair } from "../../ops/contraction/contract.ts";
import { pad } from "../../ops/join.ts";
import { groupNorm, instanceNorm, layerNorm, rmsNorm } from "../../ops/layer-norm.ts";
import { batchNorm } from "../../ops/norm.ts";
import { averagePool2d } from "../../ops/pool.ts";
import { mean, sum } from "../../ops/reduce.ts";
import { reshape } from "../../ops/shape.ts";
import { abs, scale, sqrt, square } from "../../ops/unary.ts";
import { sizeOf, Tensor } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import { Value } from "../value.ts";
import { reduced } from "./reduce.ts";

/** Rows with the channels last: of a map, or of what has no places. */
function rowsOf(x: Value): Tensor {
  return x.rank > 2 ? x.channelsLast() : x.tensor();
}

function lying(x: Value, y: Tensor): Value {
  return x.rank > 2 ? Value.channelsLast(x.type, y) : Value.of(x.type, y);
}

const batchNormalization: Operator = (call) => {
  const x = call.value(0);
  const [scaleOf, shift, runningMean, runningVariance] = [1, 2, 3, 4].map((i) => call.tensor(i)) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const epsilon = call.number("epsilon", 1e-5);
  const state = { scale: scaleOf, shift, runningMean, runningVariance };
  if (!call.flag("training_mode")) return lying(x, batchNorm(rowsOf(x), state, { training: false, epsilon }));
  const rows = rowsOf(x);
  const flat = reshape(rows, [rows.size / rows.shape.at(-1)!, rows.shape.at(-1)!]);
  const center = mean(flat, 0);
  const variance = mean(square(subtract(flat, center)), 0);
  const own = { ...state, runningMean: center, runningVariance: variance };
  const momentum = call.number("momentum", 0.9);
  const mixed = (old: Tensor, now: Tensor) => Value.of(x.type, add(scale(old, momentum), scale(now, 1 - momentum)));
  const y = batchNorm(rows, own, { training: false, epsilon });
  return [lying(x, y), mixed(runningMean, center), mixed(runningVariance, variance)];
};

/** Each group of channels of each image by its own mean and variance, then scale and shift by channel. */
function groupNormalised(call: Call, groups: number): Value {
  const x = call.value(0);
  const channels = x.shape[1]!;
  const [factors, shifts] = [1, 2].map((i) => perChannel(call, call.tensor(i), channels)) as [Tensor, Tensor];
  const epsilon = call.number("epsilon", 1e-5);
  const y =
    groups === channels
      ? instanceNorm(x.channelsLast(), factors, shifts, epsilon)
      : groupNorm(x.channelsLast(), groups, factors, shifts, epsilon);
  return Value.channelsLast(x.type, y);
}

/** Operator set 18 has a number for each group, 21 for each channel. */
function perChannel(call: Call, given: Tensor, channels: number): Tensor {
  if (given.size === channels) return given;
  const repeats = call.constant(Array(channels / given.size).fill(1));
  return reshape(multiply(reshape(given, [given.size, 1]), repeats), [channels]);
}

const layerNormalization: Operator = (call) => {
  const x = call.value(0);
  const axis = call.axis(call.number("axis", -1), x.rank);
  const columns = sizeOf(x.shape.slice(axis));
  const epsilon = call.number("epsilon", 1e-5);
  const rows = reshape(x.tensor(), [x.size / columns, columns]);
  const whole = (i: number) => call.has(i) && call.value(i).size === columns;
  const shift = call.has(2) ? call.tensor(2) : Tensor.zeros(call.device, [columns]);
  if (!whole(1) || (call.has(2) && !whole(2)))
    throw call.unsupported("a scale of another shape than the normalised axes");
  const y = layerNorm(rows, reshape(call.tensor(1), [columns]), reshape(shift, [columns]), epsilon);
  const outputs: (Value | undefined)[] = [Value.of(x.type, reshape(y, x.shape))];
  if (call.wants(1) || call.wants(2)) {
    const shape = x.shape.map((extent, d) => (d < axis ? extent : 1));
    const center = mean(rows, 1);
    const variance = mean(square(subtract(rows, reshape(center, [rows.shape[0]!, 1]))), 1);
    outputs.push(Value.of(x.type, reshape(center, shape)));
    outputs.push(Value.of(x.type, reshape(pow(sqrt(add(variance, epsilon)), -1), shape)));
  }
  return outputs;
};

/** x / (bias + alpha · mean of x² over neighbouring channels)^beta. */
const localResponse: Operator = (call) => {
  const x = call.value(0);
  const rows = x.channelsLast();
  const channels = rows.shape.at(-1)!;
  const size = call.number("size", 1);
  const before = Math.floor((size - 1) / 2);
  const lines = reshape(square(rows), [rows.size / channels, 1, channels, 1]);
  const wide = pad(lines, [0, 0, before, 0], [0, 0, size - 1 - before, 0]);
  const means = averagePool2d(wide, { kernel: [1, size] as Pair, stride: 1 });
  const divisor = pow(
    add(scale(reshape(means, rows.shape), call.number("alpha", 1e-4)), call.number("bias", 1)),
    call.number("beta", 0.75),
  );
  return Value.channelsLast(x.type, divide(rows, divisor));
};

/** (x − mean) / standard deviation over some axes. */
const meanVariance: Operator = (call) => {
  const x = call.value(0);
  const axes = call.list("axes") ?? [0, 2, 3];
  const means = (value: Value) =>
    reduced(
      value,
      [...axes].sort((a, b) => a - b),
      true,
      (rows) => mean(rows, 1),
    ).tensor();
  const centred = subtract(x.tensor(), means(x));
  const deviation = sqrt(means(Value.of(x.type, square(centred))));
  return Value.of(x.type, divide(centred, add(deviation, 1e-9)));
};

/** x / √(mean of x² + ε) over the axes from one on. */
const rootMeanSquare: Operator = (call) => {
  const x = call.value(0);
  const columns = sizeOf(x.shape.slice(call.axis(call.number("axis", -1), x.rank)));
  if (call.value(1).size !== columns) throw call.unsupported("a scale of another shape than the normalised axes");
  const rows = reshape(x.tensor(), [x.size / columns, columns]);
  const y = rmsNorm(rows, reshape(call.tensor(1), [columns]), call.number("epsilon", 1e-5));
  return Value.of(x.type, reshape(y, x.shape));
};

/** x divided by the length of its rows along an axis: Σ |x| or √(Σ x²). */
const lengthOne: Operator = (call) => {
  const x = call.value(0);
  const axis = call.axis(call.number("axis", -1), x.rank);
  const isEuclidean = call.number("p", 2) === 2;
  const along = (rows: Tensor) => (isEuclidean ? sqrt(sum(square(rows), 1)) : sum(abs(rows), 1));
  return Value.of(x.type, divide(x.tensor(), reduced(x, [axis], true, along).tensor()));
};

export const normOperators: Operators = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: (call) => groupNormalised(call, call.value(0).shape[1]!),
  GroupNormalization: (call) => groupNormalised(call, call.number("num_groups", 1)),
  LayerNormalization: layerNormalization,
  RMSNormalization: rootMeanSquare,
  SimplifiedLayerNormalization: rootMeanSquare,
  LpNormalization: lengthOne,
  LRN: localResponse,
  MeanVarianceNormalization: meanVariance,
};
