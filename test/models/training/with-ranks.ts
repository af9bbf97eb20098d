import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runArguments } from "../../../engine/device/check.ts";
import { openSafetensors, toFloat32 } from "../../../engine/weights/safetensors.ts";
import type { TrainingData } from "../../../models/training/training.ts";

/** A training that ranks do. */
export interface RankJob {
  readonly method: string;
  readonly data: TrainingData;
  readonly options: object;
  readonly folder: string;
  readonly resume?: boolean;
  readonly start?: { readonly init?: string; readonly from?: string };
  /** Rank 0 is asked to stop after so many steps. */
  readonly stopAfter?: number;
  /** Options that the last rank alone has. */
  readonly differ?: object;
}

/** What rank 0 says of a job. */
export interface RankOutcome {
  readonly losses?: number[];
  readonly results?: { readonly evaluation: { readonly srcc: number } }[];
  readonly refreshes?: number;
  readonly interrupted?: boolean;
  readonly error?: string;
}

const found = spawnSync("mpirun", ["--version"], { encoding: "utf8" });

/** Why tests with ranks are skipped here, if they are. */
export const withoutMpi =
  found.status === 0
    ? undefined
    : "there is no mpirun; install one to run these tests: apt-get install openmpi-bin libopenmpi-dev";
// Where it must be tested, as in CI, its absence is a failure.
if (process.env["ACUTANCE_NEEDS_MPI"] === "1" && withoutMpi !== undefined) throw new Error(withoutMpi);

/** Open MPI refuses to start where there is no ssh, even when no other computer is meant, unless it is told of a program that is there. */
const withoutSsh = ["--mca", "plm_rsh_agent", "sh"];

/** What starts so many ranks on this computer, as often as there are processors or more. */
export function mpirun(size: number): string[] {
  const isOpenMpi = /Open MPI|OpenRTE/.test(found.stdout ?? "");
  return isOpenMpi
    ? ["mpirun", ...withoutSsh, "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", String(size)]
    : ["mpirun", "-n", String(size)];
}

/** Ranks that wait for one another for ever are ended. */
const mostMs = 600_000;

/** Has ranks do jobs; what rank 0 says of each. */
export async function inRanks(size: number, jobs: readonly RankJob[], folder: string): Promise<RankOutcome[]> {
  const file = join(folder, `jobs-${size}-${jobs.length}.json`);
  await writeFile(file, JSON.stringify(jobs));
  const script = new URL("./ranks-process.ts", import.meta.url).pathname;
  const [command, ...words] = [...mpirun(size), process.execPath, ...runArguments(), script, file];
  const { stdout, stderr, status } = spawnSync(command!, words, {
    encoding: "utf8",
    maxBuffer: 2 ** 26,
    timeout: mostMs,
  });
  const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
  if (status !== 0 || lines.length !== jobs.length) throw new Error(`status ${status}: ${stdout}\n${stderr}`);
  return lines.map((line) => JSON.parse(line) as RankOutcome);
}

/** ‖a − b‖ / ‖a‖ over all weights of two models. */
export async function weightDifference(first: string, second: string): Promise<number> {
  await using a = await openSafetensors(first);
  await using b = await openSafetensors(second);
  let [apart, all] = [0, 0];
  for (const name of a.tensors.keys()) {
    const [x, y] = [toFloat32(await a.read(name)), toFloat32(await b.read(name))];
    x.forEach((weight, i) => {
      apart += (weight - y[i]!) ** 2;
      all += weight ** 2;
    });
  }
  return Math.sqrt(apart / all);
}
