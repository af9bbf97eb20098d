import { afterAll } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Method } from "../../../models/training/method.ts";
import type { TrainingOptions } from "../../../models/training/options.ts";
import { startTraining } from "../../../models/training/train.ts";
import type { TrainingData } from "../../../models/training/training.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures } from "../training/pictures.ts";
import { stoppedAfter } from "../training/stopped-after.ts";

/**
 * Trainings of a method that learns from pictures alone, in a folder that goes when the tests of the file have ended.
 * @param small options of all of them
 * @param side of the pictures, pixels
 */
export async function unlabelledTraining<Options extends TrainingOptions, Input extends object>(
  method: Method<Options, Input>,
  small: Input,
  count: number,
  side: number,
) {
  const folder = await mkdtemp(join(tmpdir(), `acutance-${method.name}-`));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const at = (name: string) => join(folder, name);
  const unlabelled = (await blurredPictures(at("pictures"), count, side)).map(({ name, path }) => ({ name, path }));
  const data: TrainingData = { labelled: [], unlabelled, test: [], range: [0, 100] };
  const device = await sharedDevice();

  /** @param stopAfter the step after which it is interrupted; none unless given */
  async function train(name: string, options: Partial<Input> = {}, given = data, stopAfter = 0) {
    const logged: string[] = [];
    const hooks = { folder: at(name), ...stoppedAfter(stopAfter), log: (line: string) => logged.push(line) };
    const result = await startTraining(method, device, given, { ...small, ...options }, hooks);
    result.model.dispose();
    return { ...result, logged };
  }
  return { at, data, train };
}
