/**
 * Time of a training step with 1, 2 and 4 processes over MPI on this computer, what they exchange, and how long an exchange of so many bytes
 * takes: the numbers behind the model in models/training/README.md.
 *
 *   bun test/bench/ranks.ts [steps]
 */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runArguments } from "../../engine/device/check.ts";
import { openDevice } from "../../engine/device/open.ts";
import { MpiRanks } from "../../engine/ranks/mpi.ts";
import { meet } from "../../engine/ranks/ranks.ts";
import { supervised } from "../../models/methods/supervised/index.ts";
import { startTraining } from "../../models/training/train.ts";
import { blurredPictures } from "../models/training/pictures.ts";
import { mpirun } from "../models/training/with-ranks.ts";

const rows = 16;
const options = { backbone: "resnet18" as const, stages: 2, resize: 48, crop: 48, levels: 5, batch: rows };

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Milliseconds of a sum of so many bytes over all ranks. */
async function sums(ranks: MpiRanks, bytes: number): Promise<number> {
  const numbers = new Float32Array(bytes / 4).fill(1);
  const times: number[] = [];
  for (let time = 0; time < 9; time++) {
    await meet(ranks);
    const start = performance.now();
    await ranks.sum(numbers);
    times.push(performance.now() - start);
  }
  return median(times);
}

async function child(folder: string, steps: number): Promise<void> {
  const ranks = await MpiRanks.start({ patient: true });
  const device = await openDevice();
  const labelled = await blurredPictures(join(folder, `pictures-${ranks.rank}`), rows, 64);
  const data = { labelled, unlabelled: [], test: [], range: [0, 100] as const };
  for (const normsOver of ["ranks", "own"] as const) {
    const times: number[] = [];
    const uses: (typeof ranks.use)[] = [];
    let last = performance.now();
    const advance = (_?: number, note?: string) => {
      if (!note?.startsWith("loss")) return;
      times.push(performance.now() - last);
      uses.push({ ...ranks.use });
      last = performance.now();
    };
    const hooks = {
      ...{ folder: join(folder, normsOver), ranks, checkpointSeconds: 3600 },
      ...(ranks.rank === 0 && { progress: () => ({ advance, stop() {} }) }),
    };
    const { model } = await startTraining(supervised, device, data, { ...options, normsOver, epochs: steps }, hooks);
    model.dispose();
    if (ranks.rank > 0) continue;
    const step = (of: "calls" | "bytes" | "ms") => median(uses.slice(3).map((use, i) => use[of] - uses[i + 2]![of]));
    console.log(
      JSON.stringify({
        ...{ ranks: ranks.size, normsOver, stepMs: median(times.slice(3)) },
        ...(ranks.size > 1 && { calls: step("calls"), bytes: step("bytes"), exchangeMs: step("ms") }),
      }),
    );
  }
  for (const patient of [true, false]) {
    ranks.patient = patient;
    for (const bytes of ranks.size > 1 ? [4096, 2 ** 20, 2 ** 24] : []) {
      const ms = await sums(ranks, bytes);
      if (ranks.rank === 0) console.log(JSON.stringify({ ranks: ranks.size, patient, bytes, sumMs: ms }));
    }
  }
  device.close();
  await ranks[Symbol.asyncDispose]();
}

if (process.argv[2] === "child") await child(process.argv[3]!, Number(process.argv[4]));
else {
  const steps = process.argv[2] ?? "15";
  for (const size of [1, 2, 4]) {
    const folder = await mkdtemp(join(tmpdir(), "acutance-ranks-"));
    const script = new URL(import.meta.url).pathname;
    const [command, ...words] = [...mpirun(size), process.execPath, ...runArguments(), script, "child", folder, steps];
    const { stdout, stderr, status } = spawnSync(command!, words, { encoding: "utf8" });
    console.log(status === 0 ? stdout.trim() : `${stdout}${stderr}`);
    await rm(folder, { recursive: true });
  }
}
