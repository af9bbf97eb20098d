import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { glob, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { small, writePictures } from "../experiments/recipe.ts";
import { type Server, startRedis } from "./servers.ts";

const main = new URL("../../../cli/main.ts", import.meta.url).pathname;

/** How an experiment is run by a single process and by workers. */
export interface Comparison {
  readonly seeds: readonly number[];
  readonly variants: readonly object[];
  readonly workers: number;
  /** Workers that are killed while they train, each replaced. */
  readonly kills: number;
  readonly pictures: number;
  readonly base?: object;
}

/** What came of it. */
export interface Compared {
  /** Tables that differ. */
  readonly different: readonly string[];
  readonly rows: Readonly<Record<string, number>>;
  /** How often each training was begun from nothing and gone on with, by the logs of all trainings. */
  readonly begun: number;
  readonly resumed: number;
  readonly trainings: number;
  readonly killed: number;
  readonly seconds: { readonly single: number; readonly workers: number };
  readonly complaints: string;
}

/** What is compared, in an order that does not depend on who was first. Times and places are left out. */
const queries: Readonly<Record<string, string>> = {
  trainings: "SELECT key, method, stage, status, folder, options, adapter, version, notes FROM trainings ORDER BY key",
  runs: "SELECT * FROM runs ORDER BY experiment, position",
  results: "SELECT * FROM results ORDER BY training, part, data_key",
  losses: "SELECT * FROM losses ORDER BY training, stage, epoch, step",
  predictions:
    "SELECT training, part, name, mos, stage_one, score, standard_deviation, confidence FROM predictions ORDER BY training, part, name",
  pseudo_labels: "SELECT * FROM pseudo_labels ORDER BY training, name",
};

function tablesOf(store: string): Record<string, unknown[]> {
  const database = new DatabaseSync(join(store, "results.sqlite"), { readOnly: true });
  const found = Object.fromEntries(
    Object.entries(queries).map(([name, query]) => [name, database.prepare(query).all()]),
  );
  database.close();
  return found;
}

/** Runs the same experiment by one process and by workers of a queue, kills some of them, and compares what both have found. */
export async function compareExperiments(folder: string, how: Comparison): Promise<Compared> {
  const data = await writePictures(join(folder, "pictures"), how.pictures);
  const base = { ...small, stageOneEpochs: 2, stageTwoEpochs: 1, ...how.base };
  const recipe = { title: "By workers", data, seeds: how.seeds, base, vary: how.variants };
  await writeFile(join(folder, "recipe.json"), JSON.stringify(recipe));
  const children: ChildProcess[] = [];
  let complaints = "";
  const start = (words: string[]) => {
    const child = spawn(process.execPath, [main, ...words], {
      cwd: folder,
      env: { ...process.env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    children.push(child);
    child.stderr.on("data", (text) => (complaints += text));
    return child;
  };
  const ended = async (child: ChildProcess) => (child.exitCode ?? (await once(child, "exit"))[0]) as number | null;
  const experiment = (store: string, ...words: string[]) =>
    start(["experiment", "recipe.json", "--store", store, "--checkpoint-seconds", "0", "--no-tune", ...words]);
  await using redis: Server = await startRedis(join(folder, "redis"));
  try {
    const began = performance.now();
    const alone = experiment("single");
    if ((await ended(alone)) !== 0) throw new Error(complaints);
    const single = (performance.now() - began) / 1000;
    const queue = ["--queue", redis.url];
    const work = () => start(["worker", "--experiments", "--no-tune", "--lock-seconds", "3", ...queue]);
    /** A worker that has a training with a checkpoint in hand. */
    const victim = async (): Promise<number> => {
      for (const path of await Array.fromAsync(glob("workers/trainings/*/training.lock", { cwd: folder }))) {
        const lock = await readFile(join(folder, path), "utf8").catch(() => "{}");
        const place = workers.findIndex(({ pid }) => pid === (JSON.parse(lock || "{}") as { pid?: number }).pid);
        if (place >= 0 && existsSync(join(folder, path, "../checkpoint.safetensors"))) return place;
      }
      return -1;
    };
    const second = performance.now();
    const workers = Array.from({ length: how.workers }, work);
    const coordinator = experiment("workers", ...queue);
    let killed = 0;
    while (killed < how.kills && coordinator.exitCode === null) {
      await sleep(20);
      const place = await victim();
      if (place < 0) continue;
      workers[place]!.kill("SIGKILL");
      workers[place] = work();
      killed++;
    }
    if ((await ended(coordinator)) !== 0) throw new Error(complaints);
    const seconds = { single, workers: (performance.now() - second) / 1000 };
    for (const child of workers) child.kill("SIGTERM");
    await Promise.all(workers.map(ended));
    const [one, many] = [tablesOf(join(folder, "single")), tablesOf(join(folder, "workers"))];
    const different = Object.keys(queries).filter((name) => JSON.stringify(one[name]) !== JSON.stringify(many[name]));
    const rows = Object.fromEntries(Object.entries(many).map(([name, all]) => [name, all.length]));
    const paths = await Array.fromAsync(glob("workers/trainings/*/log.txt", { cwd: folder }));
    const logs = (await Promise.all(paths.map((path) => readFile(join(folder, path), "utf8")))).join("\n");
    const count = (pattern: RegExp) => logs.match(pattern)?.length ?? 0;
    const counts = {
      begun: count(/layers start fresh/g),
      resumed: count(/taken over/g),
      trainings: many["trainings"]!.length,
    };
    return { different, rows, ...counts, killed, seconds, complaints };
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
}
