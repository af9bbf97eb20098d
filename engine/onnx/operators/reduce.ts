import { amax, amin, logSumExp } from "../../ops/extremes.ts";
import { pad, permute } from "../../ops/join.ts";
import { product } from "../../ops/product.ts";
import { mean, sum } from "../../ops/reduce.ts";
import { reshape } from "../../ops/shape.ts";
import { abs, log, sqrt, square } from "../../ops/unary.ts";
import { type Shape, sizeOf, type Tensor } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import { numbersFor, wrapped } from "../elements.ts";
import { eachPlace, stridesOf } from "../places.ts";
import { Value } from "../value.ts";

/** Over the middle axis of [outer, length, inner] → outer · inner numbers. */
type Along = (x: Tensor) => Tensor;

/** The axes of a reduction in order; none where it does nothing. */
function axesOf(call: Call, x: Value): number[] {
  const given = call.integers(1, "axes");
  if (given && given.length > 0) return given.map((axis) => call.axis(axis, x.rank)).sort((a, b) => a - b);
  return call.flag("noop_with_empty_axes") ? [] : x.shape.map((_, axis) => axis);
}

/** x as [outer, length, inner] with all of `axes` in the middle. */
function gathered(x: Tensor, axes: readonly number[]): Tensor {
  const neighbours = axes.every((axis, i) => i === 0 || axis === axes[i - 1]! + 1);
  const rest = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  if (!neighbours) {
    const moved = permute(x, [...rest, ...axes]);
    return reshape(moved, [sizeOf(rest.map((axis) => x.shape[axis]!)), sizeOf(axes.map((axis) => x.shape[axis]!)), 1]);
  }
  const [first, last] = [axes[0]!, axes.at(-1)!];
  return reshape(x, [
    sizeOf(x.shape.slice(0, first)),
    sizeOf(x.shape.slice(first, last + 1)),
    sizeOf(x.shape.slice(last + 1)),
  ]);
}

/** Shape of x with the axes gone, or of extent 1. */
function reducedShape(shape: Shape, axes: readonly number[], keep: boolean): number[] {
  return shape.flatMap((extent, axis) => (axes.includes(axis) ? (keep ? [1] : []) : [extent]));
}

/** {@link Along} over some axes of x, which may lie with its channels last. */
export function reduced(x: Value, axes: readonly number[], keep: boolean, along: Along): Value {
  if (x.rank > 2 && x.liesChannelsLast && keep && !axes.includes(0)) {
    const last = x.channelsLast();
    const places = axes.map((axis) => (axis === 1 ? x.rank - 1 : axis - 1)).sort((a, b) => a - b);
    return Value.channelsLast(x.type, reshape(along(gathered(last, places)), reducedShape(last.shape, places, true)));
  }
  const shape = reducedShape(x.shape, axes, keep);
  return Value.of(x.type, reshape(along(gathered(x.tensor(), axes)), shape));
}

/** An operator over axes: of floats by `along` on the device, of integers by `step` from `start` on the host. */
function reduction(
  along: (x: Tensor, call: Call) => Tensor,
  start: number,
  step: (a: number, b: number) => number,
): Operator {
  return (call) => {
    const x = call.value(0);
    const axes = axesOf(call, x);
    const keep = call.flag("keepdims", true);
    if (axes.length === 0) {
      if (!x.isFloat) return x.share();
      return Value.of(x.type, reshape(along(reshape(x.tensor(), [x.size, 1, 1]), call), x.shape));
    }
    if (x.isFloat) return reduced(x, axes, keep, (rows) => along(rows, call));
    const kept = reducedShape(x.shape, axes, true);
    const result = numbersFor(x.type, sizeOf(kept)).fill(start);
    const strides = stridesOf(kept);
    const numbers = x.numbers();
    eachPlace(x.shape, (at, i) => {
      const place = at.reduce((total, each, axis) => total + (axes.includes(axis) ? 0 : each * strides[axis]!), 0);
      result[place] = wrapped(x.type, step(result[place]!, numbers[i]!));
    });
    return call.host(x.type, reducedShape(x.shape, axes, keep), result);
  };
}

/** The extreme over the middle axis, or of no elements what is beyond all of them. */
const extreme = (work: (x: Tensor, axis: number) => Tensor, beyond: number) => (x: Tensor) =>
  x.shape[1] === 0 ? pad(x, [0, 0, 0], [0, 1, 0], beyond) : work(x, 1);

const middle = (work: (x: Tensor) => Tensor) => (x: Tensor) => sum(work(x), 1);

export const reduceOperators: Operators = {
  ReduceSum: reduction(
    (x) => sum(x, 1),
    0,
    (a, b) => a + b,
  ),
  ReduceMean: reduction(
    (x) => mean(x, 1),
    0,
    (a, b) => a + b,
  ),
  ReduceMax: reduction(extreme(amax, Number.NEGATIVE_INFINITY), Number.NEGATIVE_INFINITY, Math.max),
  ReduceMin: reduction(extreme(amin, Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY, Math.min),
  ReduceProd: reduction(
    (x) => product(x, 1),
    1,
    (a, b) => a * b,
  ),
  ReduceL1: reduction(middle(abs), 0, (a, b) => a + Math.abs(b)),
  ReduceL2: reduction(
    (x) => sqrt(sum(square(x), 1)),
    0,
    (a, b) => Math.hypot(a, b),
  ),
  ReduceLogSum: reduction(
    (x) => log(sum(x, 1)),
    0,
    (a, b) => a + b,
  ),
  ReduceLogSumExp: reduction(
    (x) => logSumExp(x, 1),
    0,
    (a, b) => a + b,
  ),
  ReduceSumSquare: reduction(middle(square), 0, (a, b) => a + b * b),
};
