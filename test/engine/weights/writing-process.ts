/**
 * Writes one safetensors file over and over, for a test that kills it: every element and the metadata of a writing hold its
 * number, so that a mixture of two shows. Arguments: the path, and the first number.
 */
import { basename, dirname } from "node:path";
import { removeTemporaries } from "../../../engine/weights/atomic.ts";
import { writeSafetensors } from "../../../engine/weights/safetensors.ts";

const [path, first] = process.argv.slice(2) as [string, string];
await removeTemporaries(dirname(path), [basename(path)]);
for (let number = Number(first); ; number++) {
  const tensors = ["a", "b", "c"].map((name) => ({
    name,
    dtype: "F32" as const,
    shape: [100, 200],
    data: new Float32Array(20_000).fill(number),
  }));
  await writeSafetensors(path, tensors, { number: String(number) });
  console.log(number);
}
