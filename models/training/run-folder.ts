import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { FolderLock } from "./folder-lock.ts";
import { checkpointFile, encoderFile, modelFile, stageOneFile, TrainingError, type TrainingHooks } from "./training.ts";

/** What is written atomically into the folder of a run, by training and by the command. */
export const runFiles = [checkpointFile, stageOneFile, modelFile, encoderFile, "split.csv", "run.json", "report.html"];

/** Files that a training has been at; a split alone is left by one that could not begin. */
const traces = [checkpointFile, stageOneFile, modelFile, encoderFile, "run.json"];

/**
 * Sees that a folder holds no run, so that files of two never lie side by side, and that no other training writes there.
 * @throws TrainingError with what to do; FolderBusyError
 */
export async function expectFreeFolder(folder: string, { overwrite = false } = {}): Promise<void> {
  await FolderLock.expectFree(folder);
  if (!overwrite) await expectNoRun(folder);
}

/** Removes the files of a run. */
export async function clearFolder(folder: string): Promise<void> {
  for (const name of runFiles) await rm(join(folder, name), { force: true });
}

/** @throws TrainingError when a folder holds a run */
export async function expectNoRun(folder: string): Promise<void> {
  const found: string[] = [];
  for (const name of traces) if (await stat(join(folder, name)).catch(() => undefined)) found.push(name);
  if (found.length === 0) return;
  const resume = found.includes(checkpointFile) ? `go on with it (--resume ${folder}), ` : "";
  throw new TrainingError(
    `${folder} holds a run already: ${found.join(", ")}`,
    `${resume}give another folder with --out, or replace what is there with --overwrite`,
  );
}

/** Runs work while the folder of the hooks is this training's: locked by the caller, or here; of several ranks by the first. */
export async function inLockedFolder<T>(hooks: TrainingHooks, work: (hooks: TrainingHooks) => Promise<T>): Promise<T> {
  if (hooks.lock || (hooks.ranks?.rank ?? 0) > 0) return work(hooks);
  await using lock = await FolderLock.take(hooks.folder, hooks.log);
  return await work({ ...hooks, lock });
}
