import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { mae, srcc } from "../../metrics/index.ts";
import { TrainingError } from "../../training/training.ts";

export type Kernel = "rbf" | "linear";

/** Widths that leave-one-out chooses among, and ridges: λ is the variance of noise as a multiple of the kernel's. */
export const widths = [0.25, 0.5, 1, 2, 4] as const;
export const ridges = [1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100] as const;

export interface RegressionOptions {
  readonly kernel: Kernel;
  /** Of the kernel rbf; 0 to choose it. */
  readonly width: number;
  /** λ; 0 to choose it. */
  readonly ridge: number;
}

export interface Regression {
  /** As given or chosen; absent with the kernel linear. */
  readonly width?: number;
  readonly ridge: number;
  /** [n]: what each labelled picture is given by all others. */
  readonly leftOut: Float64Array;
  /** [U] */
  readonly predictions: Float64Array;
  /** [U], 0 to 1: the share of its prior variance that the labels take away, with the function a Gaussian process. */
  readonly explained: Float64Array;
  /** With the kernel linear: f(x) = constant + Σ_j weights_j x_j of features as they are given, [d]. */
  readonly layer?: { readonly weights: Float64Array; readonly constant: number };
}

/** What a record says of a regression. */
export interface Fitness extends Pick<Regression, "width" | "ridge"> {
  /** Each labelled picture by the others. */
  readonly leftOut: { readonly n: number; readonly mae: number; readonly srcc: number };
}

export function fitnessOf({ width, ridge, leftOut }: Regression, y: readonly number[]): Fitness {
  return {
    ...(width !== undefined && { width }),
    ridge,
    leftOut: { n: y.length, mae: mae(leftOut, y), srcc: srcc(leftOut, y) },
  };
}

/** {@link Fitness} for a log. */
export function fitnessSentence({ width, ridge, leftOut }: Fitness): string {
  return `${width === undefined ? "" : `width ${width}, `}ridge ${ridge}; labelled pictures left out SRCC ${leftOut.srcc.toFixed(3)}, MAE ${leftOut.mae.toFixed(2)} of 99`;
}

/** Labelled pictures at most: minutes and some hundred MB for the decomposition of their kernel. */
export const mostLabelled = 3000;

/** @throws TrainingError for more labelled pictures than that */
export function expectRegression(labelled: number): void {
  if (labelled <= mostLabelled) return;
  throw new TrainingError(
    `${labelled} labelled pictures: kernel ridge regression solves for ${mostLabelled} at most; give fewer, or train by another method such as cpl`,
  );
}

/**
 * Kernel ridge regression: f(x) = b + Σ_i α_i k(x_i, x) with least Σ_i (y_i − f(x_i))² + λ αᵀKα, the constant b free of penalty. Features are
 * first brought to mean 0 and variance 1, each over all D that vary; k is exp(−|x − x′|² / (2 w² D)) for rbf, x·x′ / D for linear. Width w
 * and λ that are 0 are those with the least squared error on labelled pictures left out one by one, by its closed form
 * y_i − f₋ᵢ(x_i) = α_i / (C_ii − (C1)_i² / 1ᵀC1), C = (K + λ)⁻¹. Takes about n³ operations for each width, and n² for each other picture.
 * @param features [n + U, d], row-major, those of the labelled pictures first @param y [n]
 */
export function kernelRidge(
  features: Float32Array,
  d: number,
  y: readonly number[],
  { kernel, width, ridge }: RegressionOptions,
): Regression {
  const n = y.length;
  const { rows, count, mean, scale } = standardised(features, d);
  const fit = fitKernelRidge(rows.slice(0, n), count, y, { kernel, width, ridge });
  const { alpha, constant, leftOut, lambda, parts, width: chosen } = fit;
  const unlabelled = rows.length - n;
  const predictions = new Float64Array(unlabelled);
  const explained = new Float64Array(unlabelled);
  // In blocks, for a matrix of all would be large.
  for (let start = 0; start < unlabelled; start += block) {
    const some = rows.slice(n + start, n + Math.min(start + block, unlabelled));
    const cross = kernelMatrix(rows.slice(0, n), some, count, chosen);
    const turned = parts.vectors.transpose().mmul(cross);
    some.forEach((row, j) => {
      const prior = chosen === undefined ? dot(row, row) / count : 1;
      let [sum, taken] = [constant, 0];
      for (let i = 0; i < n; i++) {
        sum += alpha[i]! * cross.get(i, j);
        taken += turned.get(i, j) ** 2 / (parts.values[i]! + lambda);
      }
      predictions[start + j] = sum;
      explained[start + j] = prior > 0 ? Math.min(1, Math.max(0, taken / prior)) : 1;
    });
  }
  const found = { ridge: lambda, leftOut, predictions, explained };
  if (chosen !== undefined) return { ...found, width: chosen };
  const weights = Float64Array.from(scale, (factor, j) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += alpha[i]! * rows[i]![j]!;
    return (sum * factor) / count;
  });
  return { ...found, layer: { weights, constant: constant - dot(weights, mean) } };
}

const block = 512;

/** A function of {@link kernelRidge} as it was chosen, with what it is made of. */
export interface KernelFit extends LeaveOneOut {
  readonly width: number | undefined;
  readonly parts: Parts;
}

/**
 * Chooses and fits f(x) = constant + Σ_i alpha_i k(x_i, x), as {@link kernelRidge} says.
 * @param rows [n, d], on one scale @param count D, of which k is made
 */
export function fitKernelRidge(
  rows: readonly Float64Array[],
  count: number,
  y: readonly number[],
  { kernel, width, ridge }: RegressionOptions,
): KernelFit {
  const candidates = kernel === "linear" ? [undefined] : width > 0 ? [width] : widths;
  let best: KernelFit | undefined;
  for (const candidate of candidates) {
    const parts = decomposed(kernelMatrix(rows, rows, count, candidate), y);
    for (const lambda of ridge > 0 ? [ridge] : ridges) {
      const found = leaveOneOut(parts, y, lambda);
      if (!best || found.error < best.error) best = { ...found, width: candidate, parts };
    }
  }
  return best!;
}

/** K = V diag(values) Vᵀ, and y and 1 in its terms. */
interface Parts {
  readonly vectors: Matrix;
  readonly values: Float64Array;
  readonly turnedY: Float64Array;
  readonly turnedOnes: Float64Array;
}

function decomposed(kernel: Matrix, y: readonly number[]): Parts {
  const eigen = new EigenvalueDecomposition(kernel, { assumeSymmetric: true });
  const vectors = eigen.eigenvectorMatrix;
  const turned = (values: readonly number[]) =>
    Float64Array.from({ length: y.length }, (_, k) =>
      values.reduce((sum, value, i) => sum + vectors.get(i, k) * value, 0),
    );
  return {
    vectors,
    // None is below 0 but by rounding.
    values: Float64Array.from(eigen.realEigenvalues, (value) => Math.max(0, value)),
    turnedY: turned(y),
    turnedOnes: turned(y.map(() => 1)),
  };
}

interface LeaveOneOut {
  readonly alpha: Float64Array;
  readonly constant: number;
  readonly leftOut: Float64Array;
  /** Mean square. */
  readonly error: number;
  readonly lambda: number;
}

function leaveOneOut(
  { vectors, values, turnedY, turnedOnes }: Parts,
  y: readonly number[],
  lambda: number,
): LeaveOneOut {
  const n = y.length;
  const shrunk = values.map((value) => 1 / (value + lambda));
  const weighed = (a: Float64Array, b: Float64Array) =>
    a.reduce((sum, value, k) => sum + value * b[k]! * shrunk[k]!, 0);
  const whole = weighed(turnedOnes, turnedOnes);
  const constant = weighed(turnedOnes, turnedY) / whole;
  const [alpha, leftOut] = [new Float64Array(n), new Float64Array(n)];
  let error = 0;
  for (let i = 0; i < n; i++) {
    let [ofY, ofOnes, diagonal] = [0, 0, 0];
    for (let k = 0; k < n; k++) {
      const vector = vectors.get(i, k);
      ofY += vector * shrunk[k]! * turnedY[k]!;
      ofOnes += vector * shrunk[k]! * turnedOnes[k]!;
      diagonal += vector ** 2 * shrunk[k]!;
    }
    alpha[i] = ofY - constant * ofOnes;
    const residual = alpha[i]! / (diagonal - ofOnes ** 2 / whole);
    leftOut[i] = y[i]! - residual;
    error += residual ** 2 / n;
  }
  return { alpha, constant, leftOut, error, lambda };
}

/** k(a_i, b_j), [a, b]. @param count D @param width w of the kernel rbf; undefined for the linear one */
function kernelMatrix(
  a: readonly Float64Array[],
  b: readonly Float64Array[],
  count: number,
  width: number | undefined,
): Matrix {
  const [squaresA, squaresB] = [a.map((row) => dot(row, row)), b.map((row) => dot(row, row))];
  const matrix = Matrix.zeros(a.length, b.length);
  for (let i = 0; i < a.length; i++)
    for (let j = 0; j < b.length; j++) {
      const product = dot(a[i]!, b[j]!);
      const distance = Math.max(0, squaresA[i]! + squaresB[j]! - 2 * product);
      matrix.set(i, j, width === undefined ? product / count : Math.exp(-distance / (2 * width ** 2 * count)));
    }
  return matrix;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let j = 0; j < a.length; j++) sum += a[j]! * b[j]!;
  return sum;
}

/** Rows whose columns have mean 0 and variance 1 (times `scale`), those that do not vary 0; and how many vary, at least 1. */
function standardised(features: Float32Array, d: number) {
  const total = features.length / d;
  const [mean, variance] = [new Float64Array(d), new Float64Array(d)];
  features.forEach((value, at) => {
    mean[at % d]! += value / total;
  });
  features.forEach((value, at) => {
    variance[at % d]! += (value - mean[at % d]!) ** 2 / total;
  });
  // What differs by rounding alone does not vary.
  const scale = variance.map((square, j) => (square > 1e-12 * mean[j]! ** 2 ? 1 / Math.sqrt(square) : 0));
  const rows = Array.from({ length: total }, (_, i) =>
    Float64Array.from({ length: d }, (_, j) => (features[i * d + j]! - mean[j]!) * scale[j]!),
  );
  return { rows, mean, scale, count: Math.max(1, scale.filter((factor) => factor > 0).length) };
}
