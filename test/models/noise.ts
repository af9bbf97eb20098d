import { fileShape, fromFileOrder, type NamedTensor, toFileOrder } from "../../engine/nn/named.ts";
import { sizeOf } from "../../engine/tensor.ts";

/** The numbers that golden networks are made of; see test/golden/backbones.py. */
export function noise(name: string, size: number): Float64Array {
  let seed = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) seed = Math.imul(seed ^ byte, 0x01000193);
  const values = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    let x = (Math.imul(i, 0x9e3779b1) + seed) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    values[i] = (2 * ((x ^ (x >>> 16)) >>> 0)) / 2 ** 32 - 1;
  }
  return values;
}

/** The golden numbers of a tensor of a weights file. @param training whether the case trains */
export function noiseWeights(name: string, shape: readonly number[], training = false): Float32Array<ArrayBuffer> {
  const size = sizeOf(shape);
  const amplitude = Math.sqrt(4.5 / (size / shape[0]!));
  return Float32Array.from(noise(name, size), (v) => {
    if (shape.length > 1) return v * amplitude;
    if (name.endsWith("running_var")) return 1 + v / 2;
    if (name.endsWith("running_mean") || name.endsWith("bias")) return v / 10;
    return (1 + v / 5) * (training && /(bn3|conv\.[23])\.weight$/.test(name) ? 0.3 : 1);
  });
}

/** Gives tensors their golden numbers. */
export function fill(tensors: readonly NamedTensor[], training = false): void {
  for (const named of tensors)
    named.tensor.write(fromFileOrder(noiseWeights(named.name, fileShape(named), training), named));
}

/** Length of a gradient in the order of weight files, and its product with the noise called "direction". */
export function summaryOf(gradient: Float32Array, named: NamedTensor): { norm: number; along: number } {
  const values = toFileOrder(gradient, named);
  const direction = noise("direction", values.length);
  return {
    norm: Math.sqrt(values.reduce((total, g) => total + g * g, 0)),
    along: values.reduce((total, g, k) => total + g * direction[k]!, 0),
  };
}
