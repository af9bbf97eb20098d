/**
 * A Gaussian window of side x side numbers with sum 1, for kernels that make four outputs in a column: entry [i, j] of [side + 3, side, 4] holds the
 * weights that the input in row i, column j has for each of them.
 */
export function gaussianWindow(side: number, deviation: number): Float32Array<ArrayBuffer> {
  const line = Array.from({ length: side }, (_, i) => Math.exp(-((i - (side - 1) / 2) ** 2) / (2 * deviation ** 2)));
  const total = line.reduce((sum, value) => sum + value, 0) ** 2;
  return Float32Array.from({ length: 4 * side * (side + 3) }, (_, at) => {
    const [i, j, output] = [Math.floor(at / (4 * side)), Math.floor(at / 4) % side, at % 4];
    return ((line[i - output] ?? 0) * line[j]!) / total;
  });
}
