import type { Case } from "./cases.ts";
import { sizeOf, uniform } from "./data.ts";

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
