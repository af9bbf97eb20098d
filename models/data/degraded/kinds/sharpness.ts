import { overElements } from "../../../../engine/ops/over-elements.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { separableBlur } from "./blur.ts";
import { fromLab, toLab } from "./lab.ts";

/** Unsharp mask on L*: L* + A (L* − blurred L*), a Gaussian of deviation 3 within 13 x 13 pixels. @param amount A */
export function highSharpen(x: Tensor, amount: number): Tensor {
  using lab = toLab(x);
  using blurred = separableBlur(lab, 3, 13);
  return fromLab(lab, { light: 1 + amount, colour: 1 }, blurred, { light: -amount, colour: 0 });
}

/**
 * The not-a-knot spline through (0, 0), (0.3, 0.25 − A/4), (0.5, 0.5), (0.7, 0.75 + A/4), (1, 1), on R, G and B: more contrast
 * above A = −0.2, less below. @param amount A
 */
export function contrastChange(x: Tensor, amount: number): Tensor {
  // Without knots at the second and fourth point it is two cubics that meet at 1/2. The points are symmetric about (1/2, 1/2): so
  // is the curve, there without curvature, and both are 1/2 + slope t + bend t³, t = x − 1/2. It passes through two points more:
  //   0.2 slope + 0.008 bend = 0.25 + A/4,   0.5 slope + 0.125 bend = 0.5
  const bend = (0.2 - (0.25 + amount / 4)) / 0.042;
  const slope = 1 - bend / 4;
  const y = Tensor.like(x);
  overElements("distort/s_curve", {}, { x, y }, { slope, bend }, {}, 7);
  return y;
}
