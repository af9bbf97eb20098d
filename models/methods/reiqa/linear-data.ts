/** Folds that penalties are chosen by. */
export const foldCount = 5;

/** A linear layer: f(x) = constant + Σ_j weights_j x_j of features as they are given. */
export interface LinearLayer {
  readonly weights: Float64Array;
  readonly constant: number;
}

/** A layer that was chosen over folds. */
export interface FoldFit {
  readonly layer: LinearLayer;
  /** [n]: what each picture is given by the layer of the other folds. */
  readonly leftOut: Float64Array;
}

/**
 * Features [n, d], row-major, with the mean and the inverse deviation of each column; of one that does not vary the inverse is 0. What is fitted are
 * columns brought to mean 0 and variance 1.
 */
export interface LinearData {
  readonly features: Float32Array;
  readonly n: number;
  readonly d: number;
  readonly mean: Float64Array;
  readonly scale: Float64Array;
  /** Columns that vary, at least 1. */
  readonly varying: number;
  readonly y: readonly number[];
}

/** @param features [n, d] @param y [n] */
export function linearData(features: Float32Array, d: number, y: readonly number[]): LinearData {
  const n = y.length;
  const [mean, variance] = [new Float64Array(d), new Float64Array(d)];
  for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) mean[j]! += features[i * d + j]! / n;
  for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) variance[j]! += (features[i * d + j]! - mean[j]!) ** 2 / n;
  // What differs by rounding alone does not vary.
  const scale = variance.map((square, j) => (square > 1e-12 * mean[j]! ** 2 ? 1 / Math.sqrt(square) : 0));
  const varying = Math.max(1, scale.filter((factor) => factor > 0).length);
  return { features, n, d, mean, scale, varying, y };
}

/** The pictures that are learnt from when a fold is left out, and those of the fold; picture i is of fold i modulo their number. */
export function foldsOf(n: number): { readonly train: number[]; readonly test: number[] }[] {
  const all = Array.from({ length: n }, (_, i) => i);
  const count = Math.min(foldCount, n);
  return Array.from({ length: count }, (_, fold) => ({
    train: all.filter((i) => i % count !== fold),
    test: all.filter((i) => i % count === fold),
  }));
}

/** constant + Σ_j w_j z_ij of some pictures, z the standardised features. */
export function predicted(
  { features, d, mean, scale }: LinearData,
  rows: readonly number[],
  weights: Float64Array,
  constant: number,
): Float64Array {
  const own = weights.map((weight, j) => weight * scale[j]!);
  const start = constant - dot(own, mean);
  return Float64Array.from(rows, (i) => {
    let sum = start;
    for (let j = 0; j < d; j++) sum += features[i * d + j]! * own[j]!;
    return sum;
  });
}

/** Weights on standardised features as a layer on features as they are. */
export function layerOf({ mean, scale }: LinearData, weights: Float64Array, constant: number): LinearLayer {
  const own = weights.map((weight, j) => weight * scale[j]!);
  return { weights: own, constant: constant - dot(own, mean) };
}

export function meanOver(rows: readonly number[], y: readonly number[]): number {
  return rows.reduce((sum, i) => sum + y[i]!, 0) / rows.length;
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let j = 0; j < a.length; j++) sum += a[j]! * b[j]!;
  return sum;
}
