import { type Checks, expectOptions, flag, shown } from "../arguments.ts";
import { record } from "../autograd.ts";
import type { Constants } from "../kernel/template.ts";
import { type Shape, ShapeError, Tensor } from "../tensor.ts";
import { lastAxis } from "./along-axis.ts";
import { expectTensors } from "./operands.ts";
import { overRows } from "./over-rows.ts";
import { reshape } from "./shape.ts";

export interface TopKOptions {
  /** Along this axis, the last unless given; negative counts from the last. */
  readonly axis?: number;
  /** The largest elements (the default), or the smallest. */
  readonly largest?: boolean;
}

export interface ArgmaxOptions {
  /** The axis stays, with the extent 1. */
  readonly keepDims?: boolean;
  /** Of equal elements the last one, and not the first. */
  readonly last?: boolean;
}

const axisCheck = { allowed: "the number of an axis", fits: () => true };
const checks: Checks<TopKOptions> = { axis: axisCheck, largest: flag };
const argmaxChecks: Checks<ArgmaxOptions> = { keepDims: flag, last: flag };

/** The order of elements in row/top_k. */
interface Order extends Constants {
  readonly SMALLEST: boolean;
  readonly NAN_FIRST: boolean;
  readonly LAST: boolean;
}

/** The k first elements of each row of the last axis. Not recorded. */
function first(x: Tensor, k: number, order: Order): { values: Tensor; indices: Tensor } {
  const shape = [...x.shape.slice(0, -1), k];
  const values = Tensor.like(x, shape);
  const indices = Tensor.empty(x.device, shape, "u32");
  const tensors = { rows: { x }, beside: { values: [values, k] as const, indices: [indices, k] as const } };
  overRows("row/top_k", { ...order, VECTOR: false }, x.shape.at(-1)!, tensors, () => ({ k }));
  return { values, indices };
}

/**
 * The k largest or smallest elements along an axis, in that order; equal ones by smaller index. NaN counts as larger than every
 * number. x: […, m, …] → values and u32 indices […, k, …]. Gradients flow through the values.
 * @throws ShapeError when x holds indices or has no such axis, or k is not a whole number from 1 to m
 */
export function topK(x: Tensor, k: number, options: TopKOptions = {}): { values: Tensor; indices: Tensor } {
  expectTensors("topK", { x });
  expectOptions("topK", options, checks);
  const { axis = -1, largest = true } = options;
  const { rows, back } = lastAxis("topK", x, axis);
  const columns = rows.shape.at(-1)!;
  if (!Number.isInteger(k) || k < 1 || k > columns) {
    throw new ShapeError(`topK: k = ${shown(k)} is not a whole number from 1 to ${columns}, the length of the rows`);
  }
  const { values, indices } = first(rows, k, { SMALLEST: !largest, NAN_FIRST: largest, LAST: false });
  // dx[j] = dvalues[t] where indices[t] = j, else 0
  record("topK", [rows], values, (dvalues) => [spreadTop(dvalues, indices, rows.shape)]);
  return { values: back(values), indices: back(indices) };
}

function spreadTop(dvalues: Tensor, indices: Tensor, shape: Shape): Tensor {
  const dx = Tensor.like(dvalues, shape);
  const k = indices.shape.at(-1)!;
  const tensors = { rows: { dx }, beside: { dvalues: [dvalues, k] as const, indices: [indices, k] as const } };
  overRows("row/top_k_gradient", { VECTOR: false }, shape.at(-1)!, tensors, () => ({ k }));
  return dx;
}

function place(operation: string, x: Tensor, axis: number, options: ArgmaxOptions, smallest: boolean): Tensor {
  expectTensors(operation, { x });
  expectOptions(operation, options, argmaxChecks);
  const { keepDims = false, last = false } = options;
  const { rows, back } = lastAxis(operation, x, axis);
  if (rows.shape.at(-1) === 0)
    throw new ShapeError(`${operation}: [${x.shape}] has no elements along axis ${axis}, and no place among them`);
  const { values, indices } = first(rows, 1, { SMALLEST: smallest, NAN_FIRST: true, LAST: last });
  values.dispose();
  const y = back(indices);
  if (keepDims) return y;
  const rest = x.shape.toSpliced(axis, 1);
  return reshape(y, rest.length > 0 ? rest : [1]);
}

/**
 * Place of the largest element along an axis, the last axis unless given (negative counts from the last): the first of equal
 * ones, that of the first NaN if there is one. x: […, m, …] → u32 without the axis; [m] → [1]. Has no gradient.
 * @throws ShapeError when x holds indices or has no such axis
 */
export function argmax(x: Tensor, axis = -1, options: ArgmaxOptions = {}): Tensor {
  return place("argmax", x, axis, options, false);
}

/** Place of the smallest element along an axis, as {@link argmax}. */
export function argmin(x: Tensor, axis = -1, options: ArgmaxOptions = {}): Tensor {
  return place("argmin", x, axis, options, true);
}
