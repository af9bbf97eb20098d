import { axisOf, ShapeError, shown } from "../arguments.ts";
import { record } from "../autograd.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { elementBytes, type Shape, sizeOf, Tensor } from "../tensor.ts";
import { invert, rowsOf, scatterAdd } from "./gather.ts";
import { expectTensors, moved, movedElement, wholes } from "./operands.ts";

/** A tensor as [outer, length, inner] around one of its axes. */
interface Around {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

function around(shape: Shape, axis: number): Around {
  return { outer: sizeOf(shape.slice(0, axis)), length: shape[axis]!, inner: sizeOf(shape.slice(axis + 1)) };
}

/** y[o, j, i] = x[o, places[j], i], zeros for places outside. Not recorded. */
function taken(x: Tensor, axis: number, places: Tensor): Tensor {
  const { device } = x;
  const { outer, length, inner } = around(x.shape, axis);
  const count = places.size;
  const y = Tensor.like(x, x.shape.with(axis, count));
  const vector = inner % 4 === 0;
  const width = vector ? inner / 4 : inner;
  for (const run of rowRanges(device, outer, [length * inner, count * inner])) {
    device.kernels.run(
      "gather/axis",
      { ELEMENT: movedElement(x, vector), WORKGROUP: flatWorkgroup },
      {
        x: x.window(run.start * length * inner, run.count * length * inner),
        places: places.window(),
        y: y.window(run.start * count * inner, run.count * count * inner),
      },
      { outer: run.count, length, count, inner: width },
      flatGrid(device, run.count * count * width),
      { bytes: 4 * count + elementBytes[x.dtype] * run.count * inner * (Math.min(count, length) + count) },
    );
  }
  return y;
}

/** Where each place of an axis was taken: order[starts[v]] … order[starts[v + 1] − 1], ascending. */
interface Inverse {
  readonly starts: Tensor;
  readonly places: Tensor;
}

/** The sum of dy over the places that show the same one of x, in ascending order. Not recorded. */
function given(dy: Tensor, shape: Shape, axis: number, { starts, places }: Inverse): Tensor {
  const { device } = dy;
  const { outer, length, inner } = around(shape, axis);
  const count = places.size;
  const dx = Tensor.like(dy, shape);
  const vector = inner % 4 === 0;
  const width = vector ? inner / 4 : inner;
  for (const run of rowRanges(device, outer, [length * inner, count * inner])) {
    device.kernels.run(
      "gather/axis_gradient",
      { VECTOR: vector, WORKGROUP: flatWorkgroup },
      {
        dy: dy.window(run.start * count * inner, run.count * count * inner),
        starts: starts.window(),
        places: places.window(),
        dx: dx.window(run.start * length * inner, run.count * length * inner),
      },
      { outer: run.count, length, count, inner: width },
      flatGrid(device, run.count * length * width),
      { flops: run.count * count * inner },
    );
  }
  return dx;
}

/** The inverse of a list that the host knows. */
function inverseOf(x: Tensor, list: readonly number[], length: number): Inverse {
  const counts = new Uint32Array(length + 1);
  for (const place of list) if (place >= 0) counts[place + 1]!++;
  for (let v = 0; v < length; v++) counts[v + 1]! += counts[v]!;
  const next = counts.slice();
  const places = new Uint32Array(list.length);
  list.forEach((place, j) => {
    if (place >= 0) places[next[place]!++] = j;
  });
  return {
    starts: Tensor.constant(x.device, counts, [length + 1]),
    places: Tensor.constant(x.device, places, [list.length]),
  };
}

/**
 * The places of x along one axis that a list of the host names, zeros where it says −1: the one way of flips, steps, tiles and
 * margins of pictures. The gradient is the sum over the places that show the same one.
 */
export function along(operation: string, x: Tensor, axis: number, list: readonly number[]): Tensor {
  const length = x.shape[axis]!;
  using places = Tensor.constant(x.device, Uint32Array.from(list), [list.length]);
  return record(operation, [x], taken(x, axis, places), (dy) =>
    dy.device.scope(() => [given(dy, x.shape, axis, inverseOf(x, list, length))]),
  );
}

/** One index of several that lead to a place: those from 0 to below `limit`, `step` apart. */
interface Component {
  readonly limit: number;
  readonly step: number;
}

/** Axes over which places are counted, the first outermost: their extents, and the steps of a place and of its indices. */
interface Counted {
  readonly extent: number;
  readonly stride: number;
  readonly indexStride: number;
}

/** The numbers of elements or rows that indices name, as shaders/gather/places.wgsl makes them → u32 [all]. */
function placesOf(indices: Tensor, axes: readonly Counted[], components: readonly Component[]): Tensor {
  const { device } = indices;
  const count = axes.reduce((product, { extent }) => product * extent, 1);
  const places = Tensor.empty(device, [count], "u32");
  const parameters: Record<string, number> = { count };
  axes.toReversed().forEach(({ extent, stride, indexStride }, d) => {
    parameters[`extent${d}`] = extent;
    parameters[`stride${d}`] = stride;
    parameters[`index_stride${d}`] = indexStride;
  });
  components.forEach(({ limit, step }, k) => {
    parameters[`limit${k}`] = limit;
    parameters[`step${k}`] = step;
  });
  device.kernels.run(
    "gather/places",
    { RANK: axes.length, DEPTH: components.length, WORKGROUP: flatWorkgroup },
    { indices: indices.window(), places: places.window() },
    parameters,
    flatGrid(device, count),
  );
  return places;
}

const indexTypes = { x: moved, indices: wholes };

/**
 * Places along an axis by their numbers: y[…, j…, …] = x[…, indices[j…], …]. x: any type, indices: u32 or i32 […] → the shape of x with the
 * axis replaced by the shape of the indices. An index of −k counts from the end, as u32 2^32 − k; one outside gives zeros and no gradient.
 * @throws ShapeError when there is no such axis, the indices are not whole numbers, or what lies behind the axes in front does not fit one
 * binding of the adapter
 */
export function gather(x: Tensor, indices: Tensor, axis = 0): Tensor {
  expectTensors("gather", { x, indices }, indexTypes);
  const at = axisOf("gather", x.shape, axis);
  const length = x.shape[at]!;
  const axes = [{ extent: indices.size, stride: 0, indexStride: 1 }];
  const places = placesOf(indices, axes, [{ limit: length, step: 1 }]);
  const shape = [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)];
  // dx[v] = Σ dy[j] over the j with indices[j] = v, in ascending order
  return recordPlaces("gather", [x], named(taken(x, at, places), shape), places, (dy) => [
    given(dy, x.shape, at, invert(places, length)),
  ]);
}

/** A tensor under another shape, in the place of the first handle. */
function named(x: Tensor, shape: Shape): Tensor {
  const y = x.alias(shape);
  x.dispose();
  return y;
}

/** Puts an operation on the tape whose gradient needs the places; without one they are gone at once. */
export function recordPlaces(
  operation: string,
  inputs: readonly Tensor[],
  y: Tensor,
  places: Tensor,
  gradient: (dy: Tensor) => (Tensor | undefined)[],
): Tensor {
  record(operation, inputs, y, (dy) => dy.device.scope(() => gradient(dy)));
  if (!y.node) places.dispose();
  return y;
}

/** Rows of x by their places, under a shape. Not recorded. */
function rowsAt(x: Tensor, places: Tensor, [rows, columns]: readonly [number, number], shape: Shape): Tensor {
  using table = x.alias([rows, columns]);
  return named(rowsOf(table, places), shape);
}

/** Elements from one place of each axis to the next. */
function stridesOf(shape: Shape): number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}

/** Axes that shaders/gather/places.wgsl can tell apart. */
const largestRank = 8;

/** The numbers of the elements of x that indices of its rank name along an axis. */
export function elementPlaces(operation: string, x: Tensor, indices: Tensor, axis: number): Tensor {
  const smaller = indices.shape.every((extent, d) => d === axis || extent <= x.shape[d]!);
  if (indices.rank !== x.rank || !smaller) {
    throw new ShapeError(
      `${operation}: indices [${indices.shape}] must have the axes of [${x.shape}] and, except along axis ${axis}, no larger extents`,
    );
  }
  if (x.rank > largestRank) throw new ShapeError(`${operation} takes at most ${largestRank} axes, found [${x.shape}]`);
  const [strides, own] = [stridesOf(x.shape), stridesOf(indices.shape)];
  const axes = indices.shape.map((extent, d) => ({
    extent,
    stride: d === axis ? 0 : strides[d]!,
    indexStride: own[d]!,
  }));
  return placesOf(indices, axes, [{ limit: x.shape[axis]!, step: strides[axis]! }]);
}

/**
 * Elements along an axis by their numbers, as `torch.gather` and ONNX's GatherElements: y[i, j] = x[indices[i, j], j] along axis 0. x: any
 * type, indices: u32 or i32 of as many axes, no longer except along the axis → the shape of the indices. Indices as in {@link gather}.
 * @throws ShapeError when the axis or the shapes do not fit, or there are more than 8 axes
 */
export function gatherElements(x: Tensor, indices: Tensor, axis = 0): Tensor {
  expectTensors("gatherElements", { x, indices }, indexTypes);
  const at = axisOf("gatherElements", x.shape, axis);
  const places = elementPlaces("gatherElements", x, indices, at);
  const y = rowsAt(x, places, [x.size, 1], indices.shape);
  // dx[v] = Σ dy[e] over the elements e that show v, in ascending order
  return recordPlaces("gatherElements", [x], y, places, (dy) => [
    scatterAdd(dy.alias([dy.size, 1]), places, [x.size, 1]).alias(x.shape),
  ]);
}

/** The rows that tuples of indices name, their number and the elements of one. */
export function tuplePlaces(operation: string, x: Tensor, indices: Tensor, batchAxes: number) {
  const depth = indices.shape.at(-1) ?? 0;
  const leading = indices.shape.slice(0, -1);
  const fits =
    Number.isInteger(batchAxes) &&
    batchAxes >= 0 &&
    batchAxes < indices.rank &&
    batchAxes + depth <= x.rank &&
    x.shape.slice(0, batchAxes).every((extent, d) => extent === indices.shape[d]);
  if (!fits || depth > 6) {
    throw new ShapeError(
      `${operation}: indices [${indices.shape}] with ${shown(batchAxes)} batch axes do not name parts of [${x.shape}]: the last axis holds an index for each axis behind the batch, at most 6`,
    );
  }
  const named = x.shape.slice(batchAxes, batchAxes + depth);
  const [batch, rows] = [sizeOf(x.shape.slice(0, batchAxes)), sizeOf(named)];
  const inner = x.shape.slice(batchAxes + depth);
  const each = sizeOf(leading.slice(batchAxes));
  const axes = [
    { extent: batch, stride: rows, indexStride: each },
    { extent: each, stride: 0, indexStride: 1 },
  ];
  const components = named.map((limit, k) => ({ limit, step: sizeOf(named.slice(k + 1)) }));
  const places = placesOf(indices, axes, components);
  return { places, rows: batch * rows, columns: sizeOf(inner), shape: [...leading, ...inner] };
}

/**
 * Parts of x by tuples of indices, as ONNX's GatherND: y[i…, …] = x[indices[i…, 0], indices[i…, 1], …]. x: any type, indices: u32 or i32 [batch…,
 * …, K] → [batch…, …, the axes of x behind the batch and K more]. Indices as in {@link gather}.
 * @param batchAxes leading axes that x and the indices have in common
 * @throws ShapeError when the shapes do not fit
 */
export function gatherNd(x: Tensor, indices: Tensor, batchAxes = 0): Tensor {
  expectTensors("gatherNd", { x, indices }, indexTypes);
  const { places, rows, columns, shape } = tuplePlaces("gatherNd", x, indices, batchAxes);
  const y = rowsAt(x, places, [rows, columns], shape.length > 0 ? shape : [1]);
  return recordPlaces("gatherNd", [x], y, places, (dy) => [
    scatterAdd(dy.alias([places.size, columns]), places, [rows, columns]).alias(x.shape),
  ]);
}
