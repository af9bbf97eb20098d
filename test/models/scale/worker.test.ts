import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { serveMetrics } from "../../../models/scale/http.ts";
import { openQueue, type PictureQueue } from "../../../models/scale/queue.ts";
import { openWorker } from "../../../models/scale/worker.ts";
import type { WorkerOptions } from "../../../models/scale/worker-options.ts";
import type { LogEntry } from "../../../models/service/options.ts";
import { openStore } from "../../../models/store/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { knownScores } from "../scoring/fixtures.ts";
import { type Server, startPostgres, startRedis, withoutPostgres, withoutRedis } from "./servers.ts";

let folder = "";
let model = "";
let expected: number[] = [];
let redis: Server;
const at = (name: string) => join(folder, name);
const children: ChildProcess[] = [];

beforeAll(async () => {
  if (withoutRedis) return;
  folder = await mkdtemp(join(tmpdir(), "acutance-worker-"));
  await chmod(folder, 0o755); // PostgreSQL runs as another user
  const known = await knownScores(folder, 12);
  ({ model, expected } = known);
  await mkdir(at("photos"));
  const old = new Date(Date.now() - 3_600_000);
  for (const [i, bytes] of known.pictures.entries()) {
    await writeFile(at(`photos/${name(i)}`), bytes);
    await utimes(at(`photos/${name(i)}`), old, old);
  }
  redis = await startRedis(at("redis"));
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await redis?.[Symbol.asyncDispose]();
  if (folder) await rm(folder, { recursive: true, force: true });
});

const name = (i: number) => `${String(i).padStart(2, "0")}.img`;
const names = () => expected.map((_, i) => at(`photos/${name(i)}`));

async function inProcess(options: Partial<WorkerOptions> & Pick<WorkerOptions, "name" | "store">) {
  const log: LogEntry[] = [];
  const worker = await openWorker({
    queue: redis.url,
    untilEmpty: true,
    lockSeconds: 2,
    ...options,
    scorer: { model, device: await sharedDevice(), ...options.scorer },
    log: (entry) => log.push(entry),
  });
  return { worker, log };
}

/** A worker in a process of its own. */
async function apart(
  options: Partial<WorkerOptions> & Pick<WorkerOptions, "name" | "store">,
  environment: Record<string, string> = {},
) {
  const all = { queue: redis.url, lockSeconds: 2, ...options, scorer: { model, ...options.scorer } };
  const script = new URL("worker-process.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, JSON.stringify(all)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  children.push(child);
  const log: LogEntry[] = [];
  const working = Promise.withResolvers<void>();
  let complaints = "";
  child.stderr.on("data", (data) => (complaints += data));
  createInterface({ input: child.stdout }).on("line", (line) => {
    const entry = JSON.parse(line) as LogEntry;
    log.push(entry);
    if (entry.event === "working") working.resolve();
  });
  const exit = once(child, "exit").then(([code, signal]) => {
    working.reject(new Error(complaints));
    return (code ?? signal) as number | string;
  });
  await working.promise;
  return { child, log, exit, complaints: () => complaints };
}

/** Scores by the names of their files, and how many rows there are. */
async function rows(store: string): Promise<[name: string, score: number | string][]> {
  using opened = await openStore(store);
  return [...opened.pictures()].map(({ path, result }) => [
    path.split("/").at(-1)!,
    "score" in result ? result.score : result.reason,
  ]);
}

const expectedRows = () => expected.map((score, i): [string, number] => [name(i), score]);

async function dead(queue: PictureQueue) {
  const found = await Array.fromAsync(queue.dead());
  return found.map(({ picture, reason, tries }) => [picture.split("/").at(-1)!, reason, tries]).sort();
}

describe.skipIf(withoutRedis !== undefined)(`a worker${withoutRedis ? ` (${withoutRedis})` : ""}`, () => {
  test("scores what is in the queue as the scorer does, once, and gives up what is no picture", async () => {
    await using queue = await openQueue(redis.url, { name: "plain" });
    await writeFile(at("words.jpg"), "no picture");
    await copyFile(names()[0]!, at("copy.png"));
    await queue.add([...names(), at("words.jpg"), at("nothing.jpg"), at("copy.png"), "https://example.org/a.jpg"]);
    const first = await inProcess({ name: "plain", store: at("plain.db"), concurrency: 4 });
    await using watched = await serveMetrics(first.worker, { port: 0 });
    const ready = await fetch(`${watched.url}/readyz`);
    expect([
      ready.status,
      (await fetch(`${watched.url}/healthz`)).status,
      (await fetch(`${watched.url}/x`)).status,
    ]).toEqual([200, 200, 404]);
    await first.worker.done;
    expect((await fetch(`${watched.url}/readyz`)).status).toBe(503);
    const found = await rows(at("plain.db"));
    expect(found.filter(([one]) => one.endsWith(".img"))).toEqual(expectedRows());
    expect(found.filter(([one]) => !one.endsWith(".img"))).toEqual([
      ["copy.png", expected[0]!],
      ["words.jpg", "not-a-picture"],
    ]);
    expect(await dead(queue)).toEqual([
      ["a.jpg", "not-a-file", 1],
      ["nothing.jpg", "missing", 1],
      ["words.jpg", "not-a-picture", 1],
    ]);
    expect(await queue.status()).toMatchObject({ waiting: 0, active: 0, delayed: 0, pictures: 0, dead: 3 });
    // Again: all is in the store.
    await queue.add(names());
    const second = await inProcess({ name: "plain", store: at("plain.db") });
    await second.worker.done;
    expect((await queue.status()).totals).toMatchObject({ stored: 12 + 1, dead: 3 });
    // What was mended is no dead letter any more when it is sent again.
    await copyFile(names()[1]!, at("words.jpg"));
    expect(await queue.retryDead()).toBe(3);
    const third = await inProcess({ name: "plain", store: at("plain.db") });
    await third.worker.done;
    expect(await dead(queue)).toEqual([
      ["a.jpg", "not-a-file", 1],
      ["nothing.jpg", "missing", 1],
    ]);
    // The log names no picture.
    expect(JSON.stringify([first.log, second.log, third.log])).not.toMatch(/\.img|words|nothing/);
  });

  test("tells Prometheus of itself and its queue", async () => {
    await using queue = await openQueue(redis.url, { name: "figures" });
    await queue.add(names());
    const { worker } = await inProcess({ name: "figures", store: at("figures.db"), untilEmpty: false });
    await queue.wait();
    const { text } = await worker.metrics.text();
    const figure = (line: string) =>
      Number(new RegExp(`^${line.replace(/[{}"]/g, "\\$&")} (.+)$`, "m").exec(text)?.[1]);
    expect(figure('acutance_worker_pictures_total{outcome="scored"}')).toBe(12);
    expect(figure("acutance_queue_pictures")).toBe(0);
    expect(figure("acutance_queue_reached")).toBe(1);
    expect(figure("acutance_queue_workers")).toBe(1);
    expect(figure("acutance_worker_ready")).toBe(1);
    expect(figure("acutance_worker_busy_share")).toBeGreaterThan(0);
    expect(figure("acutance_queue_worker_seconds")).toBe(0);
    await worker.drain();
    expect(worker.ready).toBe(false);
  });

  test("reads relative names below its root alone", async () => {
    await using queue = await openQueue(redis.url, { name: "root" });
    await queue.add(["00.img", "../model.safetensors", "/etc/hostname", "sub/../01.img"]);
    const { worker } = await inProcess({ name: "root", store: at("root.db"), root: at("photos") });
    await worker.done;
    expect((await rows(at("root.db"))).map(([one]) => one)).toEqual(["00.img", "01.img"]);
    expect((await dead(queue)).map(([, reason]) => reason)).toEqual(["not-a-file", "not-a-file"]);
  });

  test("tries again what may pass, at once gives up what does not, and stops after five tries", async () => {
    let [asked, denied] = [0, 0];
    const bytes = await readFile(names()[2]!);
    await using server = createServer((request, response) => {
      if (request.url?.startsWith("/mended.png") && ++asked <= 2) response.writeHead(503).end();
      else if (request.url === "/gone.png") response.writeHead(404).end(String(denied++));
      else response.writeHead(200, { "content-type": "image/png" }).end(bytes);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const urls = { lookup: async () => ["93.184.216.34"], via: () => ({ host: "127.0.0.1", port }) };
    await using queue = await openQueue(redis.url, { name: "urls" });
    await queue.add(["http://example.org/mended.png?token=abcdef", "http://example.org/gone.png", names()[3]!]);
    const { worker } = await inProcess({ name: "urls", store: at("urls.db"), urls });
    await worker.done;
    expect(asked).toBe(3);
    expect(denied).toBe(1);
    const found = await rows(at("urls.db"));
    expect(found).toContainEqual(["mended.png?token=abcdef", expected[2]!]);
    expect(await dead(queue)).toEqual([["gone.png", "url-failed", 1]]);
    expect((await queue.status()).totals).toEqual({ scored: 2, stored: 0, dead: 1 });
  });

  test("takes pictures from S3, and gives up those that are not there", async () => {
    const bytes = await readFile(names()[4]!);
    const asked: string[] = [];
    // As S3 answers, by https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    await using server = createServer((request, response) => {
      asked.push(request.url!);
      const isSigned = request.headers.authorization?.startsWith("AWS4-HMAC-SHA256 Credential=AKIATEST/");
      if (!isSigned) return response.writeHead(403).end();
      if (request.url!.startsWith("/bucket/some/a.png")) return response.writeHead(200).end(bytes);
      const body = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
      return response.writeHead(404, { "content-type": "application/xml" }).end(body);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    await using queue = await openQueue(redis.url, { name: "s3" });
    await queue.add(["s3://bucket/some/a.png", "s3://bucket/some/none.png"]);
    const environment = {
      AWS_ACCESS_KEY_ID: "AKIATEST",
      AWS_SECRET_ACCESS_KEY: "hunter22hunter22",
      AWS_REGION: "eu-1",
      S3_ENDPOINT: `http://127.0.0.1:${port}`,
    };
    const { exit, log } = await apart({ name: "s3", store: at("s3.db"), untilEmpty: true }, environment);
    expect(await exit).toBe(0);
    expect(asked.length).toBe(2);
    expect(await rows(at("s3.db"))).toEqual([["a.png", expected[4]!]]);
    expect(await dead(queue)).toEqual([["none.png", "missing", 1]]);
    expect(JSON.stringify(log)).not.toContain("hunter22");
  });

  test("that is killed in the middle leaves its pictures to others, which score each once", async () => {
    await using queue = await openQueue(redis.url, { name: "killed" });
    await mkdir(at("slow"));
    for (const [i, path] of names().entries()) await copyFile(path, at(`slow/slow-${name(i)}`));
    await queue.add([...names(), ...(await readdir(at("slow"))).sort().map((one) => at(`slow/${one}`))]);
    const first = await apart({ name: "killed", store: at("killed.db") });
    await sleep(1000);
    first.child.kill("SIGKILL");
    const { worker, log } = await inProcess({ name: "killed", store: at("killed.db") });
    await worker.done;
    const found = await rows(at("killed.db"));
    expect(found.filter(([one]) => !one.startsWith("slow"))).toEqual(expectedRows());
    expect(found).toHaveLength(24);
    using store = await openStore(at("killed.db"));
    expect(store.scorers.map(({ pictures }) => pictures)).toEqual([12]);
    expect(await dead(queue)).toEqual([]);
    expect(log.filter(({ event }) => event === "given-up")).toEqual([]);
  });

  test("is ended by a poison picture three times, and no other picture is given up with it", async () => {
    await using queue = await openQueue(redis.url, { name: "poison" });
    await copyFile(names()[0]!, at("poison.png"));
    await queue.add([...names().slice(0, 6), at("poison.png"), ...names().slice(6)]);
    const options = { name: "poison", store: at("poison.db"), untilEmpty: true, mostEnds: 3, lockSeconds: 1 };
    const exits: (number | string)[] = [];
    for (let i = 0; i < 4; i++) exits.push(await (await apart(options)).exit);
    expect(exits).toEqual(["SIGKILL", "SIGKILL", "SIGKILL", 0]);
    expect(await rows(at("poison.db"))).toEqual(expectedRows());
    expect(await dead(queue)).toEqual([["poison.png", "worker-ended", 3]]);
  });

  test("that is asked to end finishes what it has begun and gives the rest back", async () => {
    await using queue = await openQueue(redis.url, { name: "drained" });
    await mkdir(at("drain"));
    for (const [i, path] of names().entries()) await copyFile(path, at(`drain/slow-${name(i)}`));
    await queue.add((await readdir(at("drain"))).sort().map((one) => at(`drain/${one}`)));
    const first = await apart({ name: "drained", store: at("drained.db"), concurrency: 2 });
    await sleep(700);
    first.child.kill("SIGTERM");
    expect(await first.exit).toBe(0);
    expect(await rows(at("drained.db"))).toHaveLength(2);
    expect(await queue.status()).toMatchObject({ active: 0, dead: 0, totals: { scored: 2 } });
    // One job or two: where a job ends depends on the names.
    expect((await queue.status()).waiting).toBeGreaterThanOrEqual(1);
    const { worker } = await inProcess({ name: "drained", store: at("drained.db") });
    await worker.done;
    expect((await rows(at("drained.db"))).map(([, score]) => score)).toEqual(expected);
  });

  test("waits for a Redis that restarts, and goes on", async () => {
    await using own = await startRedis(at("restarted"));
    await using queue = await openQueue(own.url, { name: "restarted" });
    const first = await apart({ queue: own.url, name: "restarted", store: at("restarted.db") });
    await own.stop();
    await sleep(500);
    await own.start();
    await queue.add(names());
    const status = await queue.wait();
    expect(status).toMatchObject({ dead: 0, totals: { scored: 12 } });
    expect(await rows(at("restarted.db"))).toEqual(expectedRows());
    const notes = first.log.filter(({ event }) => event === "note").map(({ message }) => message);
    expect(notes.join()).toMatch(/is away \(.*\): waiting for it.*is back/s);
    first.child.kill("SIGTERM");
    expect(await first.exit).toBe(0);
  });

  describe.skipIf(withoutPostgres !== undefined)(
    `with PostgreSQL${withoutPostgres ? ` (${withoutPostgres})` : ""}`,
    () => {
      let postgres: Server;
      const password = "p@ss/word:1";
      beforeAll(async () => {
        postgres = await startPostgres(at("postgres"), password);
      }, 60_000);
      afterAll(() => postgres?.[Symbol.asyncDispose]());

      test("keeps scores there, those of several workers once, and waits while it is away", async () => {
        const { SQL } = await import("bun");
        await using sql = new SQL(postgres.url);
        await using queue = await openQueue(redis.url, { name: "postgres" });
        await queue.add(names().slice(0, 6));
        const two = await Promise.all([1, 2].map(() => inProcess({ name: "postgres", store: postgres.url })));
        await Promise.all(two.map(({ worker }) => worker.done));
        await queue.add(names().slice(4));
        const { worker, log } = await inProcess({ name: "postgres", store: postgres.url, untilEmpty: false });
        await queue.wait();
        const found = await sql`SELECT path, score FROM acutance.pictures ORDER BY path`;
        expect(
          found.map(({ path, score }: { path: string; score: number }) => [path.split("/").at(-1), score]),
        ).toEqual(expectedRows());
        expect((await queue.status()).totals).toEqual({ scored: 12, stored: 2, dead: 0 });
        const [{ features }] = await sql`SELECT count(*)::int AS features FROM acutance.features`;
        expect(features).toBe(12);
        await postgres.stop("SIGINT");
        await copyFile(names()[5]!, at("while-away.img"));
        await queue.add([at("while-away.img")]);
        for (let i = 0; i < 100 && !log.some(({ event }) => event === "store"); i++) await sleep(50);
        await postgres.start();
        await queue.wait();
        await worker.drain();
        expect(await queue.status()).toMatchObject({ dead: 0, totals: { scored: 12, stored: 3 } });
        expect(log.some(({ event }) => event === "store")).toBe(true);
        expect(JSON.stringify(log)).not.toMatch(/p@ss|p%40ss/);
      });

      test("that refuses us is told without the password", async () => {
        const wrong = postgres.url.replace(encodeURIComponent(password), "hunter22");
        const failure = await openWorker({ queue: redis.url, name: "postgres", store: wrong }).then(
          String,
          (error: Error) => error.message,
        );
        expect(failure).toContain(`the store postgres://127.0.0.1:${postgres.port}/scores refuses us`);
        expect(failure).not.toContain("hunter22");
      });
    },
  );
});
