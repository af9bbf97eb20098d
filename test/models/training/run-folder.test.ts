import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSafetensors } from "../../../engine/weights/safetensors.ts";
import { readSplit, writeSplit } from "../../../models/data/index.ts";
import { trainCpl } from "../../../models/methods/cpl/index.ts";
import { FolderBusyError, FolderLock } from "../../../models/training/folder-lock.ts";
import { type TrainingData, TrainingError, type TrainingHooks } from "../../../models/training/training.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures, divided, small } from "./pictures.ts";

let folder = "";
let data: TrainingData;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-run-"));
  data = divided(await blurredPictures(join(folder, "pictures"), 20));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const options = { ...small, stageOneEpochs: 1, stageTwoEpochs: 0 };

async function train(name: string, hooks: Partial<TrainingHooks> = {}, more = {}) {
  const to = join(folder, name);
  const onStart = (run: string) => writeSplit(to, data, run);
  const result = await trainCpl(await sharedDevice(), data, { ...options, ...more }, { folder: to, onStart, ...hooks });
  result.model.dispose();
  return result.card.run!;
}

async function runOf(path: string): Promise<string | undefined> {
  await using file = await openSafetensors(path);
  return file.metadata.get("run");
}

test("a run is not overwritten unless that is asked for, and then replaced whole", async () => {
  const first = await train("kept");
  const path = join(folder, "kept", "stage1.safetensors");
  expect(await runOf(path)).toBe(first);
  expect(await runOf(join(folder, "kept", "checkpoint.safetensors"))).toBe(first);
  expect((await readSplit(join(folder, "kept", "split.csv"))).run).toBe(first);
  const before = await readFile(path);
  const again = train("kept", { overwrite: false }, { seed: 2 });
  await expect(again).rejects.toThrow(TrainingError);
  await expect(again).rejects.toThrow("holds a run already: checkpoint.safetensors, stage1.safetensors");
  expect(await readFile(path)).toEqual(before);
  await writeFile(join(folder, "kept", "model.safetensors"), "of the first run");
  await writeFile(join(folder, "kept", "run.json"), "{}");
  const second = await train("kept", {}, { seed: 2 });
  expect(second).not.toBe(first);
  expect(await runOf(path)).toBe(second);
  expect((await readSplit(join(folder, "kept", "split.csv"))).run).toBe(second);
  expect((await readdir(join(folder, "kept"))).sort()).toEqual([
    ...["checkpoint.safetensors", "split.csv", "stage1.safetensors"],
  ]);
});

test("a new training that cannot begin leaves the run that it was to replace", async () => {
  await train("whole");
  const names = await readdir(join(folder, "whole"));
  const device = await sharedDevice();
  const hooks = { folder: join(folder, "whole") };
  await expect(trainCpl(device, data, options, hooks, { init: join(folder, "none.pth") })).rejects.toThrow("none.pth");
  expect(await readdir(join(folder, "whole"))).toEqual(names);
});

test("two trainings do not share a folder; one whose lock is lost writes nothing more", async () => {
  {
    await using lock = await FolderLock.take(join(folder, "shared"));
    await expect(train("shared")).rejects.toThrow(FolderBusyError);
    await train("shared", { lock });
  }
  const lock = await FolderLock.take(join(folder, "lost"));
  await rm(join(folder, "lost", "training.lock"));
  await lock.renew();
  await expect(train("lost", { lock })).rejects.toThrow("no longer this training's");
  expect(existsSync(join(folder, "lost", "checkpoint.safetensors"))).toBe(false);
  await lock[Symbol.asyncDispose]();
});
