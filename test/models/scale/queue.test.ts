import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { PictureError } from "../../../models/index.ts";
import { chunkId, chunksOf, meanChunk, mostChunk, packed, unpacked } from "../../../models/scale/chunks.ts";
import { failureOf } from "../../../models/scale/failure.ts";
import { Budget, Gate } from "../../../models/scale/gates.ts";
import { pictureNames } from "../../../models/scale/names.ts";
import { openQueue } from "../../../models/scale/queue.ts";
import { keepSecret, keepSecretsOf, redacted } from "../../../models/scale/redact.ts";
import { Problem } from "../../../models/service/problem.ts";
import { freePort, type Server, startRedis, withoutRedis } from "./servers.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-queue-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  return Array.fromAsync(items);
}

describe("credentials", () => {
  test("are in no text, however they stand in it", () => {
    keepSecretsOf("redis://me:s3%40cret%2Fword@host:1");
    keepSecret("AWSSECRETKEY/123");
    for (const [text, clean] of [
      ["redis://me:hunter2@host:6379/0 is away", "redis://…@host:6379/0 is away"],
      ["rediss://:p@ss/w@host", "rediss://…@host"],
      ["no postgres://u:p@db/x and valkey://a@b", "no postgres://…@db/x and valkey://…@b"],
      ["https://user:secret@example.org/a@b.jpg", "https://…@example.org/a@b.jpg"],
      ["https://example.org/a@b.jpg", "https://example.org/a@b.jpg"],
      [
        "https://b.s3.amazonaws.com/a.jpg?X-Amz-Signature=abc&x=1",
        "https://b.s3.amazonaws.com/a.jpg?X-Amz-Signature=…&x=1",
      ],
      ["https://a/b?token=abc#x", "https://a/b?token=…#x"],
      ["the password s3@cret/word or s3%40cret%2Fword is wrong", "the password … or … is wrong"],
      ["key AWSSECRETKEY/123 refused", "key … refused"],
      ["photos/2024@home/a.jpg", "photos/2024@home/a.jpg"],
    ] as const)
      expect(redacted(text)).toBe(clean);
  });
});

describe("jobs of several pictures", () => {
  const names = Array.from({ length: 5000 }, (_, i) => `/mnt/photos/${i % 7}/DSC_${String(i).padStart(6, "0")}.jpg`);

  test("have as many as is said, in order, and hold the folder once", async () => {
    const chunks = await all(chunksOf(names));
    expect(chunks.flat()).toEqual(names);
    const sizes = chunks.map(({ length }) => length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(mostChunk);
    expect(names.length / chunks.length).toBeGreaterThan(meanChunk / 2);
    for (const chunk of chunks) expect(unpacked(packed(chunk))).toEqual(chunk);
    expect(packed(["/a/b/1.jpg", "/a/b/2.jpg"])).toEqual({ b: "/a/b/", p: ["1.jpg", "2.jpg"] });
    expect(packed(["/a/b/1.jpg", "s3://x/y"])).toEqual({ b: "", p: ["/a/b/1.jpg", "s3://x/y"] });
    expect(packed(["one.jpg"])).toEqual({ b: "", p: ["one.jpg"] });
    expect(unpacked(packed(["/a/\u{10fee4}.jpg"]))).toEqual(["/a/\u{10fee4}.jpg"]);
  });

  test("are the same when some pictures come to their folder, but for those jobs", async () => {
    const ids = async (list: string[]) => new Set((await all(chunksOf(list))).map(chunkId));
    const before = await ids(names);
    const more = [...names];
    for (const at of [100, 2500, 4900]) more.splice(at, 0, `/mnt/photos/new-${at}.jpg`);
    const after = await ids(more);
    expect(before.difference(after).size).toBeLessThanOrEqual(9);
    expect(await ids([...names])).toEqual(before);
  });
});

describe("names of pictures", () => {
  beforeAll(async () => {
    await mkdir(join(folder, "photos/sub/deep"), { recursive: true });
    for (const name of ["b.jpg", "a.png", "sub/c.webp", "sub/deep/d.tif", "notes.md", ".hidden.jpg"])
      await writeFile(join(folder, "photos", name), name.endsWith("md") ? "words" : "x");
    await symlink("..", join(folder, "photos/sub/back"));
    await writeFile(join(folder, "list.txt"), "photos/a.png\r\n\n s3://bucket/key.jpg \nhttps://example.org/a.jpg\n");
  });

  test("of a folder are those of its subfolders, too, each once", async () => {
    const found = await all(pictureNames(join(folder, "photos")));
    expect(found).toEqual(
      ["a.png", "b.jpg", "sub/c.webp", "sub/deep/d.tif"].map((name) => join(folder, "photos", name)),
    );
    const relative = await all(pictureNames(join(folder, "photos"), { root: folder }));
    expect(relative[0]).toBe("photos/a.png");
    await expect(all(pictureNames(join(folder, "photos"), { root: join(folder, "elsewhere") }))).rejects.toThrow(
      "does not lie in the root",
    );
  });

  test("of a list and of standard input are its lines", async () => {
    const lines = await all(pictureNames(join(folder, "list.txt")));
    expect(lines).toEqual([join(process.cwd(), "photos/a.png"), "s3://bucket/key.jpg", "https://example.org/a.jpg"]);
    const piped = await all(pictureNames("-", { input: Readable.from(["/a.jpg\n/b", ".jpg\n"]) }));
    expect(piped).toEqual(["/a.jpg", "/b.jpg"]);
    expect(await all(pictureNames("s3://bucket/a/b.jpg"))).toEqual(["s3://bucket/a/b.jpg"]);
  });

  test("of what is not there are none", async () => {
    await expect(all(pictureNames(join(folder, "nothing")))).rejects.toThrow("cannot be read");
  });
});

describe("why a picture has no score", () => {
  test.each([
    [new PictureError("a", "truncated", "Its end is missing."), "content", "truncated"],
    [new PictureError("a", "missing", "There is none."), "picture", "missing"],
    [new PictureError("a", "unreadable", "The disk fails."), "passing", "unreadable"],
    [new Problem(422, "url-refused", "No."), "picture", "url-refused"],
    [
      new Problem(422, "url-failed", "Its server answers with status 404.", { cause: { status: 404 } }),
      "picture",
      "url-failed",
    ],
    [
      new Problem(422, "url-failed", "Its server answers with status 429.", { cause: { status: 429 } }),
      "passing",
      "url-failed",
    ],
    [new Problem(422, "url-failed", "It broke off."), "passing", "url-failed"],
    [new Error("redis://a:bcde@c failed\nat x"), "passing", "failed"],
  ] as const)("%#", (error, kind, reason) => {
    expect(failureOf(error)).toMatchObject({ kind, reason });
    expect(failureOf(error).error).not.toContain("bcde");
  });
});

describe("order", () => {
  test("work that is to be alone is, and all of it is done", async () => {
    const gate = new Gate();
    let [inside, most, aloneBeside] = [0, 0, 0];
    const work = (alone: boolean) => async () => {
      inside++;
      if (alone) aloneBeside = Math.max(aloneBeside, inside);
      most = Math.max(most, inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside--;
    };
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 5 === 2 ? gate.alone(work(true)) : gate.together(work(false)))),
    );
    expect([inside, aloneBeside]).toEqual([0, 1]);
    expect(most).toBeGreaterThan(1);
    await expect(gate.alone(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await gate.together(work(false));
  });

  test("no more bytes are held than may be", async () => {
    const budget = new Budget(100);
    const first = await budget.take(70);
    let second: Disposable | undefined;
    const waiting = budget.take(60).then((taken) => (second = taken));
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect([second, budget.held]).toEqual([undefined, 70]);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    await waiting;
    expect(budget.held).toBe(60);
    second![Symbol.dispose]();
    using all = await budget.take(1e9);
    void all;
    expect(budget.held).toBe(100);
  });
});

describe.skipIf(withoutRedis !== undefined)(`a queue in Redis${withoutRedis ? ` (${withoutRedis})` : ""}`, () => {
  let redis: Server;
  beforeAll(async () => {
    redis = await startRedis(join(folder, "redis"));
  });
  afterAll(() => redis?.[Symbol.asyncDispose]());

  const names = Array.from({ length: 2000 }, (_, i) => `/mnt/photos/DSC_${i}.jpg`);

  test("takes pictures once, however often they are sent", async () => {
    await using queue = await openQueue(redis.url, { name: "once" });
    expect(await queue.add(names)).toEqual({ pictures: 2000, waited: 0 });
    const status = await queue.status();
    expect(status).toMatchObject({ pictures: 2000, active: 0, delayed: 0, dead: 0, workers: 0 });
    expect(status.waiting).toBeGreaterThan(2000 / mostChunk - 1);
    expect(await queue.add(names)).toEqual({ pictures: 2000, waited: 2000 });
    const more = await queue.add([...names.slice(0, 500), "/mnt/photos/new.jpg", ...names.slice(500)]);
    expect(more.pictures - more.waited).toBeLessThanOrEqual(3 * mostChunk);
    expect((await queue.status()).oldestSeconds).toBeGreaterThan(0);
  });

  test("stops sending where it is asked to, and sends no more than may wait", async () => {
    await using queue = await openQueue(redis.url, { name: "stopped" });
    const stop = new AbortController();
    const endless = (function* () {
      for (let i = 0; ; i++) yield `/a/${i}.jpg`;
    })();
    const sending = queue.add(endless, { signal: stop.signal, mostWaiting: 10_000 });
    setTimeout(() => stop.abort(new Error("enough")), 1500);
    await expect(sending).rejects.toThrow("enough");
    const { pictures } = await queue.status();
    expect(pictures).toBeGreaterThan(5000);
    expect(pictures).toBeLessThan(25_000);
  });

  test("of another version is left alone", async () => {
    await using first = await openQueue(redis.url, { name: "versions" });
    await first.connection.redis.set("acutance:versions:version", "7");
    await expect(openQueue(redis.url, { name: "versions" })).rejects.toThrow(
      'the queue "versions" at redis://127.0.0.1:' + `${redis.port} is of version "7", this Acutance knows version 1`,
    );
    await expect(openQueue(redis.url, { name: "a:b" })).rejects.toThrow("cannot be called");
  });

  test("that refuses us, or is none, is told without credentials", async () => {
    await using guarded = await startRedis(join(folder, "guarded"), [], "open-sesame");
    await using opened = await openQueue(guarded.url);
    expect(await opened.status()).toMatchObject({ pictures: 0 });
    const wrong = (url: string) => openQueue(url).then(String, (error: Error & { advice: string }) => error);
    const bare = `redis://127.0.0.1:${guarded.port}`;
    expect(await wrong(bare)).toMatchObject({ message: `the queue at ${bare} asks for a password` });
    const told = (await wrong(`redis://:hunter22@127.0.0.1:${guarded.port}`)) as Error & { advice: string };
    expect(told.message).toBe(`the queue at ${bare} refuses the name or password`);
    expect(JSON.stringify([told.message, told.advice])).not.toContain("hunter22");
    expect(String(await wrong("redis//:hunter22@x"))).toMatch(/no address of a Redis/);
    expect(String(await wrong("http://u:hunter22@x"))).not.toContain("hunter22");
  });

  test("that is away is waited for, or said to be", async () => {
    const port = await freePort();
    await expect(openQueue(`redis://127.0.0.1:${port}`, { waits: false })).rejects.toThrow("no Redis answers");
    const stop = new AbortController();
    const notes: string[] = [];
    const waiting = openQueue(`redis://127.0.0.1:${port}`, { signal: stop.signal, onNote: (note) => notes.push(note) });
    setTimeout(() => stop.abort(new Error("given up")), 400);
    await expect(waiting).rejects.toThrow("given up");
    expect(notes).toEqual([`the Redis at redis://127.0.0.1:${port} is away (nothing listens there): waiting for it`]);
  });

  test("in a Redis that is full loses nothing, and can be sent again", async () => {
    await using small = await startRedis(join(folder, "small"), ["--maxmemory", "3mb"]);
    await using queue = await openQueue(small.url);
    const many = Array.from({ length: 200_000 }, (_, i) => `/mnt/photos/a/long/way/to/DSC_${i}_${"x".repeat(40)}.jpg`);
    const failure = (await queue.add(many).then(String, (error) => error)) as Error & { advice: string };
    expect(failure.message).toContain("has no memory left");
    expect(failure.advice).toContain("run the same command again");
    const before = (await queue.status()).waiting;
    expect(before).toBeGreaterThan(0);
    await queue.connection.redis.config("SET", "maxmemory", "100mb");
    const again = await queue.add(many);
    expect(again.waited).toBeGreaterThan(0);
    const { waiting } = await queue.status();
    expect(waiting).toBe((await all(chunksOf(many))).length);
  });
});
