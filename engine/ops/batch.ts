import type { Grid, KernelArgument } from "../kernel/argument.ts";
import { flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { ShapeError, type Tensor } from "../tensor.ts";
import { expectOperands } from "./operands.ts";

/** Images, height, width and channels of a batch of pictures or feature maps. */
export type BatchShape = readonly [images: number, height: number, width: number, channels: number];

/** The shape of x. @throws ShapeError when x is not a tensor [N, H, W, C] of f32 or f16 */
export function batchShape(operation: string, x: Tensor): BatchShape {
  expectOperands(operation, { x });
  if (x.rank !== 4) {
    throw new ShapeError(`${operation} takes feature maps [N, H, W, C], found ${x.dtype} [${x.shape}]`);
  }
  return x.shape as unknown as BatchShape;
}

/** One call of a kernel over a run of images. */
export interface BatchCall {
  readonly windows: Readonly<Record<string, KernelArgument>>;
  readonly firstImage: number;
  /** How many of them. */
  readonly images: number;
  /** Grid for invocations (x; line; image), `x` of them in a line. */
  readonly grid: (x: number, lines: number) => Grid;
}

/**
 * Calls `run` for every run of images that the adapter's bindings can hold.
 * @param batched tensors whose leading axis is the batch; each call gets a window of them
 * @param whole tensors that each call gets whole
 */
export function overImages(
  batched: Readonly<Record<string, Tensor>>,
  whole: Readonly<Record<string, Tensor>>,
  run: (call: BatchCall) => void,
): void {
  const tensors = Object.entries(batched);
  const { device, shape } = tensors[0]![1];
  const images = shape[0]!;
  const perImage = tensors.map(([, tensor]) => tensor.size / images);
  for (const { start, count } of rowRanges(device, images, perImage)) {
    const windows: Record<string, KernelArgument> = {};
    tensors.forEach(([name, tensor], i) => {
      windows[name] = tensor.window(start * perImage[i]!, count * perImage[i]!);
    });
    for (const [name, tensor] of Object.entries(whole)) windows[name] = tensor.window();
    run({
      windows,
      firstImage: start,
      images: count,
      grid: (x, lines) => [Math.ceil(x / flatWorkgroup), lines, count],
    });
  }
}
