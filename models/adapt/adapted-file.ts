import { digestKey, withDigest } from "../../engine/weights/digest.ts";
import { openSafetensors, type TensorToStore, writeSafetensors } from "../../engine/weights/safetensors.ts";
import type { MosRange } from "../data/index.ts";
import type { TrustFacts } from "../trust/companion.ts";

/** What of a model's file is new. */
export interface Adapted {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly range: MosRange;
  /** A sentence for the card. */
  readonly history: string;
  readonly trust: TrustFacts;
}

/**
 * Writes a model's file again with another last layer, scale and interval; all else stays, bit for bit. It is no longer the model of its
 * training, so that it has no name of a run.
 * @throws SafetensorsError when it cannot be read or written
 */
export async function writeAdapted(from: string, to: string, adapted: Adapted): Promise<void> {
  await using file = await openSafetensors(from);
  const tensors: TensorToStore[] = [];
  for (const name of file.tensors.keys()) {
    const { dtype, shape, bytes } = await file.read(name);
    const own = name === "head.logits.weight" ? adapted.weight : name === "head.logits.bias" ? adapted.bias : undefined;
    // What was fitted would lose digits in half precision.
    tensors.push(own ? { name, dtype: "F32", shape, data: own } : { name, dtype, shape, data: bytes });
  }
  const history = [...(JSON.parse(file.metadata.get("history") ?? "[]") as string[]), adapted.history];
  const texts = Object.fromEntries([...file.metadata].filter(([key]) => key !== digestKey && key !== "run"));
  const metadata = {
    ...texts,
    score_range: JSON.stringify(adapted.range),
    history: JSON.stringify(history),
    trust: JSON.stringify(adapted.trust),
  };
  await writeSafetensors(to, tensors, withDigest(tensors, metadata));
}
