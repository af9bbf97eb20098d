/**
 * Trainings in one of the ranks that mpirun started, for tests. Argument: a JSON file with jobs, done one after another. Prints a line of JSON for
 * each job from rank 0.
 */
import { readFileSync } from "node:fs";
import { openDevice } from "../../../engine/device/open.ts";
import { MpiRanks } from "../../../engine/ranks/mpi.ts";
import { methods } from "../../../models/methods/index.ts";
import { resumeTraining, startTraining } from "../../../models/training/train.ts";
import { TrainingInterrupted } from "../../../models/training/training.ts";
import type { RankJob } from "./with-ranks.ts";

const jobs = JSON.parse(readFileSync(process.argv[2]!, "utf8")) as RankJob[];
const ranks = await MpiRanks.start({ patient: true });
const device = await openDevice();
for (const { method: name, data, options, folder, stopAfter, resume, differ, start } of jobs) {
  const method = methods.find((each) => each.name === name)!;
  const stop = new AbortController();
  let steps = 0;
  // One rank is asked to stop, and all do.
  const step = () => {
    if (++steps === stopAfter) stop.abort();
  };
  const isLast = ranks.rank === ranks.size - 1;
  const hooks = {
    ...{ folder, ranks, signal: stop.signal },
    ...(ranks.rank === 0 && {
      progress: () => ({
        advance: (_?: number, note?: string) => note?.startsWith("loss") && step(),
        stop() {},
      }),
    }),
  };
  let outcome: object;
  try {
    const own = isLast && differ ? { ...options, ...differ } : options;
    const { model, progress } = await (resume
      ? resumeTraining(method, device, hooks)
      : startTraining(method, device, data, own as never, hooks, start ?? {}));
    model.dispose();
    outcome = {
      losses: progress.losses.map(({ loss }) => loss),
      results: progress.results,
      refreshes: progress.refreshes.length,
    };
  } catch (error) {
    if (error instanceof TrainingInterrupted) outcome = { interrupted: true };
    else outcome = { error: (error as Error).message };
  }
  if (ranks.rank === 0) console.log(JSON.stringify(outcome));
}
device.close();
await ranks[Symbol.asyncDispose]();
