import { z } from "zod";
import { loadTensors, type NamedTensor, nameTensors, storable } from "../../engine/nn/named.ts";
import { checkDigest, withDigest } from "../../engine/weights/digest.ts";
import { checked, jsonOf } from "../../engine/weights/files.ts";
import { openSafetensors, SafetensorsError, toFloat32, writeSafetensors } from "../../engine/weights/safetensors.ts";
import { cardMetadata, type ModelCard, rangeSchema, readCard } from "../networks/card.ts";
import type { QualityNetwork } from "../networks/model.ts";
import type { HostArray, PhaseRun } from "./method.ts";
import type { Progress, TrainingData } from "./training.ts";

/** Where training stands: the next step to do. `stage` is the place of its phase, the first being 1; beyond the last all are done. */
export interface Position {
  stage: number;
  epoch: number;
  step: number;
}

/** Everything that training continues from. */
export interface Checkpoint {
  /** Name of the method. */
  readonly method: string;
  readonly card: ModelCard;
  readonly frozenNorms: readonly string[];
  readonly position: Position;
  readonly optimiserSteps: number;
  readonly data: TrainingData;
  readonly progress: Progress;
  readonly command: string;
}

/** Writes a checkpoint with the tensors of model and training; an interruption leaves the one before. */
export async function writeCheckpoint(
  path: string,
  model: QualityNetwork,
  training: readonly NamedTensor[],
  checkpoint: Omit<Checkpoint, "frozenNorms">,
  arrays: Readonly<Record<string, HostArray>> = {},
): Promise<void> {
  const { card, ...rest } = checkpoint;
  const tensors = await storable([...model.tensors(), ...training]);
  for (const [name, { data, shape }] of Object.entries(arrays)) tensors.push({ name, dtype: "F32", shape, data });
  const state = JSON.stringify(rest);
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
  return { card, frozenNorms, ...stateOf(training, path) };
}

const row = z.looseObject({ name: z.string(), path: z.string() });
const rated = z.looseObject({ ...row.shape, mos: z.number() });
const list = z.array(z.looseObject({}));

/** What must be there to go on; the rest is taken as it is. */
const stateSchema = z.looseObject({
  method: z.string().default("cpl"),
  position: z.object({ stage: z.int().min(1).max(100), epoch: z.int().min(0), step: z.int().min(0) }),
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

type State = Pick<Checkpoint, "method" | "position" | "optimiserSteps" | "data" | "progress" | "command">;

/** @throws SafetensorsError when the state of a checkpoint is damaged */
function stateOf(text: string, path: string): State {
  try {
    return checked(jsonOf(text, `${path}: its state`), `${path}: its state`, stateSchema) as unknown as State;
  } catch (cause) {
    throw new SafetensorsError((cause as Error).message, { cause });
  }
}

/** Loads the tensors of model and training, and what the phase keeps on the host. */
export async function loadCheckpoint(
  path: string,
  model: QualityNetwork,
  training: readonly NamedTensor[],
  run: Pick<PhaseRun, "restore"> = {},
): Promise<void> {
  await using file = await openSafetensors(path);
  await loadTensors(file, [...model.tensors(), ...training]);
  nameTensors(model.tensors());
  await run.restore?.(async (name) =>
    file.tensors.has(name) ? Float32Array.from(toFloat32(await file.read(name))) : undefined,
  );
}
