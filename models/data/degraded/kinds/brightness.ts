import { overElements } from "../../../../engine/ops/over-elements.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { perPixel } from "./kernels.ts";

/** Two of three parts the curve of R, G and B through (1/2, 1/2 + A/2), one part that of L*. @param amount A */
export function brighten(x: Tensor, amount: number): Tensor {
  // To Lab and back (78), the curve of four samples (24), the mean (9)
  return perPixel("distort/brighten", x, { middle: 0.5 + amount / 2 }, 111);
}

/** The curve of R, G and B through (0, 0), (1/2, 1/2 − A/2), (1, 1). @param amount A */
export function darken(x: Tensor, amount: number): Tensor {
  const y = Tensor.like(x);
  overElements("distort/curve", {}, { x, y }, { middle: 0.5 - amount / 2 }, {}, 6);
  return y;
}

/** Every sample lighter by an amount, clipped. */
export function meanShift(x: Tensor, amount: number): Tensor {
  return linear(x, 1, amount);
}

/** factor · x + shift, clipped to [0, 1]. */
export function linear(x: Tensor, factor: number, shift: number): Tensor {
  const y = Tensor.like(x);
  overElements("distort/linear", {}, { x, y }, { factor, shift }, {}, 4);
  return y;
}
