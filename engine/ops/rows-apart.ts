import { elementBytes, type Shape, ShapeError, sizeOf, Tensor } from "../tensor.ts";

/** The place of an element in bytes, where WebGPU can copy from and to it. */
function placeOf(x: Tensor, element: number, count: number): [byte: number, bytes: number] {
  const bytes = elementBytes[x.dtype];
  if ((element * bytes) % 4 !== 0 || (count * bytes) % 4 !== 0)
    throw new ShapeError(
      `rows of [${x.shape}] ${x.dtype} are too long to be cut on this adapter and start between two words; fill them up to an even number of elements`,
    );
  return [element * bytes, count * bytes];
}

/**
 * Elements of x from `first` on in a tensor of their own, of that shape: what a kernel is given where no window of x starts
 * at a place that the adapter can bind. Not recorded.
 */
export function apart(x: Tensor, first: number, shape: Shape): Tensor {
  const [byte, bytes] = placeOf(x, first, sizeOf(shape));
  const y = Tensor.like(x, shape);
  x.device.stream.copy(x.allocation, byte, y.allocation, 0, bytes);
  return y;
}

/** Columns `first …` of all rows of x in a tensor of their own [rows, count]. Not recorded. */
export function columnsApart(x: Tensor, rows: number, columns: number, first: number, count: number): Tensor {
  const y = Tensor.like(x, [rows, count]);
  for (let row = 0; row < rows; row++) {
    const [from, bytes] = placeOf(x, row * columns + first, count);
    x.device.stream.copy(x.allocation, from, y.allocation, row * bytes, bytes);
  }
  return y;
}

/** Puts what {@link apart} took back in its place. */
export function putBack(row: Tensor, x: Tensor, first: number): void {
  const [byte, bytes] = placeOf(x, first, row.size);
  x.device.stream.copy(row.allocation, 0, x.allocation, byte, bytes);
}
