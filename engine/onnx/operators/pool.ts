import { divide } from "../../ops/arithmetic.ts";
import type { Pair } from "../../ops/contraction/contract.ts";
import { amax } from "../../ops/extremes.ts";
import { gatherRows } from "../../ops/gather.ts";
import { concat, permute } from "../../ops/join.ts";
import { averagePool2d, globalAveragePool, maxPool2d, type PoolOptions } from "../../ops/pool.ts";
import { mean, sum } from "../../ops/reduce.ts";
import { reshape } from "../../ops/shape.ts";
import { topK } from "../../ops/top-k.ts";
import { sizeOf, Tensor } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import { numbersFor } from "../elements.ts";
import { eachPlace, nowhere, stridesOf, takenTensor } from "../places.ts";
import { Value } from "../value.ts";
import { mapOf, pictureOf } from "./conv.ts";
import { reduced } from "./reduce.ts";
import { asPicture, type Windows, windowsOf } from "./windows.ts";

/** For every output and tap in order, the place in the map, or {@link nowhere}. */
function tapsOf({ inputs, kernel, strides, dilations, before, outputs }: Windows): Uint32Array<ArrayBuffer> {
  const taps = new Uint32Array(sizeOf(outputs) * sizeOf(kernel));
  const steps = stridesOf(inputs);
  eachPlace([...outputs, ...kernel], (at, i) => {
    let place = 0;
    for (let axis = 0; axis < inputs.length; axis++) {
      const along = at[axis]! * strides[axis]! - before[axis]! + at[axis + inputs.length]! * dilations[axis]!;
      if (along < 0 || along >= inputs[axis]!) {
        taps[i] = nowhere;
        return;
      }
      place += along * steps[axis]!;
    }
    taps[i] = place;
  });
  return taps;
}

/** The elements below every window as rows [N · outputs, taps, C]; beside the map stands `outside`. */
function unfolded(call: Call, x: Value, windows: Windows, taps: Uint32Array, outside: number): Tensor {
  const [images, channels] = x.shape as [number, number];
  const size = sizeOf(windows.inputs);
  const table = reshape(x.channelsLast(), [images * size, channels]);
  const margin = call.constant(Array(channels).fill(outside), [1, channels]);
  const places = new Uint32Array(images * taps.length);
  for (let image = 0; image < images; image++) {
    taps.forEach((tap, i) => {
      places[image * taps.length + i] = tap === nowhere ? images * size : image * size + tap;
    });
  }
  const rows = gatherRows(concat([table, margin]), Tensor.constant(call.device, places, [places.length]));
  const count = sizeOf(windows.kernel);
  return reshape(rows, [places.length / count, count, channels]);
}

function mapped(x: Value, windows: Windows, y: Tensor): Value {
  return Value.channelsLast(x.type, reshape(y, [x.shape[0]!, ...windows.outputs, x.shape[1]!]));
}

/** The options of a pool of the engine for such windows. */
function optionsOf(call: Call, windows: Windows): PoolOptions {
  const { kernel, strides, dilations, before, after } = asPicture(windows);
  const padding = [0, 1].map((axis) => [before[axis]!, after[axis]!]) as unknown as [Pair, Pair];
  const ceilMode = call.flag("ceil_mode");
  return { kernel: kernel as Pair, stride: strides as Pair, dilation: dilations as Pair, padding, ceilMode };
}

/** Extents up to which the engine has maxima of windows. */
const mostTaps = 16;

const maxPool: Operator = (call) => {
  const x = call.value(0);
  const windows = windowsOf(call, x.shape.slice(2), call.list("kernel_shape")!);
  if (!x.isFloat) return maxOnHost(call, x, windows);
  const fits = [...windows.kernel, ...windows.strides].every((extent) => extent <= mostTaps);
  if (!call.wants(1) && windows.inputs.length <= 2 && fits)
    return mapOf(x, maxPool2d(pictureOf(call, x), optionsOf(call, windows)));
  const taps = tapsOf(windows);
  const rows = unfolded(call, x, windows, taps, Number.NEGATIVE_INFINITY);
  if (!call.wants(1)) return mapped(x, windows, amax(rows, 1));
  const [count, length, channels] = rows.shape as [number, number, number];
  const { values, indices } = topK(reshape(permute(rows, [0, 2, 1]), [count * channels, length]), 1);
  // Which tap it was; where that lies is told on the host when somebody asks.
  return [mapped(x, windows, values), placesOfTaps(call, x, windows, taps, indices)];
};

/** Places in the whole of x, row by row, or with columns running first, of the taps that were largest. */
function placesOfTaps(call: Call, x: Value, windows: Windows, taps: Uint32Array, indices: Tensor): Value {
  const [images, channels] = x.shape as [number, number];
  const byColumns = call.flag("storage_order");
  const [size, outputs, length] = [sizeOf(windows.inputs), sizeOf(windows.outputs), sizeOf(windows.kernel)];
  const [height, width] = windows.inputs as [number, number];
  return Value.later("int64", [images, channels, ...windows.outputs], indices, (which) => {
    const places = new Float64Array(which.length);
    for (let image = 0; image < images; image++) {
      for (let output = 0; output < outputs; output++) {
        for (let channel = 0; channel < channels; channel++) {
          const tap = which[(image * outputs + output) * channels + channel]!;
          const place = taps[output * length + tap]!;
          const turned = byColumns ? (place % width) * height + Math.floor(place / width) : place;
          places[(image * channels + channel) * outputs + output] = (image * channels + channel) * size + turned;
        }
      }
    }
    return places;
  });
}

function maxOnHost(call: Call, x: Value, windows: Windows): Value {
  const taps = tapsOf(windows);
  const numbers = x.numbers();
  const [size, outputs, length] = [sizeOf(windows.inputs), sizeOf(windows.outputs), sizeOf(windows.kernel)];
  const maps = x.shape[0]! * x.shape[1]!;
  const result = numbersFor(x.type, maps * outputs).fill(Number.NEGATIVE_INFINITY);
  for (let map = 0; map < maps; map++) {
    for (let i = 0; i < outputs * length; i++) {
      if (taps[i] === nowhere) continue;
      const at = map * outputs + Math.floor(i / length);
      result[at] = Math.max(result[at]!, numbers[map * size + taps[i]!]!);
    }
  }
  return call.host(x.type, [...x.shape.slice(0, 2), ...windows.outputs], result);
}

const averagePool: Operator = (call) => {
  const x = call.value(0);
  const windows = windowsOf(call, x.shape.slice(2), call.list("kernel_shape")!);
  const countPadding = call.flag("count_include_pad");
  if (windows.inputs.length <= 2)
    return mapOf(x, averagePool2d(pictureOf(call, x), { ...optionsOf(call, windows), countPadding }));
  const taps = tapsOf(windows);
  const length = sizeOf(windows.kernel);
  const counts = countsOf(windows, taps, countPadding);
  const total = sum(unfolded(call, x, windows, taps, 0), 1);
  if (counts.every((count) => count === length)) return mapped(x, windows, divide(total, call.constant([length])));
  const repeated = Array.from({ length: x.shape[0]! }, () => counts).flat();
  return mapped(x, windows, divide(total, call.constant(repeated, [repeated.length, 1])));
};

/** Taps of each window that count: those in the map, or in its margins too, but never those behind the margins. */
function countsOf(windows: Windows, taps: Uint32Array, countPadding: boolean): number[] {
  const length = sizeOf(windows.kernel);
  const outputs = sizeOf(windows.outputs);
  if (!countPadding)
    return Array.from(
      { length: outputs },
      (_, i) => taps.subarray(i * length, (i + 1) * length).filter((tap) => tap !== nowhere).length,
    );
  const wide = windows.inputs.map((extent, axis) => extent + windows.before[axis]! + windows.after[axis]!);
  const all = tapsOf({ ...windows, inputs: wide, before: wide.map(() => 0), after: wide.map(() => 0) });
  return countsOf(windows, all, false);
}

const globalAverage: Operator = (call) => {
  const x = call.value(0);
  if (x.rank !== 4) return reduced(x, x.shape.map((_, axis) => axis).slice(2), true, (rows) => mean(rows, 1));
  const [images, channels] = x.shape as [number, number];
  return Value.channelsLast(x.type, reshape(globalAveragePool(x.channelsLast()), [images, 1, 1, channels]));
};

const globalMaximum: Operator = (call) => {
  const x = call.value(0);
  return reduced(x, x.shape.map((_, axis) => axis).slice(2), true, (rows) => amax(rows, 1));
};

/** Elements go to the places that a pool took them from; zeros elsewhere. */
const maxUnpool: Operator = (call) => {
  const x = call.value(0);
  const indices = call.numbers(1);
  const places = x.shape.slice(2);
  const windows = windowsOf(call, places, call.list("kernel_shape")!);
  const own = places.map(
    (extent, axis) =>
      (extent - 1) * windows.strides[axis]! - windows.before[axis]! - windows.after[axis]! + windows.kernel[axis]!,
  );
  const shape = call.integers(2) ?? [...x.shape.slice(0, 2), ...own];
  const inner = sizeOf(own);
  const target = sizeOf(shape.slice(2));
  const from = new Uint32Array(sizeOf(shape)).fill(nowhere);
  const [ownSteps, steps] = [stridesOf(own), stridesOf(shape.slice(2))];
  indices.forEach((index, i) => {
    // Indices count in a map of the windows' own extents; a wider output keeps rows and columns.
    let rest = index % inner;
    let place = Math.floor(index / inner) * target;
    ownSteps.forEach((step, axis) => {
      place += Math.floor(rest / step) * steps[axis]!;
      rest %= step;
    });
    from[place] = i;
  });
  return Value.of(x.type, takenTensor(x.tensor(), shape, from));
};

export const poolOperators: Operators = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalAverage,
  GlobalMaxPool: globalMaximum,
  MaxUnpool: maxUnpool,
};
