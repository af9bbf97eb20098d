import type { SparseMatrix } from "../../../engine/graph/sparse.ts";
import { Random } from "../../../engine/random.ts";

/** Points with normally distributed coordinates, rounded to f32. */
export function randomPoints(count: number, channels: number, seed: number): Float32Array<ArrayBuffer> {
  const random = new Random(seed, "points");
  return Float32Array.from({ length: count * channels }, () => random.normal());
}

/** Points on a lattice of `side` steps an axis: many copies and many equal distances. */
export function latticePoints(count: number, channels: number, side: number): Float32Array<ArrayBuffer> {
  const random = new Random(5, "lattice");
  return Float32Array.from({ length: count * channels }, () => Math.floor(random.uniform() * side));
}

/** Points of a formula in whole numbers; see test/golden/points.py. */
export interface HashedPoints {
  readonly points: number;
  readonly channels: number;
  /** Values that a coordinate may have. */
  readonly levels: number;
  readonly copies: number;
}

export function hashedPoints({ points, channels, levels, copies }: HashedPoints): Float32Array<ArrayBuffer> {
  const x = Float32Array.from({ length: points * channels }, (_, i) => {
    let h = Math.imul(i + 1, 0x9e3779b1);
    h = Math.imul(h ^ (h >>> 15), 0x85ebca77);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae3d);
    return Math.floor((levels * (h >>> 8)) / 2 ** 24) / levels;
  });
  for (let copy = 0; copy < copies; copy++) {
    x.copyWithin((points - copies + copy) * channels, 3 * copy * channels, (3 * copy + 1) * channels);
  }
  return x;
}

/** Exact neighbours in float64: by value, then by index; similarities count as negative distances. */
export function bruteNeighbours(x: Float32Array, channels: number, k: number, metric: "euclidean" | "cosine") {
  const rows = Array.from({ length: x.length / channels }, (_, i) => bruteRow(x, channels, i, k, metric)).flat();
  return { indices: rows.map(({ index }) => index), values: rows.map(({ value }) => value) };
}

/** Those of one point. */
export function bruteRow(x: Float32Array, channels: number, i: number, k: number, metric: "euclidean" | "cosine") {
  const pairs: { index: number; value: number }[] = [];
  for (let j = 0; j < x.length / channels; j++) {
    if (j !== i) pairs.push({ index: j, value: pairValue(x, channels, i, j, metric) });
  }
  const sign = metric === "cosine" ? -1 : 1;
  return pairs.sort((a, b) => sign * (a.value - b.value) || a.index - b.index).slice(0, k);
}

function pairValue(x: Float32Array, channels: number, i: number, j: number, metric: "euclidean" | "cosine"): number {
  let squares = 0;
  let dot = 0;
  let a2 = 0;
  let b2 = 0;
  for (let c = 0; c < channels; c++) {
    const a = x[i * channels + c]!;
    const b = x[j * channels + c]!;
    squares += (a - b) ** 2;
    dot += a * b;
    a2 += a * a;
    b2 += b * b;
  }
  if (metric === "euclidean") return squares;
  return a2 * b2 > 0 ? dot / Math.sqrt(a2 * b2) : 0;
}

/** Dense W = D^−½ (A + Aᵀ) D^−½ in float64. */
export function denseGraph(indices: ArrayLike<number>, weights: ArrayLike<number>, size: number): number[][] {
  const k = indices.length / size;
  const a = Array.from({ length: size }, () => new Array<number>(size).fill(0));
  for (let e = 0; e < indices.length; e++) {
    const row = Math.floor(e / k);
    const column = indices[e]!;
    if (row === column) continue;
    a[row]![column]! += weights[e]!;
    a[column]![row]! += weights[e]!;
  }
  const degree = a.map((row) => row.reduce((sum, value) => sum + value, 0) || 1);
  return a.map((row, i) => row.map((value, j) => value / Math.sqrt(degree[i]! * degree[j]!)));
}

/** A sparse matrix read back as a dense one; checks that every row is sorted. */
export async function readDense(matrix: SparseMatrix): Promise<{ dense: number[][]; sorted: boolean }> {
  const [rowStart, columns, values] = await Promise.all([
    matrix.rowStart.readIndices(),
    matrix.columns.readIndices(),
    matrix.values.read(),
  ]);
  const dense = Array.from({ length: matrix.size }, () => new Array<number>(matrix.size).fill(0));
  let sorted = rowStart[matrix.size] === columns.length;
  for (let i = 0; i < matrix.size; i++) {
    for (let e = rowStart[i]!; e < rowStart[i + 1]!; e++) {
      dense[i]![columns[e]!]! += values[e]!;
      if (e > rowStart[i]! && columns[e]! < columns[e - 1]!) sorted = false;
    }
  }
  return { dense, sorted };
}

/** Solves (I − gamma·W) Z = Y by Gaussian elimination with pivots, float64. y: rows of m numbers. */
export function eliminate(w: number[][], gamma: number, y: number[][]): number[][] {
  const n = w.length;
  const rows = w.map((row, i) => [...row.map((value, j) => (i === j ? 1 : 0) - gamma * value), ...y[i]!]);
  for (let i = 0; i < n; i++) {
    let pivot = i;
    for (let j = i + 1; j < n; j++) if (Math.abs(rows[j]![i]!) > Math.abs(rows[pivot]![i]!)) pivot = j;
    [rows[i], rows[pivot]] = [rows[pivot]!, rows[i]!];
    for (let j = 0; j < n; j++) {
      const factor = j === i ? 0 : rows[j]![i]! / rows[i]![i]!;
      if (factor !== 0) for (let c = i; c < rows[i]!.length; c++) rows[j]![c]! -= factor * rows[i]![c]!;
    }
  }
  return rows.map((row, i) => row.slice(n).map((value) => value / row[i]!));
}

/** Rows of `width` numbers. */
export function rowsOf(flat: ArrayLike<number>, width: number): number[][] {
  const all = Array.from(flat);
  return Array.from({ length: all.length / width }, (_, i) => all.slice(i * width, (i + 1) * width));
}
