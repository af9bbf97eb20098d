import { fileShape, fromFileOrder, type NamedTensor } from "../../engine/nn/named.ts";
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

/** Gives tensors their golden numbers. */
export function fill(tensors: readonly NamedTensor[], training = false): void {
  for (const named of tensors) {
    const shape = fileShape(named);
    const size = sizeOf(shape);
    const values = noise(named.name, size);
    const amplitude = Math.sqrt(4.5 / (size / shape[0]!));
    const value = (v: number) => {
      if (shape.length > 1) return v * amplitude;
      if (named.name.endsWith("running_var")) return 1 + v / 2;
      if (named.name.endsWith("running_mean") || named.name.endsWith("bias")) return v / 10;
      return (1 + v / 5) * (training && /(bn3|conv\.[23])\.weight$/.test(named.name) ? 0.3 : 1);
    };
    named.tensor.write(fromFileOrder(Float32Array.from(values, value), named));
  }
}
