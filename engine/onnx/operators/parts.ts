import { subtract } from "../../ops/arithmetic.ts";
import { concat, pad, slice } from "../../ops/join.ts";
import { type Shape, sizeOf, Tensor } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import { numbersFor } from "../elements.ts";
import { nowhere, placesOf, stridesOf, taken } from "../places.ts";
import { Value } from "../value.ts";
import { broadcast } from "./binary.ts";

/** The place of axis d of a map as ONNX counts it among those of a tensor with the channels last. */
function lastAxis(axis: number, rank: number): number {
  return axis === 0 ? 0 : axis === 1 ? rank - 1 : axis - 1;
}

/** A list with a number for each axis in the order of a tensor with the channels last. */
function inOrder(list: readonly number[]): number[] {
  return [list[0]!, ...list.slice(2), list[1]!];
}

/** The part of x from `starts` to `ends` by `steps`, which may be negative. */
function part(x: Value, starts: readonly number[], shape: Shape, steps: readonly number[]): Value {
  const plain = steps.every((step) => step === 1) && x.rank <= 6 && x.rank > 0;
  if (!x.movesOnHost && plain && sizeOf(shape) > 0) {
    const ends = starts.map((start, axis) => start + shape[axis]!);
    if (x.liesChannelsLast) return Value.channelsLast(x.type, slice(x.channelsLast(), inOrder(starts), inOrder(ends)));
    return Value.of(x.type, slice(x.tensor(), starts, ends));
  }
  const strides = stridesOf(x.shape);
  const places = placesOf(shape, (at) =>
    at.reduce((sum, place, axis) => sum + (starts[axis]! + place * steps[axis]!) * strides[axis]!, 0),
  );
  return taken(x, shape, places);
}

const sliceOf: Operator = (call) => {
  const x = call.value(0);
  const given = call.integers(1, "starts")!;
  const ends = call.integers(2, "ends")!;
  const axes = (call.integers(3, "axes") ?? given.map((_, i) => i)).map((axis) => call.axis(axis, x.rank));
  const jumps = call.integers(4) ?? given.map(() => 1);
  const starts = x.shape.map(() => 0);
  const steps = x.shape.map(() => 1);
  const shape = [...x.shape];
  axes.forEach((axis, i) => {
    const [extent, step] = [x.shape[axis]!, jumps[i]!];
    const [least, most] = step > 0 ? [0, extent] : [-1, extent - 1];
    const place = (at: number) => Math.min(Math.max(at < 0 ? at + extent : at, least), most);
    const [from, to] = [place(given[i]!), place(ends[i]!)];
    starts[axis] = from;
    steps[axis] = step;
    shape[axis] = Math.max(0, Math.ceil((to - from) / step));
  });
  return part(x, starts, shape, steps);
};

const split: Operator = (call) => {
  const x = call.value(0);
  const axis = call.axis(call.number("axis", 0), x.rank);
  const extent = x.shape[axis]!;
  const count = call.node.outputs.length;
  const even = Math.ceil(extent / count);
  const extents =
    call.integers(1, "split") ??
    Array.from({ length: count }, (_, i) => Math.min(even, Math.max(0, extent - i * even)));
  let first = 0;
  return extents.map((length) => {
    const starts = x.shape.map((_, d) => (d === axis ? first : 0));
    first += length;
    return part(
      x,
      starts,
      x.shape.with(axis, length),
      x.shape.map(() => 1),
    );
  });
};

/** Values one behind the other along an axis. */
export function joined(values: readonly Value[], axis: number): Value {
  const filled = values.filter((value) => value.size > 0);
  const [head] = filled.length > 0 ? filled : values;
  if (filled.length <= 1) return head!.share();
  const { rank, type, device } = head!;
  if (filled.every((value) => value.movesOnHost)) {
    const shape = head!.shape.with(
      axis,
      filled.reduce((sum, value) => sum + value.shape[axis]!, 0),
    );
    const result = numbersFor(type, sizeOf(shape));
    const [outer, inner] = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1))];
    let at = 0;
    for (let row = 0; row < outer; row++) {
      for (const value of filled) {
        const length = value.shape[axis]! * inner;
        result.set(value.numbers().subarray(row * length, (row + 1) * length), at);
        at += length;
      }
    }
    return Value.host(device, type, shape, result);
  }
  if (rank > 2 && filled.some((value) => value.liesChannelsLast))
    return Value.channelsLast(
      type,
      concat(
        filled.map((value) => value.channelsLast()),
        lastAxis(axis, rank),
      ),
    );
  return Value.of(
    type,
    concat(
      filled.map((value) => value.tensor()),
      axis,
    ),
  );
}

const concatenate: Operator = (call) => joined(call.inputs, call.axis(call.number("axis", 1), call.value(0).rank));

/** Repeats x to `shape`, with which it can be broadcast. */
export function expanded(x: Value, shape: Shape): Value {
  if (!x.movesOnHost && sizeOf(shape) > 0) return Value.of(x.type, subtract(x.tensor(), Tensor.zeros(x.device, shape)));
  const own = stridesOf(x.shape);
  const before = shape.length - x.rank;
  const places = placesOf(shape, (at) =>
    at.reduce(
      (sum, place, axis) => sum + (axis < before || x.shape[axis - before] === 1 ? 0 : place * own[axis - before]!),
      0,
    ),
  );
  return taken(x, shape, places);
}

const tile: Operator = (call) => {
  const x = call.value(0);
  const repeats = call.integers(1)!;
  const strides = stridesOf(x.shape);
  const shape = x.shape.map((extent, axis) => extent * repeats[axis]!);
  return taken(
    x,
    shape,
    placesOf(shape, (at) => at.reduce((sum, place, axis) => sum + (place % x.shape[axis]!) * strides[axis]!, 0)),
  );
};

/** The place of x that place i of an axis shows when it is continued beyond its ends; undefined for a constant. */
type Continue = (i: number, extent: number) => number;

const continued: Readonly<Record<string, Continue>> = {
  edge: (i, extent) => Math.min(Math.max(i, 0), extent - 1),
  wrap: (i, extent) => ((i % extent) + extent) % extent,
  reflect: (i, extent) => {
    const period = Math.max(1, 2 * (extent - 1));
    const at = ((i % period) + period) % period;
    return at < extent ? at : period - at;
  },
};

const padded: Operator = (call) => {
  const x = call.value(0);
  const pads = call.integers(1, "pads")!;
  const axes = (call.integers(3) ?? x.shape.map((_, axis) => axis)).map((axis) => call.axis(axis, x.rank));
  const mode = call.text("mode", "constant");
  const value = call.has(2) && call.value(2).size > 0 ? call.scalar(2) : call.number("value", 0);
  const [before, after] = [x.shape.map(() => 0), x.shape.map(() => 0)];
  axes.forEach((axis, i) => {
    before[axis] = pads[i]!;
    after[axis] = pads[i + axes.length]!;
  });
  const shape = x.shape.map((extent, axis) => before[axis]! + extent + after[axis]!);
  const simple = mode === "constant" && [...before, ...after].every((count) => count >= 0);
  if (!x.movesOnHost && simple && x.rank <= 6) {
    if (x.liesChannelsLast)
      return Value.channelsLast(x.type, pad(x.channelsLast(), inOrder(before), inOrder(after), value));
    return Value.of(x.type, pad(x.tensor(), before, after, value));
  }
  if (mode === "constant" && value !== 0 && !x.movesOnHost)
    throw call.unsupported("cutting and filling with another number than 0");
  const place = continued[mode];
  if (!place && mode !== "constant") throw call.unsupported(`mode "${mode}"`);
  const strides = stridesOf(x.shape);
  const places = placesOf(shape, (at) => {
    let sum = 0;
    for (let axis = 0; axis < x.rank; axis++) {
      const i = at[axis]! - before[axis]!;
      const extent = x.shape[axis]!;
      if (!place && (i < 0 || i >= extent)) return nowhere;
      sum += (place ? place(i, extent) : i) * strides[axis]!;
    }
    return sum;
  });
  const result = taken(x, shape, places);
  if (x.movesOnHost && !place && value !== 0) {
    const numbers = result.numbers();
    places.forEach((from, i) => {
      if (from === nowhere) numbers[i] = value;
    });
  }
  return result;
};

const reverseSequence: Operator = (call) => {
  const x = call.value(0);
  const lengths = call.numbers(1);
  const [batch, time] = [call.number("batch_axis", 1), call.number("time_axis", 0)];
  const strides = stridesOf(x.shape);
  const from = (at: readonly number[]) => {
    const length = lengths[at[batch]!]!;
    const moved = at[time]! < length ? length - 1 - at[time]! : at[time]!;
    return at.reduce((sum, place, axis) => sum + (axis === time ? moved : place) * strides[axis]!, 0);
  };
  return taken(x, x.shape, placesOf(x.shape, from));
};

/** The triangle above or below diagonal k; zeros elsewhere. */
const triangle: Operator = (call) => {
  const x = call.value(0);
  const k = call.has(1) ? call.scalar(1) : 0;
  const upper = call.flag("upper", true);
  let i = -1;
  const places = placesOf(x.shape, (at) => {
    i++;
    const offset = at.at(-1)! - at.at(-2)!;
    return (upper ? offset >= k : offset <= k) ? i : nowhere;
  });
  return taken(x, x.shape, places);
};

const expandTo: Operator = (call: Call) => {
  const x = call.value(0);
  return expanded(x, broadcast(call, x.shape, call.integers(1)!));
};

export const partOperators: Operators = {
  Slice: sliceOf,
  Split: split,
  Concat: concatenate,
  Expand: expandTo,
  Tile: tile,
  Pad: padded,
  ReverseSequence: reverseSequence,
  Trilu: triangle,
};
