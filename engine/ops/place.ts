import { canCut, flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { elementBytes, type Tensor } from "../tensor.ts";
import { movedElement } from "./operands.ts";
import { apart, putBack } from "./rows-apart.ts";

/** True when WebGPU can copy such a run of bytes between buffers: f16 tensors may start and end between two words. */
export function copyable(firstByte: number, bytes: number): boolean {
  return firstByte % 4 === 0 && bytes % 4 === 0;
}

/** Writes the rows of x, `columnsX` long, into those of y from column `first` on. */
export function place(x: Tensor, y: Tensor, rows: number, columnsX: number, columnsY: number, first: number): void {
  const { device } = x;
  const firstByte = first * elementBytes[y.dtype];
  if (rows === 1 && copyable(firstByte, x.sizeBytes)) {
    device.stream.copy(x.allocation, 0, y.allocation, firstByte, x.sizeBytes);
    return;
  }
  if (!canCut(device, rows, [columnsX, columnsY])) {
    for (let row = 0; row < rows; row++) {
      using own = apart(x, row * columnsX, [columnsX]);
      putBack(own, y, row * columnsY + first);
    }
    return;
  }
  const vector = [columnsX, columnsY, first].every((extent) => extent % 4 === 0);
  const width = vector ? 4 : 1;
  for (const { start, count } of rowRanges(device, rows, [columnsX, columnsY])) {
    device.kernels.run(
      "shape/place",
      { ELEMENT: movedElement(x, vector), WORKGROUP: flatWorkgroup },
      { x: x.window(start * columnsX, count * columnsX), y: y.window(start * columnsY, count * columnsY) },
      { rows: count, x_columns: columnsX / width, y_columns: columnsY / width, first: first / width },
      flatGrid(device, (count * columnsX) / width),
      { bytes: 2 * elementBytes[x.dtype] * count * columnsX },
    );
  }
}
