import { Tensor } from "../../../engine/tensor.ts";

/** One number beside x: [1]. */
export function constant({ device }: Pick<Tensor, "device">, value: number): Tensor {
  return Tensor.constant(device, Float32Array.of(value), [1]);
}

/** A 1 for each element of x: [x.size]. */
export function ones({ device, size }: Pick<Tensor, "device" | "size">): Tensor {
  return Tensor.constant(device, new Float32Array(size).fill(1), [size]);
}

/** The unit matrix, [size, size]. */
export function unitMatrix({ device }: Pick<Tensor, "device">, size: number): Tensor {
  const data = Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
  return Tensor.constant(device, data, [size, size]);
}
