import { axisOf, type Checks, expectOptions, flag } from "../arguments.ts";
import { type Shape, ShapeError, sizeOf, type Tensor } from "../tensor.ts";
import { permute } from "./join.ts";
import { expectTensors, type Types } from "./operands.ts";
import { reshape } from "./shape.ts";

/** One axis or several; negative ones count from the last. */
export type Axes = number | readonly number[];

export interface ReduceOptions {
  /** Reduced axes stay, with the extent 1. */
  readonly keepDims?: boolean;
}

const checks: Checks<ReduceOptions> = { keepDims: flag };

/** A tensor whose reduced axes lie beside each other, seen as [outer, axis, inner] with these as its middle axis. */
export interface Reduced {
  /** x itself, or on the tape x with its axes in another order. */
  readonly x: Tensor;
  readonly outer: number;
  readonly axis: number;
  readonly inner: number;
  /** Of the result; [1] where no axis is left. */
  readonly shape: Shape;
  /** The reduced axes of x, for who writes operations down. */
  readonly details: { readonly axes: readonly number[] };
}

/**
 * The axes that a reduction goes over, all unless given, none for an empty list.
 * @throws ShapeError when x has no such axis or one is named twice
 */
export function axesOf(operation: string, shape: Shape, axes: Axes | undefined): readonly number[] {
  if (axes === undefined) return shape.map((_, axis) => axis);
  const list = (Array.isArray(axes) ? axes : [axes]).map((axis) => axisOf(operation, shape, axis));
  const twice = list.find((axis, i) => list.indexOf(axis) < i);
  if (twice !== undefined)
    throw new ShapeError(`${operation}: axis ${twice} of [${shape}] is named twice in [${axes}]`);
  return list;
}

/**
 * The shape of what a reduction leaves.
 * @throws ShapeError when x is of another type than `types`, f32 and f16 unless given, it has no such axis, or one is named twice
 */
export function reducedShape(
  operation: string,
  x: Tensor,
  axes: Axes | undefined,
  options: ReduceOptions,
  types?: Types,
): Shape {
  expectTensors(operation, { x }, types && { x: types });
  expectOptions(operation, options, checks);
  const chosen = axesOf(operation, x.shape, axes);
  const kept = options.keepDims
    ? x.shape.map((extent, axis) => (chosen.includes(axis) ? 1 : extent))
    : x.shape.filter((_, axis) => !chosen.includes(axis));
  return kept.length > 0 ? kept : [1];
}

/** @throws ShapeError as {@link reducedShape} */
export function reduced(
  operation: string,
  x: Tensor,
  axes: Axes | undefined,
  options: ReduceOptions,
  types?: Types,
): Reduced {
  const shape = reducedShape(operation, x, axes, options, types);
  const chosen = axesOf(operation, x.shape, axes);
  // Neighbouring axes that are all reduced or all kept, taken as one.
  const runs: { extent: number; reduce: boolean }[] = [];
  x.shape.forEach((extent, axis) => {
    if (extent === 1) return;
    const reduce = chosen.includes(axis);
    const last = runs.at(-1);
    if (last?.reduce === reduce) last.extent *= extent;
    else runs.push({ extent, reduce });
  });
  const extents = runs.map(({ extent }) => extent);
  const at = runs.findIndex(({ reduce }) => reduce);
  const details = { axes: chosen };
  if (at < 0) return { x, outer: x.size, axis: 1, inner: 1, shape, details };
  if (runs.filter(({ reduce }) => reduce).length === 1) {
    const [outer, inner] = [sizeOf(extents.slice(0, at)), sizeOf(extents.slice(at + 1))];
    return { x, outer, axis: extents[at]!, inner, shape, details };
  }
  const order = [false, true].flatMap((reduce) => runs.flatMap((run, i) => (run.reduce === reduce ? [i] : [])));
  const outer = sizeOf(runs.flatMap(({ extent, reduce }) => (reduce ? [] : [extent])));
  const axis = sizeOf(runs.flatMap(({ extent, reduce }) => (reduce ? [extent] : [])));
  const together = permute(reshape(x, extents), order);
  const last = order.flatMap((run, i) => (runs[run]!.reduce ? [i] : []));
  return { x: together, outer, axis, inner: 1, shape, details: { axes: last } };
}
