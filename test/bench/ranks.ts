/**
 * Time of a training step with 1, 2 and 4 processes over MPI on this computer at batches of 8, 16 and 32, what they exchange, how long an exchange
 * of so many bytes takes, and the model of models/training/README.md fitted to them.
 *
 *   bun test/bench/ranks.ts [steps]
 */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { levenbergMarquardt } from "ml-levenberg-marquardt";
import { runArguments } from "../../engine/device/check.ts";
import { openDevice } from "../../engine/device/open.ts";
import { MpiRanks } from "../../engine/ranks/mpi.ts";
import { meet } from "../../engine/ranks/ranks.ts";
import { supervised } from "../../models/methods/supervised/index.ts";
import { startTraining } from "../../models/training/train.ts";
import { blurredPictures } from "../models/training/pictures.ts";
import { mpirun } from "../models/training/with-ranks.ts";

const batches = [8, 16, 32];
const options = { backbone: "resnet18" as const, stages: 2, resize: 48, crop: 48, levels: 5 };

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
  const pictures = await blurredPictures(join(folder, `pictures-${ranks.rank}`), Math.max(...batches), 64);
  for (const [normsOver, batch] of (["ranks", "own"] as const).flatMap((of) => batches.map((b) => [of, b] as const))) {
    const data = { labelled: pictures.slice(0, batch), unlabelled: [], test: [], range: [0, 100] as const };
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
      ...{ folder: join(folder, `${normsOver}-${batch}`), ranks, checkpointSeconds: 3600 },
      ...(ranks.rank === 0 && { progress: () => ({ advance, stop() {} }) }),
    };
    const { model } = await startTraining(
      supervised,
      device,
      data,
      { ...options, batch, normsOver, epochs: steps },
      hooks,
    );
    model.dispose();
    if (ranks.rank > 0) continue;
    const step = (of: "calls" | "bytes" | "ms") => median(uses.slice(3).map((use, i) => use[of] - uses[i + 2]![of]));
    console.log(
      JSON.stringify({
        ...{ ranks: ranks.size, batch, normsOver, stepMs: median(times.slice(3)) },
        ...(ranks.size > 1 && { calls: step("calls"), bytes: step("bytes"), exchangeMs: step("ms") }),
      }),
    );
  }
  for (const patient of [true, false]) {
    ranks.patient = patient;
    for (const bytes of ranks.size > 1 ? [4096, 2 ** 16, 2 ** 20, 2 ** 22, 2 ** 24] : []) {
      const ms = await sums(ranks, bytes);
      if (ranks.rank === 0) console.log(JSON.stringify({ ranks: ranks.size, patient, bytes, sumMs: ms }));
    }
  }
  device.close();
  await ranks[Symbol.asyncDispose]();
}

interface Measured {
  readonly ranks: number;
  readonly batch?: number;
  readonly normsOver?: "ranks" | "own";
  readonly stepMs?: number;
  readonly exchangeMs?: number;
  readonly bytes?: number;
  readonly patient?: boolean;
  readonly sumMs?: number;
}

/** A model's parameters by relative least squares, all at least 0, and by how much it misses what was measured. */
function fitted<Case>(
  cases: readonly Case[],
  y: (one: Case) => number,
  model: (p: number[], one: Case) => number,
  start: number[],
) {
  const x = cases.map((_, i) => i);
  const { parameterValues: p } = levenbergMarquardt(
    { x, y: x.map(() => 1) },
    (parameters) => (i) => model(parameters, cases[i]!) / y(cases[i]!),
    {
      initialValues: start,
      minValues: start.map(() => 0),
      maxIterations: 500,
      gradientDifference: start.map((v) => v * 1e-4),
    },
  );
  const misses = cases.map((one) => Math.abs(model(p, one) / y(one) - 1));
  return {
    parameters: p.map((v) => Number(v.toPrecision(3))),
    medianMiss: median(misses),
    worstMiss: Math.max(...misses),
  };
}

/** Ranks of one computer take turns at its cores: with n of them each has the speed of cores / n, at most that of one core. */
function report(found: readonly Measured[]): void {
  const turns = (ranks: number) => Math.max(1, ranks / availableParallelism());
  const sums = found.filter(({ sumMs, patient }) => sumMs !== undefined && patient === false);
  console.log(
    "sum, ms = turns · (latency + ms a MiB · MiB):",
    fitted(
      sums,
      (s) => s.sumMs!,
      ([l, k], s) => turns(s.ranks) * (l! + (k! * s.bytes!) / 2 ** 20),
      [0.1, 10],
    ),
  );
  const steps = found.filter(({ stepMs, normsOver }) => stepMs !== undefined && normsOver === "own");
  console.log(
    "step, ms = once + each rank · ranks + each picture · batch + exchange:",
    fitted(
      steps,
      (s) => s.stepMs!,
      ([a, f, c], s) => a! + f! * s.ranks + c! * s.batch! + (s.exchangeMs ?? 0),
      [100, 100, 10],
    ),
  );
}

if (process.argv[2] === "child") await child(process.argv[3]!, Number(process.argv[4]));
else {
  const steps = process.argv[2] ?? "15";
  const found: Measured[] = [];
  for (const size of [1, 2, 4]) {
    const folder = await mkdtemp(join(tmpdir(), "acutance-ranks-"));
    const script = new URL(import.meta.url).pathname;
    const [command, ...words] = [...mpirun(size), process.execPath, ...runArguments(), script, "child", folder, steps];
    const { stdout, stderr, status } = spawnSync(command!, words, { encoding: "utf8" });
    console.log(status === 0 ? stdout.trim() : `${stdout}${stderr}`);
    if (status === 0)
      found.push(
        ...stdout
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as Measured),
      );
    await rm(folder, { recursive: true });
  }
  report(found);
}
