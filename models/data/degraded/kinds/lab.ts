import { Tensor } from "../../../../engine/tensor.ts";
import { perPixel, runKernel } from "./kernels.ts";

/** CIE L*, a*, b* under D65 of a picture, L* of 0 to 100. */
export function toLab(x: Tensor): Tensor {
  // Linear (12), the matrix (15), roots (18), L*, a*, b* (6)
  return perPixel("distort/to_lab", x, {}, 51);
}

/** Factors of L* and of a* and b*. */
interface LabFactors {
  readonly light: number;
  readonly colour: number;
}

/** The picture of factors · lab + blurredFactors · blurred, clipped to [0, 1]. */
export function fromLab(lab: Tensor, factors: LabFactors, blurred: Tensor, blurredFactors: LabFactors): Tensor {
  const y = Tensor.like(lab);
  const pixels = lab.size / 3;
  runKernel("distort/from_lab", {
    tensors: { lab, blurred, y },
    parameters: {
      ...{ pixels, light: factors.light, colour: factors.colour },
      ...{ blurred_light: blurredFactors.light, blurred_colour: blurredFactors.colour },
    },
    invocations: pixels,
    // The mix (9), X, Y, Z (12), the matrix (15), sRGB (12), the clip (6)
    flops: 54,
  });
  return y;
}
