import { Tensor } from "../../../../engine/tensor.ts";
import { extents, runKernel } from "./kernels.ts";

/** Gaussian blur. @param deviation in pixels */
export function gaussianBlur(x: Tensor, deviation: number): Tensor {
  return filter(x, gaussianKernel(deviation));
}

/** Lens blur: the mean over a disk. @param radius in pixels */
export function lensBlur(x: Tensor, radius: number): Tensor {
  return filter(x, diskKernel(radius));
}

/** Motion blur along a line, its rim one pixel wide, at an angle drawn from the seed. @param length in pixels */
export function motionBlur(x: Tensor, length: number, seed: number): Tensor {
  return filter(x, lineKernel(length, ((seed % 1024) / 1024) * Math.PI));
}

/** Gaussian blur of each channel of any numbers [1, H, W, C], in two passes of one dimension. */
export function separableBlur(x: Tensor, deviation: number, side?: number): Tensor {
  using weights = Tensor.from(x.device, gaussianLine(deviation, side), [side ?? gaussianSide(deviation)]);
  using rows = alongAxis(x, weights, "height");
  return alongAxis(rows, weights, "width");
}

function alongAxis(x: Tensor, weights: Tensor, axis: "height" | "width"): Tensor {
  const y = Tensor.like(x);
  runKernel("distort/line", {
    tensors: { x, weights, y },
    constants: { ALONG: axis },
    parameters: { ...extents(x), taps: weights.size },
    invocations: x.size,
    flops: 2 * weights.size,
  });
  return y;
}

const gaussianSide = (deviation: number) => 2 * Math.ceil(2 * deviation) + 1;

function gaussian(deviation: number, side: number): number[] {
  const reach = (side - 1) / 2;
  return Array.from({ length: side }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * deviation ** 2)));
}

/** Gaussian window of side 2⌈2s⌉ + 1, normalised. */
export function gaussianKernel(deviation: number, side = gaussianSide(deviation)): Float32Array<ArrayBuffer> {
  const line = gaussian(deviation, side);
  return normalised(line.flatMap((a) => line.map((b) => a * b)));
}

function gaussianLine(deviation: number, side = gaussianSide(deviation)): Float32Array<ArrayBuffer> {
  return normalised(gaussian(deviation, side));
}

/** Line of a length through the centre, falling off linearly within one pixel of it, normalised. */
function lineKernel(length: number, angle: number): Float32Array<ArrayBuffer> {
  const half = (length - 1) / 2;
  const reach = Math.ceil(half);
  const side = 2 * reach + 1;
  const [dx, dy] = [Math.cos(angle), Math.sin(angle)];
  return normalised(
    Array.from({ length: side * side }, (_, i) => {
      const [x, y] = [(i % side) - reach, Math.floor(i / side) - reach];
      const along = Math.max(-half, Math.min(half, x * dx + y * dy));
      return Math.max(0, 1 - Math.hypot(x - along * dx, y - along * dy));
    }),
  );
}

/** Area that a disk about the centre covers of each pixel, normalised. */
function diskKernel(radius: number): Float32Array<ArrayBuffer> {
  const reach = Math.ceil(radius - 0.5);
  const side = 2 * reach + 1;
  return normalised(
    Array.from({ length: side * side }, (_, i) => {
      const [x, y] = [(i % side) - reach, Math.floor(i / side) - reach];
      const corner = (right: number, below: number) => cornerArea(x + right, y + below, radius);
      return corner(0.5, 0.5) - corner(-0.5, 0.5) - corner(0.5, -0.5) + corner(-0.5, -0.5);
    }),
  );
}

/** Area of the disk about 0 within the rectangle from 0 to (x, y), with the signs of both. */
function cornerArea(x: number, y: number, radius: number): number {
  const [width, height] = [Math.min(Math.abs(x), radius), Math.min(Math.abs(y), radius)];
  // The disk is higher than the rectangle up to here.
  const flat = Math.min(width, Math.sqrt(radius ** 2 - height ** 2));
  // ∫ √(r² − t²) dt
  const arc = (t: number) => (t * Math.sqrt(radius ** 2 - t ** 2) + radius ** 2 * Math.asin(t / radius)) / 2;
  return Math.sign(x) * Math.sign(y) * (flat * height + arc(width) - arc(flat));
}

function normalised(weights: readonly number[]): Float32Array<ArrayBuffer> {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return Float32Array.from(weights, (weight) => weight / total);
}

function filter(x: Tensor, kernel: Float32Array<ArrayBuffer>): Tensor {
  const y = Tensor.like(x);
  using weights = Tensor.from(x.device, kernel, [kernel.length]);
  runKernel("distort/filter", {
    tensors: { x, kernel: weights, y },
    parameters: { ...extents(x), side: Math.sqrt(kernel.length) },
    invocations: x.size,
    flops: 2 * kernel.length,
  });
  return y;
}
