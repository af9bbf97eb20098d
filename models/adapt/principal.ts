import { EigenvalueDecomposition, Matrix } from "ml-matrix";

/** Rows in coordinates of which few say most. */
export interface Principal {
  readonly mean: Float64Array;
  /** Unit directions, [axes][L]. */
  readonly axes: readonly Float64Array[];
  /** Coordinates of the rows, [n][axes]; their mean square over all rows and axes is 1 / axes. */
  readonly coordinates: readonly Float64Array[];
  /** What a row's projection was divided by. */
  readonly scale: number;
}

/**
 * Principal components of rows, which see no ratings, so that all pictures may take part, held-out ones too. Of n rows there are n − 1.
 * @param most the most axes
 */
export function principalOf(rows: readonly Float64Array[], most: number): Principal {
  const [n, length] = [rows.length, rows[0]!.length];
  const mean = new Float64Array(length);
  for (const row of rows) for (let i = 0; i < length; i++) mean[i]! += row[i]! / n;
  const centred = new Matrix(rows.map((row) => row.map((value, i) => value - mean[i]!) as unknown as number[]));
  // Of the smaller of the two products, whose eigenvalues are the same.
  const isWide = n < length;
  const gram = isWide ? centred.mmul(centred.transpose()) : centred.transpose().mmul(centred);
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(gram, { assumeSymmetric: true });
  const order = realEigenvalues
    .map((value, i) => [value, i] as const)
    .sort(([a], [b]) => b - a)
    .filter(([value], rank) => rank < most && value > 1e-9 * Math.max(...realEigenvalues));
  const axes = order.map(([value, i]) => {
    const vector = eigenvectorMatrix.getColumnVector(i);
    if (!isWide) return Float64Array.from(vector.to1DArray());
    return Float64Array.from(centred.transpose().mmul(vector).div(Math.sqrt(value)).to1DArray());
  });
  const scale = Math.sqrt(order.reduce((sum, [value]) => sum + value, 0) / n) || 1;
  const coordinates = centred
    .to2DArray()
    .map((row) => Float64Array.from(axes, (axis) => axis.reduce((sum, value, i) => sum + value * row[i]!, 0) / scale));
  return { mean, axes, coordinates, scale };
}
