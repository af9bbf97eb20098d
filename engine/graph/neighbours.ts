import type { Device } from "../device/device.ts";
import { type RowRange, rowRanges } from "../kernel/grid.ts";
import { contract } from "../ops/contract.ts";
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
}

/** The k nearest neighbours of N points. */
export interface Neighbours {
  readonly metric: Metric;
  /** u32 [N, k], nearest first. */
  readonly indices: Tensor;
  /** f32 [N, k]: squared distances (`euclidean`, rising from 0) or similarities in [−1, 1] (`cosine`, falling). */
  readonly values: Tensor;
}

/** Largest k; the lists are held in registers. */
const mostNeighbours = 64;

/** Candidates of one tile, and scores of one tile (64 MiB): enough work for a dispatch, none that runs long. */
const tileColumns = 2048;
const tileScores = 2 ** 24;

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
  const { k = 10, metric = "euclidean" } = options;
  if (features.rank !== 2 || features.dtype !== "f32") {
    throw new ShapeError(`nearestNeighbours needs f32 features [N, d], found ${features.dtype} [${features.shape}]`);
  }
  const points = features.shape[0]!;
  if (!(Number.isInteger(k) && k >= 1 && k <= mostNeighbours)) {
    throw new ShapeError(`nearestNeighbours: k = ${k}; it must be a whole number from 1 to ${mostNeighbours}`);
  }
  if (k >= points) {
    throw new ShapeError(
      `nearestNeighbours: k = ${k} needs at least ${k + 1} points, there are ${points}; use a smaller k`,
    );
  }
  return features.device.scope(() => {
    // A few more than k: inner products may put points in the wrong order that are nearly equally far.
    const kept = upToFour(k + 4);
    const candidates = search(features, kept, metric);
    return { metric, ...rank(candidates, pairValues(features, candidates, metric), k, metric) };
  });
}

/** The `kept` best candidates of every point by inner products: u32 [N, kept], free places 0xffffffff. */
function search(features: Tensor, kept: number, metric: Metric): Tensor {
  const { device } = features;
  const [points, channels] = features.shape as [number, number];
  const padded = upToFour(channels);
  const plan = tiles(device, points, channels, padded, kept);
  const { columns } = plan;
  const shift = metric === "euclidean" ? origin(features) : undefined;

  const indices = Tensor.empty(device, [points, kept], "u32");
  const scores = Tensor.empty(device, [points, kept]);
  const rows = Tensor.empty(device, [plan.rows[0]!.count, padded]);
  const rowBias = Tensor.empty(device, [plan.rows[0]!.count]);
  const transposed = Tensor.empty(device, [padded, columns]);
  const bias = Tensor.empty(device, [columns]);
  const tile = Tensor.empty(device, [plan.rows[0]!.count, columns]);
  for (const candidates of plan.candidates) {
    pack(features, shift, candidates, { y: transposed, bias, lines: columns, transposed: true });
    for (const range of plan.rows) {
      pack(features, shift, range, { y: rows, bias: rowBias, lines: range.count, transposed: false });
      contract(rows, transposed, tile, products(range.count, padded, columns), { bias });
      overAll(
        device,
        range.count,
        "merge",
        { KEPT: kept, LAST: kept - 1 },
        {
          tile: tile.window(0, range.count * columns),
          scores: scores.window(range.start * kept, range.count * kept),
          indices: indices.window(range.start * kept, range.count * kept),
        },
        { rows: range.count, first_row: range.start, first_candidate: candidates.start, columns4: columns / 4 },
      );
    }
  }
  return indices;
}

/** How the pairs are cut into tiles, each part of which fits a binding. */
function tiles(device: Device, points: number, channels: number, padded: number, kept: number) {
  const most = device.maximumBindingBytes / 4 - 4;
  const wanted = Math.min(tileColumns, upToFour(points), Math.sqrt(most), most / padded);
  const candidates = rowRanges(device, points, [channels], Math.floor(wanted / 4) * 4);
  const columns = upToFour(candidates[0]!.count);
  const rows = rowRanges(device, points, [channels, padded, kept, columns], Math.floor(tileScores / columns));
  return { candidates, columns, rows };
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
  );
  return shift;
}

/** Where packed rows go: `lines` of them, those beyond the range filled up, as rows or as columns of `y`. */
interface Packed {
  readonly y: Tensor;
  readonly bias: Tensor;
  readonly lines: number;
  readonly transposed: boolean;
}

/** Centres the rows of a range on `shift`, or, without one, gives them length 1; see the kernel for the bias. */
function pack(
  features: Tensor,
  shift: Tensor | undefined,
  range: RowRange,
  { y, bias, lines, transposed }: Packed,
): void {
  const channels = features.shape[1]!;
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
  );
}

/** A matrix product in the terms of a contraction. */
function products(rows: number, channels: number, columns: number) {
  const one = [1, 1] as const;
  const none = [0, 0] as const;
  return {
    images: rows,
    grid: one,
    input: one,
    channels,
    columns,
    taps: one,
    stride: one,
    step: 1,
    offset: none,
    kernelStart: none,
    kernelStep: one,
    kernelWidth: 1,
  };
}

/** Squared distances or similarities of the listed pairs, [N, kept]. */
function pairValues(features: Tensor, indices: Tensor, metric: Metric): Tensor {
  const { device } = features;
  const [points, channels] = features.shape as [number, number];
  const kept = indices.shape[1]!;
  const vector = channels % 4 === 0;
  const values = Tensor.empty(device, indices.shape);
  for (const rows of rowRanges(device, points, [channels, kept])) {
    for (const candidates of rowRanges(device, points, [channels])) {
      const count = rows.count * kept;
      overAll(
        device,
        count,
        "pair",
        { METRIC: metric, ELEMENT: vector ? "vec4f" : "f32" },
        {
          a: features.window(rows.start * channels, rows.count * channels),
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
      );
    }
  }
  return values;
}

/** The k best of the candidates, best first. */
function rank(candidates: Tensor, values: Tensor, k: number, metric: Metric) {
  const { device } = candidates;
  const [points, kept] = candidates.shape as [number, number];
  const best = { indices: Tensor.empty(device, [points, k], "u32"), values: Tensor.empty(device, [points, k]) };
  for (const { start, count } of rowRanges(device, points, [kept, k])) {
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
