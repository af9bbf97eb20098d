import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writeFileAtomically } from "../../engine/weights/atomic.ts";
import { readText } from "../../engine/weights/files.ts";
import type { PartResult } from "../report/experiment/experiment-record.ts";
import type { Progress } from "../training/training.ts";
import type { PlannedTraining } from "./plan.ts";
import type { ExperimentStore } from "./store.ts";
import { folderOf, modelPath, type TrainingFacts } from "./train-planned.ts";

/** Name of the file with what a training found, in its folder. */
export const finishedFile = "finished.json";

const schema = z.looseObject({
  schema: z.literal(1),
  key: z.string(),
  what: z.looseObject({
    method: z.string(),
    stage: z.number(),
    folder: z.string(),
    adapter: z.string(),
    version: z.string(),
  }),
  progress: z.looseObject({
    phases: z.array(z.unknown()),
    losses: z.array(z.unknown()),
    predictions: z.array(z.unknown()),
  }),
  results: z.array(z.unknown()),
});

/** Writes what the store holds of a finished training beside its model, for stores on other machines. */
export async function publishTraining(store: ExperimentStore, key: string, what: TrainingFacts): Promise<void> {
  const content = { schema: 1, key, what, progress: store.progress(key), results: store.results(key) };
  await writeFileAtomically(join(store.folder, folderOf(key), finishedFile), `${JSON.stringify(content)}\n`);
}

/** Whether a training has left its model and what it found, wherever it was trained. */
export async function isPublished(store: ExperimentStore, training: PlannedTraining): Promise<boolean> {
  return (await published(store, training)) !== undefined;
}

/** Takes what a training on another machine has found into the store. @returns whether there was something, or it was there already */
export async function adoptTraining(store: ExperimentStore, training: PlannedTraining): Promise<boolean> {
  if (store.training(training.key)?.status === "finished") return true;
  const found = await published(store, training);
  if (!found) return false;
  using _ = store.claim(training.key, found.what);
  store.finish(training.key, found);
  return true;
}

interface Finished {
  readonly what: TrainingFacts;
  readonly progress: Progress;
  readonly results: readonly PartResult[];
}

/** Undefined where there is none, or one that cannot be read: the training is then done again. */
async function published(store: ExperimentStore, training: PlannedTraining): Promise<Finished | undefined> {
  const path = join(store.folder, folderOf(training.key), finishedFile);
  if (!existsSync(path) || !existsSync(modelPath(store, training))) return undefined;
  try {
    const found = schema.parse(JSON.parse(await readText(path)));
    // Folders are named by the start of a key.
    return found.key === training.key ? (found as unknown as Finished) : undefined;
  } catch {
    return undefined;
  }
}
