import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../../../engine/random.ts";
import {
  answerSchema,
  failureSchema,
  type LogEntry,
  openService,
  type Service,
  type ServiceOptions,
  scoreSchema,
} from "../../../models/service/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { collectGarbage } from "../../engine/garbage.ts";
import { mutations } from "../../engine/weights/fuzz.ts";
import { badPictures, knownScores } from "../scoring/fixtures.ts";
import { figure, form, formBytes, inPieces, post, problem } from "./requests.ts";

let folder = "";
let model = "";
let pictures: Uint8Array<ArrayBuffer>[] = [];
let expected: number[] = [];
let service: Service;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-stream-"));
  ({ model, pictures, expected } = await knownScores(folder, 12));
  service = await open();
});

afterAll(async () => {
  await service.close();
  await rm(folder, { recursive: true, force: true });
});

async function open(options: Partial<ServiceOptions> = {}): Promise<Service> {
  return openService({ models: [{ model, device: await sharedDevice() }], ...options });
}

const stream = (body: ReadableStream | Uint8Array<ArrayBuffer>, type: string) =>
  post("/v1/score/stream", body, { "content-type": type });

/** The lines of an answer, as they come. */
async function* lines(response: Response): AsyncGenerator<Record<string, unknown>> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    for (const part of parts) yield JSON.parse(part);
  }
  expect(rest).toBe("");
}

async function allLines(response: Response) {
  const found: Record<string, unknown>[] = [];
  for await (const line of lines(response)) found.push(line);
  return found;
}

const emptied = async (from: Service) => {
  for (let i = 0; i < 200 && (await figure(from, "acutance_queue_pictures")) > 0; i++) await sleep(5);
  expect(await figure(from, "acutance_queue_pictures")).toBe(0);
  expect(await figure(from, "acutance_held_bytes")).toBe(0);
};

describe("a body that is on its way", () => {
  test("the first lines come before its last picture", async () => {
    const { type, bytes } = await formBytes(pictures);
    const gate = Promise.withResolvers<Uint8Array>();
    // The last picture's end is missing until three lines have come.
    const cut = bytes.length - 200;
    const { body } = inPieces([bytes.subarray(0, cut), gate.promise]);
    const response = await service.fetch(stream(body, type));
    expect(response.status).toBe(200);
    const seen: number[] = [];
    for await (const line of lines(response)) {
      seen.push(scoreSchema.parse(line).score);
      if (seen.length === 3) gate.resolve(bytes.subarray(cut));
    }
    expect(seen).toEqual(expected);
  });

  test("its pictures do not depend on how it is cut into pieces, and what follows its end is ignored", async () => {
    const { type, bytes } = await formBytes(pictures.slice(0, 5));
    const random = new Random(3, "pieces");
    for (const most of [1, 3, 40, 700, 5000]) {
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; ) {
        const length = 1 + random.integer(most);
        pieces.push(bytes.subarray(at, at + length));
        at += length;
      }
      pieces.push(new TextEncoder().encode("\r\nthe epilogue"));
      const response = await service.fetch(stream(inPieces(pieces).body, type));
      const found = (await allLines(response)).map((line) => scoreSchema.parse(line));
      expect(found.map(({ score }) => score)).toEqual(expected.slice(0, 5));
      expect(found.map(({ name }) => name)).toEqual(["0.image", "1.image", "2.image", "3.image", "4.image"]);
    }
    await emptied(service);
  });

  test("is read no further than its pictures are wanted, whatever its length", async () => {
    const devices = { model, device: await sharedDevice(), batch: 2, decoders: 2 };
    const limits = { maxHeldBytes: 60_000, maxBodyBytes: 50_000_000, maxPictures: 1_000_000 };
    await using narrow = await open({ models: [devices], limits });
    const boundary = "x".repeat(20);
    const given: WeakRef<object>[] = [];
    function* endless() {
      for (let i = 0; ; i++) {
        const head = `--${boundary}\r\ncontent-disposition: form-data; name="a"; filename="${i}"\r\n\r\n`;
        const piece = Buffer.concat([Buffer.from(head), pictures[i % 12]!, Buffer.from("\r\n")]);
        given.push(new WeakRef(piece));
        yield piece;
      }
    }
    const { body, asked } = inPieces(endless());
    const response = await narrow.fetch(stream(body, `multipart/form-data; boundary=${boundary}`));
    const reader = response.body!.getReader();
    await reader.read();
    await sleep(100);
    // Two batches at the adapter and one that gathers, with what is being decoded, and what the streams between hold.
    const ahead = 3 * 2 + 2;
    expect(asked.pieces).toBeLessThanOrEqual(ahead + 6);
    for (let i = 0; i < 120; i++) await reader.read();
    expect(asked.pieces).toBeGreaterThan(120);
    await sleep(0);
    await collectGarbage();
    expect(given.filter((piece) => piece.deref()).length).toBeLessThan(60);
    expect(await figure(narrow, "acutance_held_bytes")).toBeLessThan(60_000);
    await reader.cancel();
    await emptied(narrow);
    expect(asked.cancelled).toBe(true);
  });

  test("that becomes too long or too many ends in a line that says so, after those before it", async () => {
    const { type, bytes } = await formBytes(pictures);
    const third = bytes.length / 3;
    await using short = await open({ limits: { maxBodyBytes: Math.ceil(2 * third) } });
    await using few = await open({ limits: { maxPictures: 7 } });
    for (const [strict, code] of [
      [short, "body-too-long"],
      [few, "too-many-pictures"],
    ] as const) {
      const pieces = () =>
        inPieces([bytes.subarray(0, third), bytes.subarray(third, 2 * third), bytes.subarray(2 * third)]);
      const found = await allLines(await strict.fetch(stream(pieces().body, type)));
      const last = failureSchema.parse(found.pop());
      expect(last).toMatchObject({ index: found.length, name: "(body)", ends: true, error: { status: 413, code } });
      expect(found.length).toBeGreaterThan(3);
      expect(found.map((line) => scoreSchema.parse(line).score)).toEqual(expected.slice(0, found.length));
      // All at once: nothing was answered yet, so the status can say it.
      const whole = await strict.fetch(post("/v1/score", pieces().body, { "content-type": type }));
      expect(await problem(whole)).toMatchObject({ status: 413, code });
      await emptied(strict);
    }
  });

  test("that is refused before its first picture is answered with the problem", async () => {
    const strict = { limits: { maxBodyBytes: 3000, bodySeconds: 0.1 } };
    await using own = await open(strict);
    const type = "multipart/form-data; boundary=x";
    const cases: [Request, number, string][] = [
      [stream(new Uint8Array(4000), "image/png"), 413, "body-too-long"],
      [stream(new TextEncoder().encode("--y\r\n"), type), 400, "broken-form"],
      [stream(new TextEncoder().encode("--x--"), type), 422, "no-picture"],
      [stream(new TextEncoder().encode("--x--"), "multipart/form-data"), 400, "broken-form"],
      [stream(new ReadableStream({}), type), 408, "slow-body"],
      [stream(new TextEncoder().encode("only words"), "image/png"), 415, "not-a-picture"],
    ];
    for (const [request, status, code] of cases) {
      expect(await problem(await own.fetch(request))).toMatchObject({ status, code });
    }
    await emptied(own);
  });

  test("whose client stalls or goes away ends, and holds nothing any more", async () => {
    await using hasty = await open({ limits: { bodySeconds: 0.2 } });
    const { type, bytes } = await formBytes(pictures);
    const half = bytes.subarray(0, bytes.length / 2);
    const stalled = await allLines(
      await hasty.fetch(stream(inPieces([half, new Promise<Uint8Array>(() => {})]).body, type)),
    );
    expect(stalled.length).toBeGreaterThan(3);
    expect(stalled.pop()).toMatchObject({ name: "(body)", error: { status: 408, code: "slow-body" } });
    await emptied(hasty);

    const gone = new AbortController();
    const { body } = inPieces([half, new Promise<Uint8Array>(() => {})]);
    const request = new Request("http://localhost/v1/score/stream", {
      ...{ method: "POST", body, headers: { "content-type": type }, signal: gone.signal, duplex: "half" },
    } as RequestInit);
    const walk = lines(await service.fetch(request));
    expect((await walk.next()).value).toMatchObject({ score: expected[0]! });
    gone.abort();
    await emptied(service);
  });

  test("whose client does not read its answer is given up, so that a shutdown ends", async () => {
    const log: LogEntry[] = [];
    const own = await open({ limits: { bodySeconds: 0.2 }, log: (entry) => log.push(entry) });
    await (await own.fetch(form(pictures, "/v1/score/stream"))).text();
    const response = await own.fetch(form(pictures, "/v1/score/stream"));
    expect(response.status).toBe(200);
    expect(own.active).toBeGreaterThan(0);
    await own.close();
    expect(own.active).toBe(0);
    await expect(response.text()).rejects.toThrow("nobody has read on");
    expect(log.map(({ level, status, cut }) => ({ level, status, cut }))).toEqual([
      { level: "info", status: 200, cut: undefined },
      { level: "warn", status: 200, cut: true },
    ]);
  });
});

test("requests with more pictures than the queue has places share them, and others are told to wait", async () => {
  await using narrow = await open({ limits: { maxQueue: 3 } });
  const { type, bytes } = await formBytes(pictures);
  const gate = Promise.withResolvers<Uint8Array>();
  const cut = bytes.length - 200;
  const open_ = narrow.fetch(stream(inPieces([bytes.subarray(0, cut), gate.promise]).body, type));
  const response = await open_;
  // Its pictures but the last one give their places back; before, there may be none for others.
  for (let i = 0; i < 2000 && (await figure(narrow, "acutance_queue_pictures")) > 1; i++) await sleep(10);
  const counts = await Promise.all(Array.from({ length: 12 }, () => narrow.fetch(form(pictures))));
  const statuses = counts.map(({ status }) => status).sort();
  expect(statuses[0]).toBe(200);
  expect(statuses.at(-1)).toBe(429);
  gate.resolve(bytes.subarray(cut));
  expect((await allLines(response)).map(({ score }) => score)).toEqual(expected);
  for (const each of counts.filter(({ status }) => status === 200)) {
    const rows = answerSchema.parse(await each.json()).pictures;
    expect(rows.map((row) => "score" in row && row.score)).toEqual(expected);
  }
  await emptied(narrow);
});

test("bad pictures among others are lines with their problems", async () => {
  const bad = Object.values(await badPictures());
  const files = [pictures[3]!, ...bad.map(({ bytes }) => bytes as Uint8Array<ArrayBuffer>), pictures[4]!];
  const found = await allLines(await service.fetch(form(files, "/v1/score/stream")));
  expect(found.shift()).toMatchObject({ score: expected[3]! });
  expect(found.pop()).toMatchObject({ score: expected[4]! });
  expect(found.map((line) => failureSchema.parse(line).error.code)).toEqual(bad.map(({ reason }) => reason));
});

test("200 damaged forms are scored or refused, and nothing of them stays", async () => {
  const failures: unknown[] = [];
  await using own = await open({ log: (entry) => void (entry.level === "error" && failures.push(entry)) });
  const { type, bytes } = await formBytes(pictures.slice(0, 3));
  const names = Object.keys(mutations);
  const statuses = new Set<number>();
  for (let seed = 0; seed < 200; seed++) {
    const random = new Random(seed, "forms");
    const damaged = mutations[names[seed % names.length]!]!(bytes, random, [bytes]) as Uint8Array<ArrayBuffer>;
    const path = seed % 2 ? "/v1/score" : "/v1/score/stream";
    const response = await own.fetch(post(path, damaged, { "content-type": type }));
    statuses.add(response.status);
    if (response.status === 200) await response.text();
    else expect([400, 413, 422]).toContain((await problem(response)).status);
  }
  expect(failures).toEqual([]);
  expect([...statuses]).toContain(200);
  expect(statuses.size).toBeGreaterThan(1);
  await emptied(own);
});
