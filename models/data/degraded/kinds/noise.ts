import { Tensor } from "../../../../engine/tensor.ts";
import { separableBlur } from "./blur.ts";
import { drawnWords, extents, runKernel } from "./kernels.ts";

/** Gaussian noise on each channel. @param variance of the noise */
export function whiteNoise(x: Tensor, variance: number, seed: number): Tensor {
  // Two uniform numbers (3); √(−2 ln u) · cos 2πv (6), its factor, the sum and the clamp (4)
  return noise(x, "white", variance, seed, 13);
}

/** Samples that become 0 or 1, half each. @param share of the samples */
export function impulseNoise(x: Tensor, share: number, seed: number): Tensor {
  return noise(x, "impulse", share, seed, 3);
}

/** Samples times 1 + n, n uniform about 0. @param variance of n */
export function multiplicativeNoise(x: Tensor, variance: number, seed: number): Tensor {
  return noise(x, "speckle", variance, seed, 8);
}

function noise(x: Tensor, kind: "white" | "impulse" | "speckle", amount: number, seed: number, flops: number): Tensor {
  using words = drawnWords(x, kind, x.size, 2, seed);
  const y = Tensor.like(x);
  runKernel("distort/noise", {
    tensors: { x, words, y },
    constants: { KIND: kind },
    parameters: { count: x.size, amount },
    invocations: x.size,
    flops,
  });
  return y;
}

/** Gaussian noise on Y, Cb and Cr. @param variance of the noise, each of the three being 0 to 1 */
export function whiteNoiseColor(x: Tensor, variance: number, seed: number): Tensor {
  const pixels = x.size / 3;
  using words = drawnWords(x, "white noise, color component", pixels, 4, seed);
  const y = Tensor.like(x);
  runKernel("distort/noise_ycbcr", {
    tensors: { x, words, y },
    parameters: { pixels, variance },
    invocations: pixels,
    // Two matrices (33), four normal numbers (22), their sums and clips (21)
    flops: 76,
  });
  return y;
}

/** Reach of the filter of {@link denoiseLite}, and the deviation of its weights by distance; pixels. */
const denoiseReach = 4;
const denoiseDeviation = 2;

/**
 * White noise, taken away again by a filter of each channel that keeps edges: a bilateral one, led by the noisy picture blurred with
 * a deviation of one pixel. KADID-10k has a network, DnCNN, in its place.
 * @param variance of the noise
 */
export function denoiseLite(x: Tensor, variance: number, seed: number): Tensor {
  using noisy = whiteNoise(x, variance, seed);
  using guide = separableBlur(noisy, 1);
  const y = Tensor.like(x);
  runKernel("distort/bilateral", {
    tensors: { x: noisy, guide, y },
    parameters: {
      ...extents(x),
      reach: denoiseReach,
      deviation: denoiseDeviation,
      // Of the noise that is left in the guide about a quarter: √(Σ weights²) of its Gaussian is 0.28.
      range: Math.sqrt(variance),
    },
    invocations: x.size,
    // Of each neighbour the exponent (8), its power (1) and the two sums (3)
    flops: 12 * (2 * denoiseReach + 1) ** 2,
  });
  return y;
}
