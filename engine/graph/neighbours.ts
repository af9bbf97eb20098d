import { any, type Checks, expectOptions, oneOf, shown } from "../arguments.ts";
import type { Device } from "../device/device.ts";
import type { CallCost } from "../kernel/call.ts";
import { type RowRange, rowRanges } from "../kernel/grid.ts";
import { contract } from "../ops/contraction/contract.ts";
import { expectOperands, single } from "../ops/operands.ts";
import { upToFour } from "../ops/shape.ts";
import { ShapeError, Tensor } from "../tensor.ts";
import { overAll } from "./flat.ts";

/** What makes two points neighbours: a small Euclidean distance or a large cosine similarity. */
export type Metric = "euclidean" | "cosine";

export interface NeighbourOptions {
  /** Neighbours of each point, 1..64. Default 10. */
  readonly k?: number;
  /** Default `euclidean`. */
  readonly metric?: Metric;
  /** Points whose neighbours are wanted, the first being a multiple of 64; all unless given. The neighbours are the same bits. */
  readonly rows?: RowRange;
}

/** The k nearest neighbours of N points. */
export interface Neighbours {
  readonly metric: Metric;
  /** u32 [N, k], or of the rows that were asked for; nearest first. */
  readonly indices: Tensor;
  /** f32 [N, k]: squared distances (`euclidean`, rising from 0) or similarities in [−1, 1] (`cosine`, falling). */
  readonly values: Tensor;
}

/** Largest k; the lists are held in registers. */
const mostNeighbours = 64;

/**
 * Points on a side of a tile, and multiplications of its product at most. A tile of this work and its operands stay in the
 * cache of a processor between the product and the two merges, and no dispatch comes near what a watchdog minds.
 */
const tileSide = 2048;
const tileWork = 2 ** 27;
/** Multiplications of one dispatch over listed pairs, whose points lie anywhere in memory. */
const pairWork = 2 ** 25;
/** A block of so many points starts aligned, whatever their channels. */
const leastSide = 128;

/** Points that a part of all begins at a multiple of, so that its window is aligned on every adapter. */
export const rowStep = 64;

const checks: Checks<NeighbourOptions> = { k: any, metric: oneOf("euclidean", "cosine"), rows: any };
const types = { features: single };

/** Rows from which the origin of the distances is estimated. */
const sampledRows = 256;

/**
 * Exact k nearest neighbours by search through all pairs, in tiles: the N x N matrix never exists. A point is no neighbour
 * of itself, by its number, so that copies of it are; equally near points are taken in the order of their numbers. The
 * candidates are found by inner products; their distances are then computed from the points themselves and decide the order.
 * @param features f32 [N, d], left as they are
 * @throws ShapeError when features are no matrix, or k is not within 1..64 and below N
 */
export function nearestNeighbours(features: Tensor, options: NeighbourOptions = {}): Neighbours {
  expectOptions("nearestNeighbours", options, checks);
  expectOperands("nearestNeighbours", { features }, types);
  const { k = 10, metric = "euclidean" } = options;
  if (features.rank !== 2) throw new ShapeError(`nearestNeighbours needs features [N, d], found [${features.shape}]`);
  const points = features.shape[0]!;
  if (!(Number.isInteger(k) && k >= 1 && k <= mostNeighbours)) {
    throw new ShapeError(`nearestNeighbours: k = ${shown(k)}; it must be a whole number from 1 to ${mostNeighbours}`);
  }
  if (k >= points) {
    throw new ShapeError(
      `nearestNeighbours: k = ${k} needs at least ${k + 1} points, there are ${points}; use a smaller k`,
    );
  }
  const { rows } = options;
  if (rows) expectRows(rows, points);
  const search = () => {
    // A few more than k: inner products may put points in the wrong order that are nearly equally far.
    const kept = upToFour(k + 4);
    const candidates = rows ? candidatesOf(features, rows, kept, metric) : findCandidates(features, kept, metric);
    const first = rows?.start ?? 0;
    return { metric, ...rank(candidates, pairValues(features, candidates, metric, first), k, metric, points) };
  };
  const { device } = features;
  return device.labels.within({ phase: "graph", op: "nearestNeighbours" }, () => device.scope(search));
}

/** @throws ShapeError when rows are not some of the points, or begin where no part does */
function expectRows({ start, count }: RowRange, points: number): void {
  const fits = [start, count].every(Number.isSafeInteger) && start >= 0 && count >= 1 && start + count <= points;
  if (!fits || start % rowStep !== 0)
    throw new ShapeError(
      `nearestNeighbours: rows from ${shown(start)}, ${shown(count)} of them; they must be some of ${points}, the first a multiple of ${rowStep}`,
    );
}

/** {@link findCandidates} of some points alone, [rows, kept]: their tiles with all blocks of points, in the order of those. */
function candidatesOf(features: Tensor, rows: RowRange, kept: number, metric: Metric): Tensor {
  const { device } = features;
  const [points, channels] = features.shape as [number, number];
  const padded = upToFour(channels);
  const blocks = tileBlocks(device, points, channels, padded, kept);
  const most = blocks[0]!.count;
  const side = upToFour(most);
  const shift = metric === "euclidean" ? origin(features) : undefined;
  const indices = Tensor.empty(device, [rows.count, kept], "u32");
  const scores = Tensor.empty(device, [rows.count, kept]);
  const lines: Packed = { y: Tensor.empty(device, [side, padded]), bias: Tensor.empty(device, [side]) };
  const columns: Packed = { y: Tensor.empty(device, [padded, side]), bias: Tensor.empty(device, [side]) };
  const tile = Tensor.empty(device, [side, side]);
  const height = Math.max(rowStep, Math.floor(most / rowStep) * rowStep);
  for (let from = 0; from < rows.count; from += Math.min(height, most)) {
    const own = { start: rows.start + from, count: Math.min(height, most, rows.count - from) };
    pack(features, shift, own, lines, false);
    for (const right of blocks) {
      pack(features, shift, right, columns, true);
      contract(lines.y, columns.y, tile, products(upToFour(own.count), padded, side, [channels, right.count]));
      overAll(
        device,
        own.count,
        "merge",
        { KEPT: kept, LAST: kept - 1, COLUMNS_OWN: false },
        {
          tile: tile.window(),
          bias: columns.bias.window(),
          scores: scores.window(from * kept, own.count * kept),
          indices: indices.window(from * kept, own.count * kept),
        },
        {
          ...{ owners: own.count, first_owner: own.start, first_candidate: right.start },
          ...{ candidates4: Math.ceil(right.count / 4), columns4: side / 4 },
        },
        { flops: own.count * right.count },
      );
    }
  }
  return indices;
}

/**
 * The `kept` best candidates of every point by inner products: u32 [N, kept], free places 0xffffffff. The products are
 * symmetric to the bit, so that only tiles on and above the diagonal are made: one of blocks a < b gives the points of a
 * candidates from b, and those of b candidates from a. Taken line by line, every point meets its candidates in their order.
 */
function findCandidates(features: Tensor, kept: number, metric: Metric): Tensor {
  const { device } = features;
  const [points, channels] = features.shape as [number, number];
  const padded = upToFour(channels);
  const blocks = tileBlocks(device, points, channels, padded, kept);
  const side = upToFour(blocks[0]!.count);
  const shift = metric === "euclidean" ? origin(features) : undefined;

  const indices = Tensor.empty(device, [points, kept], "u32");
  const scores = Tensor.empty(device, [points, kept]);
  const lines: Packed = { y: Tensor.empty(device, [side, padded]), bias: Tensor.empty(device, [side]) };
  const columns: Packed = { y: Tensor.empty(device, [padded, side]), bias: Tensor.empty(device, [side]) };
  const tile = Tensor.empty(device, [side, side]);
  const merge = (owners: RowRange, candidates: RowRange, bias: Tensor, columnsOwn: boolean) =>
    overAll(
      device,
      owners.count,
      "merge",
      { KEPT: kept, LAST: kept - 1, COLUMNS_OWN: columnsOwn },
      {
        tile: tile.window(),
        bias: bias.window(),
        scores: scores.window(owners.start * kept, owners.count * kept),
        indices: indices.window(owners.start * kept, owners.count * kept),
      },
      {
        owners: owners.count,
        first_owner: owners.start,
        first_candidate: candidates.start,
        candidates4: Math.ceil(candidates.count / 4),
        columns4: side / 4,
      },
      // A product and the bias of the candidate
      { flops: owners.count * candidates.count },
    );
  for (const [i, above] of blocks.entries()) {
    pack(features, shift, above, lines, false);
    for (const right of blocks.slice(i)) {
      pack(features, shift, right, columns, true);
      contract(lines.y, columns.y, tile, products(upToFour(above.count), padded, side, [channels, right.count]));
      merge(above, right, columns.bias, false);
      if (right !== above) merge(right, above, lines.bias, true);
    }
  }
  return indices;
}

/** The points in blocks of about the same size, such that a tile of two blocks fits a binding and one dispatch. */
function tileBlocks(device: Device, points: number, channels: number, padded: number, kept: number): RowRange[] {
  const binding = device.maximumBindingBytes / 4 - 4;
  const wanted = Math.min(tileSide, Math.max(leastSide, Math.sqrt(tileWork / padded)));
  const side = Math.min(wanted, Math.sqrt(binding), binding / padded);
  const even = upToFour(Math.ceil(points / Math.ceil(points / side)));
  const most = Math.min(Math.floor(side / 4) * 4, Math.max(leastSide, even));
  return rowRanges(device, points, [channels, kept], most);
}

/** A point amid the features, [d]. */
function origin(features: Tensor): Tensor {
  const { device } = features;
  const [points, channels] = features.shape as [number, number];
  const shift = Tensor.empty(device, [channels]);
  const { count } = rowRanges(device, points, [channels])[0]!;
  const stride = Math.ceil(count / sampledRows);
  overAll(
    device,
    channels,
    "centre",
    {},
    { x: features.window(0, count * channels), shift: shift.window() },
    { samples: Math.ceil(count / stride), stride, channels },
    { flops: Math.ceil(count / stride) * channels, bytes: 4 * (Math.ceil(count / stride) + 1) * channels },
  );
  return shift;
}

/** Packed points, as the lines or the columns of `y`, and the bias of each. */
interface Packed {
  readonly y: Tensor;
  readonly bias: Tensor;
}

/** Centres the points of a range on `shift`, or, without one, gives them length 1; see the kernel for bias and padding. */
function pack(
  features: Tensor,
  shift: Tensor | undefined,
  range: RowRange,
  { y, bias }: Packed,
  transposed: boolean,
): void {
  const channels = features.shape[1]!;
  const lines = bias.size;
  overAll(
    features.device,
    lines,
    "pack",
    { METRIC: shift ? "euclidean" : "cosine", TRANSPOSE: transposed },
    {
      x: features.window(range.start * channels, range.count * channels),
      y: y.window(),
      bias: bias.window(),
      ...(shift && { shift: shift.window() }),
    },
    { rows: range.count, lines, channels, padded: upToFour(channels) },
    // The difference from the shift, or the factor, and Σ x²
    { flops: 3 * range.count * channels },
  );
}

/** A matrix product in the terms of a contraction. */
function products(rows: number, channels: number, columns: number, filled: readonly [number, number]) {
  const one = [1, 1] as const;
  const none = [0, 0] as const;
  return {
    images: rows,
    grid: one,
    input: one,
    channels,
    columns,
    filled,
    taps: one,
    stride: one,
    step: one,
    offset: none,
    kernelStart: none,
    kernelStep: one,
    kernelWidth: 1,
  };
}

/** Squared distances or similarities of the listed pairs, [rows, kept]. @param first point that the first row is of */
function pairValues(features: Tensor, indices: Tensor, metric: Metric, first: number): Tensor {
  const { device } = features;
  const [points, channels] = features.shape as [number, number];
  const [listed, kept] = indices.shape as [number, number];
  const vector = channels % 4 === 0;
  const values = Tensor.empty(device, indices.shape);
  const mostRows = Math.max(leastSide, Math.floor(pairWork / (kept * channels)));
  for (const rows of rowRanges(device, listed, [channels, kept], mostRows)) {
    for (const candidates of rowRanges(device, points, [channels])) {
      const count = rows.count * kept;
      overAll(
        device,
        count,
        "pair",
        { METRIC: metric, ELEMENT: vector ? "vec4f" : "f32" },
        {
          a: features.window((first + rows.start) * channels, rows.count * channels),
          b: features.window(candidates.start * channels, candidates.count * channels),
          indices: indices.window(rows.start * kept, count),
          values: values.window(rows.start * kept, count),
        },
        {
          count,
          kept,
          length: vector ? channels / 4 : channels,
          first: candidates.start,
          points: candidates.count,
        },
        pairCost(rows.count, Math.min(count, candidates.count), count, channels, metric),
      );
    }
  }
  return values;
}

/** Σ (a − b)² or a · b, a² and b² of each listed pair of so many points with so many others. */
function pairCost(points: number, others: number, pairs: number, channels: number, metric: Metric): CallCost {
  const flops = (metric === "euclidean" ? 3 : 6) * pairs * channels;
  return { flops, bytes: 4 * ((points + others) * channels + 2 * pairs) };
}

/** The k best of the candidates, best first. */
function rank(candidates: Tensor, values: Tensor, k: number, metric: Metric, points: number) {
  const { device } = candidates;
  const [rows, kept] = candidates.shape as [number, number];
  const best = { indices: Tensor.empty(device, [rows, k], "u32"), values: Tensor.empty(device, [rows, k]) };
  for (const { start, count } of rowRanges(device, rows, [kept, k])) {
    overAll(
      device,
      count,
      "rank",
      { K: k, KEPT: kept, LARGEST: metric === "cosine" },
      {
        kept_indices: candidates.window(start * kept, count * kept),
        kept_values: values.window(start * kept, count * kept),
        indices: best.indices.window(start * k, count * k),
        values: best.values.window(start * k, count * k),
      },
      { rows: count, last: points - 1 },
    );
  }
  return best;
}
