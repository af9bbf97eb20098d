import type { Linear } from "../../engine/nn/layers.ts";
import { readTensor } from "../../engine/nn/named.ts";
import type { WeightsFile } from "../../engine/weights/stored.ts";
import type { MosRange } from "../data/index.ts";

/**
 * Starts a linear layer of a head `score`, which gives shares of the scale, from one that gives scores on the scale itself:
 * share = (score − low) / (high − low).
 * @param name of the layer in the file
 * @param offset whether the layer gives scores, not what is multiplied into them
 * @throws WeightsError when the file lacks the layer, or has it in another shape
 */
export async function startScoreLayer(
  file: WeightsFile,
  name: string,
  layer: Linear,
  [low, high]: MosRange,
  offset: boolean,
): Promise<void> {
  const [weight, bias] = await Promise.all(
    layer.tensors("").map((named) => readTensor(file, named, `${name}.${named.name}`)),
  );
  const width = high - low;
  layer.weight.write(weight!.map((value) => value / width));
  layer.bias.write(bias!.map((value) => (value - (offset ? low : 0)) / width));
}

/** What is said of a file whose network gives scores. */
export function scoreLayerLine({ path }: WeightsFile, [low, high]: MosRange): string {
  return `the head starts from ${path}, whose scores are taken as those of the range [${low}, ${high}]`;
}

/** The same where the head is none that gives scores. */
export function noScoreLayerLine({ path }: WeightsFile, head: string): string {
  return `the last layer of ${path} gives scores, and is no start for the head ${head}`;
}
