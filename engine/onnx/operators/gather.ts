import { add, multiply } from "../../ops/arithmetic.ts";
import { reshape } from "../../ops/shape.ts";
import { sizeOf, type Tensor } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import { numbersFor, wrapped } from "../elements.ts";
import { eachPlace, placesOf, stridesOf, taken, takenOf } from "../places.ts";
import { Value } from "../value.ts";
import { larger, smaller } from "./binary.ts";

/** An index that may count from the end. */
function within(call: Call, index: number, extent: number): number {
  const at = index < 0 ? index + extent : index;
  if (at >= 0 && at < extent) return at;
  throw call.error(`index ${index} is beyond an axis of ${extent}`);
}

const gather: Operator = (call) => {
  const x = call.value(0);
  const indices = call.numbers(1);
  const axis = call.axis(call.number("axis", 0), x.rank);
  const extent = x.shape[axis]!;
  const [outer, inner] = [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis + 1))];
  const places = new Uint32Array(outer * indices.length);
  for (let row = 0; row < outer; row++) {
    for (let i = 0; i < indices.length; i++)
      places[row * indices.length + i] = row * extent + within(call, indices[i]!, extent);
  }
  const shape = [...x.shape.slice(0, axis), ...call.value(1).shape, ...x.shape.slice(axis + 1)];
  return taken(x, shape, places, inner);
};

/** The place in x of each element of `indices`, which count along an axis. */
function placesAlong(call: Call, x: Value, indices: Value, axis: number): Uint32Array<ArrayBuffer> {
  const strides = stridesOf(x.shape);
  const numbers = indices.numbers();
  let i = 0;
  return placesOf(indices.shape, (at) => {
    const index = within(call, numbers[i++]!, x.shape[axis]!);
    return at.reduce((sum, place, d) => sum + (d === axis ? index : place) * strides[d]!, 0);
  });
}

const gatherElements: Operator = (call) => {
  const x = call.value(0);
  const axis = call.axis(call.number("axis", 0), x.rank);
  return taken(x, call.value(1).shape, placesAlong(call, x, call.value(1), axis));
};

/** The runs of x that rows of indices point at, each from the first axes after `batch` on, and the elements of a run. */
function runsOf(
  call: Call,
  x: Value,
  indices: Value,
  batch: number,
): { places: Uint32Array<ArrayBuffer>; inner: number } {
  const depth = indices.shape.at(-1)!;
  const inner = sizeOf(x.shape.slice(batch + depth));
  const rows = indices.size / depth;
  const batches = sizeOf(x.shape.slice(0, batch));
  const strides = stridesOf(x.shape.slice(batch, batch + depth));
  const perBatch = sizeOf(x.shape.slice(batch, batch + depth));
  const numbers = indices.numbers();
  const places = Uint32Array.from({ length: rows }, (_, row) => {
    let place = Math.floor(row / (rows / batches)) * perBatch;
    for (let d = 0; d < depth; d++) place += within(call, numbers[row * depth + d]!, x.shape[batch + d]!) * strides[d]!;
    return place;
  });
  return { places, inner };
}

const gatherNd: Operator = (call) => {
  const [x, indices] = [call.value(0), call.value(1)];
  const batch = call.number("batch_dims", 0);
  const { places, inner } = runsOf(call, x, indices, batch);
  const shape = [...indices.shape.slice(0, -1), ...x.shape.slice(batch + indices.shape.at(-1)!)];
  return taken(x, shape, places, inner);
};

const combine: Readonly<Record<string, (a: number, b: number) => number>> = {
  none: (_, b) => b,
  add: (a, b) => a + b,
  mul: (a, b) => a * b,
  max: Math.max,
  min: Math.min,
};

/** x with element i of `updates` put at, or combined with what stands at, place `places[i]`; in order where places are equal. */
function scattered(call: Call, x: Value, updates: Value, places: Uint32Array): Value {
  const reduction = call.text("reduction", "none");
  const onNumbers = combine[reduction];
  if (!onNumbers) throw call.unsupported(`reduction "${reduction}"`);
  if (x.movesOnHost && updates.movesOnHost) {
    const result = numbersFor(x.type, x.size);
    result.set(x.numbers());
    const given = updates.numbers();
    places.forEach((place, i) => {
      result[place] = wrapped(x.type, onNumbers(result[place]!, given[i]!));
    });
    return call.host(x.type, x.shape, result);
  }
  const rounds = new Map<number, Map<number, number>>();
  const met = new Map<number, number>();
  places.forEach((place, i) => {
    const round = reduction === "none" ? 0 : (met.get(place) ?? 0);
    met.set(place, round + 1);
    if (!rounds.has(round)) rounds.set(round, new Map());
    rounds.get(round)!.set(place, i);
  });
  let y: Tensor = x.tensor();
  for (const [, from] of [...rounds].sort(([a], [b]) => a - b))
    y = scatteredRound(call, y, updates.tensor(), from, reduction);
  return Value.of(x.type, y === x.tensor() ? y.alias() : y);
}

/** One round of {@link scattered}: each place is met by at most one update. */
function scatteredRound(
  call: Call,
  x: Tensor,
  updates: Tensor,
  from: ReadonlyMap<number, number>,
  reduction: string,
): Tensor {
  const places = Uint32Array.from({ length: x.size }, (_, i) => {
    const update = from.get(i);
    return update === undefined ? i : x.size + update;
  });
  if (reduction === "none") return takenOf([x, updates], x.shape, places);
  const neutral = reduction === "add" ? 0 : 1;
  // What no update meets is compared with itself.
  if (reduction === "max") return larger(x, takenOf([x, updates], x.shape, places));
  if (reduction === "min") return smaller(x, takenOf([x, updates], x.shape, places));
  const beside = Uint32Array.from({ length: x.size }, (_, i) => from.get(i) ?? updates.size);
  const full = takenOf([reshape(updates, [updates.size]), call.constant([neutral])], x.shape, beside);
  return reduction === "add" ? add(x, full) : multiply(x, full);
}

const scatterElements: Operator = (call) => {
  const [x, indices, updates] = [call.value(0), call.value(1), call.value(2)];
  const axis = call.axis(call.number("axis", 0), x.rank);
  return scattered(call, x, updates, placesAlong(call, x, indices, axis));
};

const scatterNd: Operator = (call) => {
  const [x, indices, updates] = [call.value(0), call.value(1), call.value(2)];
  const { places, inner } = runsOf(call, x, indices, 0);
  const all = new Uint32Array(places.length * inner);
  places.forEach((place, row) => {
    for (let i = 0; i < inner; i++) all[row * inner + i] = place * inner + i;
  });
  return scattered(call, x, updates, all);
};

/** The slices of x along an axis, or the elements, whose condition holds. */
const compress: Operator = (call) => {
  const given = call.value(0);
  const chosen = [...call.numbers(1)].flatMap((holds, i) => (holds ? [i] : []));
  const number = call.number("axis");
  const x =
    number === undefined
      ? taken(
          given,
          [given.size],
          placesOf([given.size], ([i]) => i!),
        )
      : given;
  const axis = number === undefined ? 0 : call.axis(number, x.rank);
  const [outer, inner] = [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis + 1))];
  const places = Uint32Array.from({ length: outer * chosen.length }, (_, i) => {
    return Math.floor(i / chosen.length) * x.shape[axis]! + chosen[i % chosen.length]!;
  });
  return taken(x, x.shape.with(axis, chosen.length), places, inner);
};

/** 1 along a new axis where an index points, 0 elsewhere: the second and the first number of `values`. */
const oneHot: Operator = (call) => {
  const indices = call.value(0);
  const numbers = indices.numbers();
  const depth = call.scalar(1);
  const axis = call.axis(call.number("axis", -1), indices.rank + 1);
  const shape = indices.shape.toSpliced(axis, 0, depth);
  const strides = stridesOf(indices.shape);
  const places = placesOf(shape, (at) => {
    const index = numbers[at.toSpliced(axis, 1).reduce((sum, place, d) => sum + place * strides[d]!, 0)]!;
    return at[axis] === (index < 0 ? index + depth : index) ? 1 : 0;
  });
  return taken(call.value(2), shape, places);
};

const nonZero: Operator = (call) => {
  const x = call.value(0);
  const numbers = x.numbers();
  const found: number[][] = [];
  eachPlace(x.shape, (at, i) => {
    if (numbers[i] !== 0) found.push([...at]);
  });
  const places = Array.from({ length: x.rank }, (_, axis) => found.map((at) => at[axis]!)).flat();
  return call.host("int64", [x.rank, found.length], places);
};

export const gatherOperators: Operators = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  Scatter: scatterElements,
  ScatterElements: scatterElements,
  ScatterND: scatterNd,
  Compress: compress,
  OneHot: oneHot,
  NonZero: nonZero,
};
