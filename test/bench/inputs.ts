import type { Case } from "./cases.ts";
import { type Extents, parameterData, sizeOf, uniform } from "./data.ts";

/** The inputs of a case, channels last. */
export function inputData({ inputs }: Case): Float32Array<ArrayBuffer>[] {
  return inputs.map((shape, i) => uniform(`input ${i}`, sizeOf(shape)));
}

/** The numbers c of the loss Σ y·c, in the layout of the output, channels last. */
export function seedData({ output }: Case): Float32Array<ArrayBuffer> {
  return uniform("seed", sizeOf(output));
}

/** One-hot targets of a training step: picture i is of class 37 i. */
export function targetData({ output }: Case): Float32Array<ArrayBuffer> {
  const [images, classes] = output as [number, number];
  const targets = new Float32Array(images * classes);
  for (let i = 0; i < images; i++) targets[i * classes + ((37 * i) % classes)] = 1;
  return targets;
}

/**
 * The weights of a case, as {@link parameterData} has them. Where gradients are compared, batch norms shift by 4 up or
 * down: a value near the kink of the ReLU behind gets a gradient or none by rounding alone.
 */
export function weightData({ mode }: Case, name: string, shape: Extents): Float32Array<ArrayBuffer> {
  const data = parameterData(name, shape);
  const isShift = /(bn\d?|downsample\.1)\.bias$/.test(name);
  return mode === "gradient" && isShift ? data.map((value) => value + 4 * Math.sign(value)) : data;
}
