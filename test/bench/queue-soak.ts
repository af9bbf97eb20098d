// `bun test/bench/queue-soak.ts [--pictures 20000] [--workers 4] [--kill-every 10] [--restart-redis] [--rounds 0] [--compared 4000]`: small pictures through a queue
// whose workers are killed one after another, and whose Redis is restarted once. Every picture must have exactly one row, with the score that a
// single process gives it, and none may be given up. With --rounds, also how fast the workers are without kills beside as many processes that score
// without a queue, in turns. Needs redis-server.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { openQueue, pictureNames } from "../../models/scale/index.ts";
import { openScorer } from "../../models/scoring/scorer.ts";
import { openStore, scoreStored } from "../../models/store/index.ts";
import { withParent } from "../cli/serving.ts";
import { startRedis } from "../models/scale/servers.ts";
import { smallModel } from "../models/scoring/fixtures.ts";

const main = new URL("../../cli/main.ts", import.meta.url).pathname;
const number = (text: string) => ({ type: "string", default: text }) as const;
const { values } = parseArgs({
  options: {
    ...{
      pictures: number("20000"),
      workers: number("4"),
      "kill-every": number("10"),
      rounds: number("0"),
      compared: number("4000"),
    },
    "restart-redis": { type: "boolean", default: false },
    /** What a process that scores without a queue is started with: its model, its store and its part of the pictures. */
    direct: { type: "string" },
  },
});

if (values.direct !== undefined) {
  const { model, store: path, photos, part, parts, count } = JSON.parse(values.direct);
  const scorer = await openScorer({ model, features: true, sharpness: true, reasons: true });
  using store = await openStore(path);
  // As a worker does before it takes jobs: kernels are compiled.
  await scorer.score(picture(0));
  console.log("ready");
  await once(process.stdin, "data");
  const paths = Array.from({ length: count }, (_, i) => join(photos, fileOf(i))).filter((_, i) => i % parts === part);
  for await (const _ of scoreStored(store, scorer, paths));
  console.log("done");
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), "acutance-queue-soak-"));
const photos = join(folder, "photos");
const [count, workers] = [Number(values.pictures), Number(values.workers)];
const children = new Set<ChildProcess>();

/** Pictures lie in folders of a thousand. */
function fileOf(i: number): string {
  return `${Math.floor(i / 1000)}/${String(i).padStart(7, "0")}.bmp`;
}

/** A picture of 40 x 40 pixels, each unlike the others, as BMP. */
function picture(seed: number): Buffer {
  const side = 40;
  const file = Buffer.alloc(54 + 3 * side * side);
  file.write("BM");
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(54, 10);
  file.writeUInt32LE(40, 14);
  file.writeInt32LE(side, 18);
  file.writeInt32LE(side, 22);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(24, 28);
  let state = seed * 2654435761 + 1;
  for (let i = 54; i < file.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    file[i] = ((state >>> 24) >> (seed % 5)) + (i % 97);
  }
  return file;
}

/** A process that ends when this one does, however that ends. */
function start(words: string[]): ChildProcess {
  const child = spawn(process.execPath, [...withParent, ...words], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, NO_COLOR: "1" },
  });
  children.add(child);
  child.once("exit", () => children.delete(child));
  return child;
}

async function line(child: ChildProcess, wanted: string): Promise<void> {
  const lines = createInterface({ input: child.stdout! });
  for await (const text of lines) if (text.includes(wanted)) break;
  // What follows has to be taken, too, or the process would wait for its reader.
  child.stdout!.resume();
}

const worker = (url: string, store: string, model: string) =>
  start([main, "worker", "--queue", url, "--store", store, "--model", model, "--lock-seconds", "5", "--no-tune"]);

/** Scores by the names of files, in order. */
async function rows(path: string): Promise<[string, number | string][]> {
  using store = await openStore(path);
  if (store.scorers.length !== 1) throw new Error(`${store.scorers.length} scorers are in the store`);
  return [...store.pictures()].map(({ path: name, result }) => [
    name.slice(photos.length + 1),
    "score" in result ? result.score : result.error,
  ]);
}

/** Seconds that processes without a queue take for the first pictures. */
async function direct(processes: number, pictures: number, model: string, stores: string): Promise<number> {
  const all = Array.from({ length: processes }, (_, part) => {
    const given = { model, store: `${stores}-${part}.db`, photos, part, parts: processes, count: pictures };
    return start([import.meta.path, "--direct", JSON.stringify(given)]);
  });
  await Promise.all(all.map((child) => line(child, "ready")));
  const began = performance.now();
  for (const child of all) child.stdin!.write("go\n");
  // Not their ends, which workers are not timed for either.
  await Promise.all(all.map((child) => line(child, "done")));
  const seconds = (performance.now() - began) / 1000;
  await Promise.all(all.map((child) => child.exitCode ?? once(child, "exit")));
  return seconds;
}

async function* named(pictures: number): AsyncGenerator<string> {
  for (let i = 0; i < pictures; i++) yield join(photos, fileOf(i));
}

try {
  console.log(`making ${count} pictures`);
  for (let i = 0; i < count; i++) {
    if (i % 1000 === 0) mkdirSync(join(photos, String(i / 1000)), { recursive: true });
    writeFileSync(join(photos, fileOf(i)), picture(i));
  }
  const model = await smallModel(folder);
  await using redis = await startRedis(join(folder, "redis"));

  const shares: number[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const pictures = Math.min(count, Number(values.compared));
    const alone = await direct(workers, pictures, model, join(folder, `direct-${round}`));
    const all = Array.from({ length: workers }, () => worker(redis.url, join(folder, `round-${round}.db`), model));
    await Promise.all(all.map((child) => line(child, '"working"')));
    await using queue = await openQueue(redis.url);
    const began = performance.now();
    await queue.add(named(pictures));
    await queue.wait();
    const queued = (performance.now() - began) / 1000;
    for (const child of all) child.kill("SIGTERM");
    await Promise.all(all.map((child) => once(child, "exit")));
    shares.push(alone / queued);
    console.log(
      `round ${round + 1}: ${(pictures / alone).toFixed(1)} pictures/s without, ${(pictures / queued).toFixed(1)} with a queue: ${(100 * shares.at(-1)!).toFixed(1)} %`,
    );
  }

  const reference = performance.now();
  await direct(1, count, model, join(folder, "reference"));
  console.log(`a single process: ${((performance.now() - reference) / 1000).toFixed(0)} s`);
  const expected = new Map(await rows(join(folder, "reference-0.db")));

  const store = join(folder, "scores.db");
  await using queue = await openQueue(redis.url);
  const running = Array.from({ length: workers }, () => worker(redis.url, store, model));
  const began = performance.now();
  const sent = await queue.add(pictureNames(photos));
  let [killed, restarted, isOver] = [0, 0, false];
  const killing = (async () => {
    for (let i = 0; ; i++) {
      for (let waited = 0; waited < 10 * Number(values["kill-every"]) && !isOver; waited++) await sleep(100);
      if (isOver) return;
      running[i % workers]!.kill("SIGKILL");
      running[i % workers] = worker(redis.url, store, model);
      killed++;
      if (values["restart-redis"] && i === 1) {
        await redis.stop();
        await sleep(1000);
        await redis.start();
        restarted++;
      }
    }
  })();
  const status = await queue.wait();
  const seconds = (performance.now() - began) / 1000;
  isOver = true;
  await killing;
  const found = await rows(store);
  const wrong = found.filter(([name, score]) => expected.get(name) !== score).length;
  using opened = await openStore(store);
  const results = opened.scorers[0]!.pictures;
  console.log({
    sent: sent.pictures,
    rows: found.length,
    results,
    wrong,
    dead: status.dead,
    killed,
    restarted,
    seconds: Math.round(seconds),
    perSecond: Math.round(count / seconds),
    totals: status.totals,
  });
  if (
    found.length !== count ||
    results !== count ||
    new Set(found.map(([name]) => name)).size !== count ||
    wrong > 0 ||
    status.dead > 0
  )
    process.exitCode = 1;
  if (shares.length > 0) {
    const median = shares.toSorted((a, b) => a - b)[Math.floor(shares.length / 2)]!;
    console.log(`with a queue ${(100 * median).toFixed(1)} % of the pictures/s without, median of ${shares.length}`);
  }
} finally {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
