import { ShapeError } from "../arguments.ts";
import type { Grid } from "./argument.ts";

/** What bounds a call: a device, as far as it is asked for here. */
export interface Bounds {
  readonly mostWorkgroups: number;
  readonly offsetAlignment: number;
  readonly maximumBindingBytes: number;
  readonly features: ReadonlySet<string>;
}

/** Invocations of a workgroup in kernels whose work is a flat list of elements. */
export const flatWorkgroup = 64;

/**
 * A grid for `count` independent invocations, folded into two dimensions when one is not enough. The kernel finds its
 * number as `id.x + id.y * (groups.x * WORKGROUP)` and returns when it is not below the count. None for a count of 0.
 */
export function flatGrid(device: Bounds, count: number, workgroup = flatWorkgroup): Grid {
  const groups = Math.ceil(count / workgroup);
  const limit = device.mostWorkgroups;
  if (groups <= limit) return [groups, 1, 1];
  const rows = Math.ceil(groups / limit);
  return [Math.ceil(groups / rows), rows, 1];
}

/** A run of consecutive rows that fits the adapter's bindings. */
export interface RowRange {
  readonly start: number;
  readonly count: number;
}

/**
 * Cuts `rows` into runs such that in every tensor with so many elements a row, each run fits one binding and starts at
 * an aligned offset. Nearly always one run; more when a tensor is larger than one binding of the adapter, none without rows.
 * @throws ShapeError when not even the smallest aligned run fits
 */
export function rowRanges(device: Bounds, rows: number, elementsPerRow: readonly number[], atMost = rows): RowRange[] {
  if (rows === 0) return [];
  const run = longestRun(device, rows, elementsPerRow, atMost);
  if (run === 0) {
    throw new ShapeError(
      `a row of ${Math.max(...elementsPerRow)} elements does not fit one binding of ${device.maximumBindingBytes} bytes on this adapter`,
    );
  }
  const ranges: RowRange[] = [];
  for (let start = 0; start < rows; start += run) ranges.push({ start, count: Math.min(run, rows - start) });
  return ranges;
}

/** {@link rowRanges} for what is put together into something else: without rows one run of none, whose call writes that nothing came. */
export function runsOf(device: Bounds, rows: number, elementsPerRow: readonly number[]): RowRange[] {
  return rows === 0 ? [{ start: 0, count: 0 }] : rowRanges(device, rows, elementsPerRow);
}

/** Whether {@link rowRanges} finds runs: long rows may start where no binding can. */
export function canCut(device: Bounds, rows: number, elementsPerRow: readonly number[]): boolean {
  return rows === 0 || longestRun(device, rows, elementsPerRow, rows) > 0;
}

function longestRun(device: Bounds, rows: number, elementsPerRow: readonly number[], atMost: number): number {
  let fitting = Math.min(rows, atMost);
  // The binding covers whole vec4s, hence up to 12 bytes more than the elements.
  for (const elements of elementsPerRow)
    fitting = Math.min(fitting, Math.floor((device.maximumBindingBytes - 12) / (elements * 4)));
  if (fitting >= rows) return rows;
  // Offsets are counted in elements of 4 bytes; they are aligned for those of 2 bytes too where tensors can have them.
  const alignment = device.offsetAlignment * (device.features.has("shader-f16") ? 2 : 1);
  let step = 1;
  for (const elements of elementsPerRow)
    step = leastCommonMultiple(step, alignment / greatestCommonDivisor(elements * 4, alignment));
  return Math.floor(fitting / step) * step;
}

export function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function leastCommonMultiple(a: number, b: number): number {
  return (a / greatestCommonDivisor(a, b)) * b;
}
