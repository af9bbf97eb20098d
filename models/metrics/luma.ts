import { flatGrid, flatWorkgroup } from "../../engine/kernel/grid.ts";
import { ShapeError, Tensor } from "../../engine/tensor.ts";

/** Two pictures [1, H, W, 3] of one size. @throws ShapeError when they are not, or a side is shorter than `least` */
export function expectPair(operation: string, a: Tensor, b: Tensor, least = 1): void {
  const [images, height, width, channels] = a.shape as [number, number, number, number];
  const isPicture = a.rank === 4 && images === 1 && channels === 3;
  if (isPicture && a.shape.join() === b.shape.join() && Math.min(height, width) >= least) return;
  throw new ShapeError(
    `${operation} compares two pictures [1, H, W, 3] of at least ${least} pixels; found [${a.shape}] and [${b.shape}]`,
  );
}

/** Luma of a picture [1, H, W, 3], in its units → [H, W]. */
export function luma(x: Tensor): Tensor {
  const { device } = x;
  const [, height, width] = x.shape as [number, number, number, number];
  const y = Tensor.empty(device, [height, width]);
  const run = { WORKGROUP: flatWorkgroup };
  const windows = { x: x.window(), y: y.window() };
  device.kernels.run("compare/luma", run, windows, { count: y.size }, flatGrid(device, y.size), { flops: 5 * y.size });
  return y;
}

/** Means of 2 x 2 numbers of [H, W] → [⌈H/2⌉, ⌈W/2⌉]; `border` stands below and right of an odd extent. */
export function halve(x: Tensor, border: "repeat" | "zero"): Tensor {
  const { device } = x;
  const [height, width] = x.shape as [number, number];
  const y = Tensor.empty(device, [Math.ceil(height / 2), Math.ceil(width / 2)]);
  device.kernels.run(
    "compare/halve",
    { BORDER: border, WORKGROUP: flatWorkgroup },
    { x: x.window(), y: y.window() },
    { height, width },
    flatGrid(device, y.size),
    { flops: 4 * y.size },
  );
  return y;
}
