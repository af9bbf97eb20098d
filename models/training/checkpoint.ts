import { z } from "zod";
import { loadTensors, type NamedTensor, nameTensors, storable } from "../../engine/nn/named.ts";
import { checkDigest, withDigest } from "../../engine/weights/digest.ts";
import { checked, jsonOf } from "../../engine/weights/files.ts";
import { openSafetensors, SafetensorsError, toFloat32, writeSafetensors } from "../../engine/weights/safetensors.ts";
import type { PseudoLabels } from "../methods/cpl/pseudo-labels.ts";
import { cardMetadata, type ModelCard, rangeSchema, readCard } from "../networks/card.ts";
import type { CplModel } from "../networks/model.ts";
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
  await writeSafetensors(
    path,
    tensors,
    withDigest(tensors, { ...cardMetadata(model.frozenNorms, card), training: state }),
  );
}

/**
 * Reads what a checkpoint says; the tensors are loaded by {@link loadCheckpoint} once they exist.
 * @throws SafetensorsError when the file is damaged or no checkpoint
 */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  await using file = await openSafetensors(path);
  const { frozenNorms, ...card } = readCard(file);
  await checkDigest(file);
  const training = file.metadata.get("training");
  if (!training) throw new SafetensorsError(`${path} is a model, no checkpoint: it does not say where training stood`);
  let pseudo: PseudoLabels | undefined;
  if (file.tensors.has("pseudo.targets")) {
    const read = async (name: string) => Float32Array.from(toFloat32(await file.read(name)));
    pseudo = { targets: await read("pseudo.targets"), weights: await read("pseudo.weights") };
  }
  return { card, frozenNorms, pseudo, ...stateOf(training, path) };
}

const row = z.looseObject({ name: z.string(), path: z.string() });
const rated = z.looseObject({ ...row.shape, mos: z.number() });
const list = z.array(z.looseObject({}));

/** What must be there to go on; the rest is taken as it is. */
const stateSchema = z.looseObject({
  position: z.object({ stage: z.literal([1, 2, 3]), epoch: z.int().min(0), step: z.int().min(0) }),
  optimiserSteps: z.int().min(0),
  data: z.looseObject({
    labelled: z.array(rated),
    unlabelled: z.array(row),
    ranked: z.array(z.looseObject({ source: z.string(), pictures: z.array(row) })).optional(),
    validation: z.array(rated).optional(),
    test: z.array(rated),
    range: rangeSchema,
  }),
  progress: z.looseObject({
    phases: list,
    losses: list,
    refreshes: list,
    pseudoLabels: list,
    results: list,
    predictions: list,
    notes: z.array(z.string()),
  }),
  command: z.string(),
});

type State = Pick<Checkpoint, "position" | "optimiserSteps" | "data" | "progress" | "command">;

/** @throws SafetensorsError when the state of a checkpoint is damaged */
function stateOf(text: string, path: string): State {
  try {
    return checked(jsonOf(text, `${path}: its state`), `${path}: its state`, stateSchema) as unknown as State;
  } catch (cause) {
    throw new SafetensorsError((cause as Error).message, { cause });
  }
}

export async function loadCheckpoint(path: string, model: CplModel, training: readonly NamedTensor[]): Promise<void> {
  await using file = await openSafetensors(path);
  await loadTensors(file, [...model.tensors(), ...training]);
  nameTensors(model.tensors());
}
