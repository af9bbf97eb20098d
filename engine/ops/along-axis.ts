import { axisOf } from "../arguments.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { reshape, transpose } from "./shape.ts";

/** A tensor with one of its axes brought last, for operations whose kernels make rows. Both ways are on the tape. */
export interface LastAxis {
  /** […, extent of the axis]. */
  readonly rows: Tensor;
  /** Brings the last axis of a result back to its place; it may have another extent now. */
  readonly back: (y: Tensor) => Tensor;
}

/** @throws ShapeError when there is no such axis; negative ones count from the last */
export function lastAxis(operation: string, x: Tensor, axis: number): LastAxis {
  const at = axisOf(operation, x.shape, axis);
  if (at === x.rank - 1) return { rows: x, back: (y) => y };
  const [before, after] = [x.shape.slice(0, at), x.shape.slice(at + 1)];
  const [outer, inner] = [sizeOf(before), sizeOf(after)];
  const shapeOf = (y: Tensor) => [...before, y.shape.at(-1)!, ...after];
  if (inner === 1) return { rows: reshape(x, [outer, x.shape[at]!]), back: (y) => reshape(y, shapeOf(y)) };
  return {
    rows: transpose(reshape(x, [outer, x.shape[at]!, inner])),
    back: (y) => reshape(transpose(y), shapeOf(y)),
  };
}
