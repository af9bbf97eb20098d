import { Random } from "../../../../engine/random.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { separableBlur } from "./blur.ts";
import { extents, perPixel, runKernel } from "./kernels.ts";
import { fromLab, toLab } from "./lab.ts";

/** a* and b* blurred with a deviation of 1.5 A + 2 pixels, times A; L* as it is. @param amount A */
export function colorDiffusion(x: Tensor, amount: number): Tensor {
  using lab = toLab(x);
  using blurred = separableBlur(lab, 1.5 * amount + 2);
  return fromLab(lab, { light: 1, colour: 0 }, blurred, { light: 0, colour: amount });
}

/** S of HSV times a factor; below 0 the colours are those of the opposite hue. */
export function colorSaturation1(x: Tensor, factor: number): Tensor {
  return perPixel("distort/saturate", x, { factor }, 17);
}

/** a* and b* times a factor. */
export function colorSaturation2(x: Tensor, factor: number): Tensor {
  using lab = toLab(x);
  return fromLab(lab, { light: 1, colour: factor }, lab, { light: 0, colour: 0 });
}

/** What the mask of {@link colorShift} is made with: clamp(factor · edge + offset, low, high), stretched to [0, 1]. */
interface MaskRange {
  readonly factor: number;
  readonly offset: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The green channel moved right and down by a vector of a length, its direction drawn from the seed, where the picture has edges.
 * @param length in pixels, before each part is rounded
 */
export async function colorShift(x: Tensor, length: number, seed: number): Promise<Tensor> {
  const { height, width } = extents(x);
  using edges = blurredEdges(x);
  const range = maskRange(await edges.read());
  const random = new Random(seed, "color shift");
  const [down, right] = [random.uniform(), random.uniform()];
  const scale = length / Math.hypot(down, right);
  const y = Tensor.like(x);
  runKernel("distort/shift_green", {
    tensors: { x, edges, y },
    parameters: {
      ...{ height, width, ...range },
      ...{ down: Math.round(scale * down), right: Math.round(scale * right) },
    },
    invocations: height * width,
    flops: 11,
  });
  return y;
}

/** Gradient magnitude of the grey picture, blurred with a deviation of 4: [1, H, W, 1]. */
function blurredEdges(x: Tensor): Tensor {
  const { height, width } = extents(x);
  using edges = Tensor.empty(x.device, [1, height, width, 1]);
  runKernel("distort/edges", {
    tensors: { x, y: edges },
    parameters: { height, width },
    invocations: height * width,
    flops: 28,
  });
  return separableBlur(edges, 4);
}

/**
 * Edges stretched to [0, 1], kept to 0.1 and more, then to their first and last percentile, and stretched again: all of it one
 * clamp, as each step keeps the order.
 */
function maskRange(edges: Float32Array<ArrayBuffer>): MaskRange {
  edges.sort();
  const [least, largest] = [edges[0]!, edges.at(-1)!];
  // Where there is nothing to stretch everything stays as it is.
  const factor = largest > least ? 1 / (largest - least) : 1;
  const offset = largest > least ? -least * factor : 0;
  // Between the two values next to it, as NumPy has it.
  const percentile = (share: number) => {
    const at = share * (edges.length - 1);
    const below = edges[Math.floor(at)]!;
    const value = below + (edges[Math.ceil(at)]! - below) * (at % 1);
    return Math.min(1, Math.max(0.1, factor * value + offset));
  };
  const [low, high] = [percentile(0.01), percentile(0.99)];
  return high > low ? { factor, offset, low, high } : { factor: 0, offset: low, low: 0, high: 1 };
}
