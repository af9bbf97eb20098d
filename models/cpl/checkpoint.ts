import { loadTensors, type NamedTensor, nameTensors, storable } from "../../engine/nn/named.ts";
import { openSafetensors, SafetensorsError, toFloat32, writeSafetensors } from "../../engine/weights/safetensors.ts";
import { type CplModel, cardMetadata, type ModelCard, readCard } from "./model.ts";
import type { PseudoLabels } from "./pseudo-labels.ts";
import type { Progress, TrainingData } from "./training.ts";

/** Where training stands: the next step to do. Stage 3 means that both stages are done. */
export interface Position {
  stage: 1 | 2 | 3;
  epoch: number;
  step: number;
}

/** Everything that training continues from. */
export interface Checkpoint {
  readonly card: ModelCard;
  readonly frozenNorms: readonly string[];
  readonly position: Position;
  readonly optimiserSteps: number;
  readonly data: TrainingData;
  readonly progress: Progress;
  readonly command: string;
  readonly pseudo: PseudoLabels | undefined;
}

/** Writes a checkpoint with the tensors of model and training; an interruption leaves the one before. */
export async function writeCheckpoint(
  path: string,
  model: CplModel,
  training: readonly NamedTensor[],
  checkpoint: Omit<Checkpoint, "frozenNorms">,
): Promise<void> {
  const { card, position, optimiserSteps, data, progress, command, pseudo } = checkpoint;
  const tensors = await storable([...model.tensors(), ...training]);
  if (pseudo) {
    const rows = pseudo.weights.length;
    const shape = [rows, pseudo.targets.length / rows];
    tensors.push({ name: "pseudo.targets", dtype: "F32", shape, data: pseudo.targets });
    tensors.push({ name: "pseudo.weights", dtype: "F32", shape: [rows], data: pseudo.weights });
  }
  const state = JSON.stringify({ position, optimiserSteps, data, progress, command });
  await writeSafetensors(path, tensors, { ...cardMetadata(model, card), training: state });
}

/**
 * Reads what a checkpoint says; the tensors are loaded by {@link loadCheckpoint} once they exist.
 * @throws SafetensorsError when the file is damaged or no checkpoint
 */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  await using file = await openSafetensors(path);
  const { frozenNorms, ...card } = readCard(file);
  const training = file.metadata.get("training");
  if (!training) throw new SafetensorsError(`${path} is a model, no checkpoint: it does not say where training stood`);
  let pseudo: PseudoLabels | undefined;
  if (file.tensors.has("pseudo.targets")) {
    const read = async (name: string) => Float32Array.from(toFloat32(await file.read(name)));
    pseudo = { targets: await read("pseudo.targets"), weights: await read("pseudo.weights") };
  }
  return { card, frozenNorms, pseudo, ...JSON.parse(training) };
}

export async function loadCheckpoint(path: string, model: CplModel, training: readonly NamedTensor[]): Promise<void> {
  await using file = await openSafetensors(path);
  await loadTensors(file, [...model.tensors(), ...training]);
  nameTensors(model.tensors());
}
