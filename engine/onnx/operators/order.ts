import type { Device } from "../../device/device.ts";
import { cumulativeSum } from "../../ops/cumulative-sum.ts";
import { gatherRows } from "../../ops/gather.ts";
import { reshape, transpose } from "../../ops/shape.ts";
import { type ArgmaxOptions, argmax, argmin, topK } from "../../ops/top-k.ts";
import { sizeOf, Tensor } from "../../tensor.ts";
import type { Operator, Operators } from "../call.ts";
import { numbersFor } from "../elements.ts";
import { Value } from "../value.ts";

/** Place of the largest or smallest element along an axis. */
function argument(work: (x: Tensor, axis: number, options: ArgmaxOptions) => Tensor): Operator {
  return (call) => {
    const x = call.value(0);
    if (!x.isFloat) throw call.unsupported(`an input of ${x.type}`);
    const axis = call.axis(call.number("axis", 0), x.rank);
    const places = work(x.tensor(), axis, { last: call.flag("select_last_index") });
    const shape = call.flag("keepdims", true) ? x.shape.with(axis, 1) : x.shape.toSpliced(axis, 1);
    return Value.of("int64", reshape(places, shape));
  };
}

const largest: Operator = (call) => {
  const x = call.value(0);
  if (!x.isFloat) throw call.unsupported(`an input of ${x.type}`);
  const k = call.has(1) ? call.scalar(1) : call.number("k", 1);
  const axis = call.axis(call.number("axis", -1), x.rank);
  const { values, indices } = topK(x.tensor(), k, { axis, largest: call.flag("largest", true) });
  return [Value.of(x.type, values), Value.of("int64", indices)];
};

const runningSum: Operator = (call) => {
  const x = call.value(0);
  const axis = call.axis(call.scalar(1), x.rank);
  const options = { reverse: call.flag("reverse"), exclusive: call.flag("exclusive") };
  if (x.isFloat) return Value.of(x.type, cumulativeSum(x.tensor(), axis, options));
  const numbers = x.numbers();
  const result = numbersFor(x.type, x.size);
  const [extent, inner] = [x.shape[axis]!, sizeOf(x.shape.slice(axis + 1))];
  for (let row = 0; row < x.size / extent; row++) {
    let sum = 0;
    for (let step = 0; step < extent; step++) {
      const along = options.reverse ? extent - 1 - step : step;
      const i = (Math.floor(row / inner) * extent + along) * inner + (row % inner);
      if (!options.exclusive) sum += numbers[i]!;
      result[i] = sum;
      if (options.exclusive) sum += numbers[i]!;
    }
  }
  return call.host(x.type, x.shape, result);
};

/** 1 at the first largest element along an axis, 0 elsewhere. */
const hardmax: Operator = (call) => {
  const x = call.value(0);
  const flattens = call.opset < 13;
  const axis = call.axis(call.number("axis", flattens ? 1 : -1), x.rank);
  const shape = flattens ? [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))] : x.shape;
  const along = flattens ? 1 : axis;
  // One-hot rows by place, brought to the axis.
  const extent = shape[along]!;
  const places = reshape(argmax(reshape(x.tensor(), shape), along), [x.size / extent]);
  const rows = gatherRows(identity(call.device, extent), places);
  const inner = sizeOf(shape.slice(along + 1));
  const back = transpose(reshape(rows, [x.size / extent / inner, inner, extent]));
  return Value.of(x.type, reshape(inner === 1 ? rows : back, x.shape));
};

/** The matrix with 1 on its diagonal. */
function identity(device: Device, extent: number): Tensor {
  const numbers = new Float32Array(extent * extent);
  for (let i = 0; i < extent; i++) numbers[i * extent + i] = 1;
  return Tensor.constant(device, numbers, [extent, extent]);
}

export const orderOperators: Operators = {
  ArgMax: argument(argmax),
  ArgMin: argument(argmin),
  TopK: largest,
  CumSum: runningSum,
  Hardmax: hardmax,
};
