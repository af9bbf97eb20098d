import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, writeFile } from "node:fs/promises";
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
    const work = () => {
      const child = start(["worker", "--experiments", "--no-tune", "--lock-seconds", "3", ...queue]);
      const training = Promise.withResolvers<void>();
      child.stdout!.on("data", (text: Buffer) => {
        if (text.toString().includes('"training"')) training.resolve();
      });
      child.once("exit", () => training.resolve());
      return { child, training: training.promise };
    };
    const start2 = performance.now();
    const workers = Array.from({ length: how.workers }, work);
    const coordinator = experiment("workers", ...queue);
    let killed = 0;
    for (; killed < how.kills && coordinator.exitCode === null; killed++) {
      const victim = workers[killed % workers.length]!;
      await Promise.race([victim.training, once(coordinator, "exit")]);
      // Some steps into it.
      await sleep(300);
      if (coordinator.exitCode !== null) break;
      victim.child.kill("SIGKILL");
      workers[killed % workers.length] = work();
    }
    if ((await ended(coordinator)) !== 0) throw new Error(complaints);
    const seconds = { single, workers: (performance.now() - start2) / 1000 };
    for (const { child } of workers) child.kill("SIGTERM");
    await Promise.all(workers.map(({ child }) => ended(child)));
    const [one, many] = [tablesOf(join(folder, "single")), tablesOf(join(folder, "workers"))];
    const different = Object.keys(queries).filter((name) => JSON.stringify(one[name]) !== JSON.stringify(many[name]));
    const rows = Object.fromEntries(Object.entries(many).map(([name, all]) => [name, all.length]));
    const logs = await Promise.all(
      (await readdir(join(folder, "workers/trainings"))).map(async (name) =>
        (await import("node:fs/promises")).readFile(join(folder, "workers/trainings", name, "log.txt"), "utf8"),
      ),
    );
    const resumed = logs.join("\n").match(/resum|goes on from/gi)?.length ?? 0;
    return {
      different,
      rows,
      begun: logs.length,
      resumed,
      trainings: many["trainings"]!.length,
      killed,
      seconds,
      complaints,
    };
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
}
