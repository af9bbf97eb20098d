import { permute } from "../../ops/join.ts";
import { reshape } from "../../ops/shape.ts";
import { type Shape, sizeOf } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import { placesOf, stridesOf, taken } from "../places.ts";
import { Value } from "../value.ts";

/** The same elements under another shape. */
export function reshaped(x: Value, shape: Shape): Value {
  if (x.movesOnHost) return Value.host(x.device, x.type, shape, x.numbers());
  return Value.of(x.type, reshape(x.tensor(), shape));
}

/** Axes in another order: axis d of the result is axis `order[d]` of x. */
export function permuted(x: Value, order: readonly number[]): Value {
  if (order.every((axis, d) => axis === d)) return x.share();
  const shape = order.map((axis) => x.shape[axis]!);
  const last = [0, ...order.map((_, d) => d).slice(2), 1];
  // What convolutions made already lies as [N, …, C], and what is brought to [N, C, …] may lie as it is.
  if (x.rank > 2 && x.liesChannelsLast && order.every((axis, d) => axis === last[d]))
    return Value.of(x.type, x.channelsLast().alias());
  const first = [0, x.rank - 1, ...order.map((_, d) => d).slice(1, -1)];
  if (x.rank > 2 && x.onDevice && order.every((axis, d) => axis === first[d]))
    return Value.channelsLast(x.type, x.tensor().alias());
  if (x.movesOnHost) {
    const strides = stridesOf(x.shape);
    const places = placesOf(shape, (at) => at.reduce((sum, place, d) => sum + place * strides[order[d]!]!, 0));
    return taken(x, shape, places);
  }
  return Value.of(x.type, permute(x.tensor(), order));
}

const transpose: Operator = (call) => {
  const x = call.value(0);
  return permuted(x, call.list("perm") ?? x.shape.map((_, axis) => x.rank - 1 - axis));
};

const reshapeTo: Operator = (call) => {
  const x = call.value(0);
  const wanted = call.integers(1, "shape") ?? [];
  const keepsZero = !call.flag("allowzero");
  const shape = wanted.map((extent, axis) => (extent === 0 && keepsZero ? x.shape[axis]! : extent));
  const known = shape.filter((extent) => extent !== -1).reduce((product, extent) => product * extent, 1);
  const full = shape.map((extent) => (extent === -1 ? x.size / known : extent));
  if (sizeOf(full) !== x.size)
    throw call.error(`[${x.shape}] has ${x.size} elements and cannot be seen as [${wanted}]`);
  return reshaped(x, full);
};

const flatten: Operator = (call) => {
  const x = call.value(0);
  const given = call.number("axis", 1);
  const axis = given < 0 ? given + x.rank : given;
  return reshaped(x, [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))]);
};

function axesOf(call: Call, i: number, rank: number): Set<number> | undefined {
  const axes = call.integers(i, "axes");
  return axes && new Set(axes.map((axis) => call.axis(axis, rank)));
}

const squeeze: Operator = (call) => {
  const x = call.value(0);
  const axes = axesOf(call, 1, x.rank);
  for (const axis of axes ?? [])
    if (x.shape[axis] !== 1) throw call.error(`axis ${axis} of [${x.shape}] has more than one place`);
  return reshaped(
    x,
    x.shape.filter((extent, axis) => (axes ? !axes.has(axis) : extent !== 1)),
  );
};

const unsqueeze: Operator = (call) => {
  const x = call.value(0);
  const rank = x.rank + (call.integers(1, "axes") ?? []).length;
  const axes = axesOf(call, 1, rank)!;
  const rest = [...x.shape];
  return reshaped(
    x,
    Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : rest.shift()!)),
  );
};

const shapeOf: Operator = (call) => {
  const { shape, rank } = call.value(0);
  const part = shape.slice(call.number("start", 0), call.number("end", rank));
  return call.host("int64", [part.length], part);
};

/** Pixels of `block` × `block` channels, and back: "DCR" has the place in the block before the channel, "CRD" behind it. */
const depthToSpace: Operator = (call) => {
  const x = call.value(0);
  const [images, channels, height, width] = x.shape as [number, number, number, number];
  const block = call.number("blocksize", 1);
  const depth = channels / block ** 2;
  const [shape, order] =
    call.text("mode", "DCR") === "DCR"
      ? [
          [images, block, block, depth, height, width],
          [0, 3, 4, 1, 5, 2],
        ]
      : [
          [images, depth, block, block, height, width],
          [0, 1, 4, 2, 5, 3],
        ];
  return reshaped(permuted(reshaped(x, shape), order), [images, depth, height * block, width * block]);
};

const spaceToDepth: Operator = (call) => {
  const x = call.value(0);
  const [images, channels, height, width] = x.shape as [number, number, number, number];
  const block = call.number("blocksize", 1);
  const [rows, columns] = [height / block, width / block];
  const split = reshaped(x, [images, channels, rows, block, columns, block]);
  return reshaped(permuted(split, [0, 3, 5, 1, 2, 4]), [images, channels * block ** 2, rows, columns]);
};

export const shapeOperators: Operators = {
  Identity: (call) => call.value(0).share(),
  Reshape: reshapeTo,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Shape: shapeOf,
  Size: (call) => call.host("int64", [], [call.value(0).size]),
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
};
