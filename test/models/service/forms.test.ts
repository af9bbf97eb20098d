import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Hono } from "hono";
import { answerSchema, type LogEntry, openService, type Service } from "../../../models/service/index.ts";
import type { LimitsInput } from "../../../models/service/options.ts";
import { sharedDevice } from "../../engine/device.ts";
import { knownScores } from "../scoring/fixtures.ts";
import { figure, inPieces, post, problem, promptly } from "./requests.ts";

let folder = "";
let model = "";
let pictures: Uint8Array<ArrayBuffer>[] = [];
let expected: number[] = [];
let service: Service;
const log: LogEntry[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-forms-"));
  ({ model, pictures, expected } = await knownScores(folder, 3));
  service = await open();
});

afterAll(async () => {
  await service.close();
  await rm(folder, { recursive: true, force: true });
});

async function open(limits: LimitsInput = {}): Promise<Service> {
  const models = [{ model, device: await sharedDevice() }];
  return openService({ models, limits, log: (entry) => void log.push(entry) });
}

/** A form of text (a character for each byte) and pictures. */
function raw(pieces: readonly (string | Uint8Array)[], type = "multipart/form-data; boundary=XX"): Request {
  const body = Buffer.concat(pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece, "latin1") : piece)));
  return post("/v1/score", new Uint8Array(body), { "content-type": type });
}

const part = (disposition: string, type = "image/png") =>
  `--XX\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: ${type}\r\n\r\n`;

async function rows(request: Request) {
  const response = await service.fetch(request);
  expect(response.status).toBe(200);
  return answerSchema
    .parse(await response.json())
    .pictures.map((row) => ({ name: row.name, score: "score" in row ? row.score : row.error.code }));
}

describe("a form", () => {
  test("may have a preamble, an epilogue and names of every kind", async () => {
    const first = part('name="a"; filename="\xe4rger.png"');
    const second = part('name="b"; filename="x"; filename*=UTF-8\'\'%e2%82%ac.png');
    const third = part('name="c"; filename="folder\\%22c%22.png"');
    const body = [first, pictures[0]!, "\r\n", second, pictures[1]!, "\r\n", third, pictures[2]!, "\r\n--XX--\r\nbye"];
    for (const preamble of ["", "\r\n", "\r\n\r\n", "This is a multi-part message in MIME format.\r\n"]) {
      expect(await rows(raw([preamble, ...body]))).toEqual([
        { name: "ärger.png", score: expected[0]! },
        { name: "€.png", score: expected[1]! },
        { name: 'folder\\"c".png', score: expected[2]! },
      ]);
    }
  });

  test("may have fields left empty, and files that only their type shows", async () => {
    const empty = `${part('name="a"; filename=""', "application/octet-stream")}\r\n`;
    const body = [
      empty,
      part('name="b"'),
      pictures[0]!,
      "\r\n",
      part('name="c"; filename=""'),
      pictures[1]!,
      "\r\n--XX--",
    ];
    expect(await rows(raw(body))).toEqual([
      { name: "0", score: expected[0]! },
      { name: "1", score: expected[1]! },
    ]);
    expect(await problem(await service.fetch(raw([empty, "--XX--"])))).toMatchObject({
      status: 422,
      code: "no-picture",
    });
  });

  test("is refused with the reason: boundaries, headers, no end", async () => {
    const long = `multipart/form-data; boundary=${"b".repeat(254)}`;
    const cases: [Request, string][] = [
      [raw(["x".repeat(1000)], long), "Its boundary has 254 characters; at most 70 are allowed."],
      [raw(["--XX--"], "multipart/form-data"), "names no boundary"],
      [raw([`--XX\r\n${"a".repeat(20_000)}`]), "more than 16384 bytes"],
      [raw([part('name="a"; filename="a"'), pictures[0]!]), "last boundary is missing"],
      [raw(["--XX is no boundary\r\n"]), "does not end its line"],
    ];
    for (const [request, reason] of cases) {
      const document = await problem(await service.fetch(request));
      expect(document).toMatchObject({ status: 400, code: "broken-form" });
      expect(document.detail).toContain(reason);
    }
    expect(await figure(service, "acutance_queue_pictures")).toBe(0);
    expect(await figure(service, "acutance_held_bytes")).toBe(0);
  });
});

test("a picture is known by its bytes where its type says nothing", async () => {
  const generic = [
    "image/jpg",
    "image/x-unknown",
    "application/octet-stream",
    "binary/octet-stream",
    "application/x-www-form-urlencoded",
    "application/unknown",
    "*/*",
    "nonsense",
  ];
  const headers: Record<string, string>[] = [{}, ...generic.map((type) => ({ "content-type": type }))];
  for (const each of headers) {
    const response = await service.fetch(post("/v1/score", pictures[0]!, each));
    expect({ ...each, status: response.status }).toEqual({ ...each, status: 200 });
    const words = await problem(
      await service.fetch(post("/v1/score", "only words", { "content-type": "a/b", ...each })),
    );
    expect(words).toMatchObject({ status: 415, code: "not-a-picture" });
  }
  for (const type of [
    "text/plain",
    "application/json",
    "application/ld+json",
    "video/mp4",
    "multipart/mixed; boundary=x",
  ]) {
    const refused = await service.fetch(post("/v1/score", pictures[0]!, { "content-type": type }));
    expect(await problem(refused)).toMatchObject({ status: 415, code: "media-type", detail: `The body is ${type}.` });
  }
});

test("a body that the host has read is its fault, and the log says so", async () => {
  const host = new Hono();
  host.use("*", async ({ req }, next) => {
    if (req.query("read") === "whole") await req.raw.arrayBuffer();
    if (req.query("read") === "copy") await req.raw.clone().arrayBuffer();
    await next();
  });
  host.mount("/quality", service.fetch, {
    // What Bun makes of a request whose body was read; others refuse to make a request of it.
    replaceRequest: (request) => {
      const url = request.url.replace("/quality", "");
      if (!request.bodyUsed) return new Request(url, request);
      const { method, headers } = request;
      return new Request(url, { method, headers, body: new Uint8Array(0) });
    },
  });
  for (const [type, body] of [
    ["image/png", pictures[0]!],
    ["multipart/form-data; boundary=XX", new TextEncoder().encode("--XX--")],
  ] as const) {
    for (const headers of [{}, { "content-length": String(body.length) }] as Record<string, string>[]) {
      log.length = 0;
      const init = { method: "POST", body, headers: { "content-type": type, ...headers } };
      const response = await host.request("/quality/v1/score?read=whole", init);
      expect(await problem(response)).toMatchObject({ status: 500, code: "body-read" });
      const [failure] = log.filter(({ event }) => event === "failure");
      expect(failure!["message"]).toContain("The body was read before it reached the service");
    }
  }
  const init = { method: "POST", body: pictures[0]!, headers: { "content-type": "image/png" } };
  const copied = await host.request("/quality/v1/score?read=copy", init);
  expect(answerSchema.parse(await copied.json()).pictures).toMatchObject([{ score: expected[0] }]);
  // Whoever has the request still sees that it was used.
  const used = post("/v1/score", pictures[0]!);
  await used.arrayBuffer();
  expect(await problem(await service.fetch(used))).toMatchObject({ status: 500, code: "body-read" });
  const empty = await service.fetch(post("/v1/score", new Uint8Array(0)));
  expect(await problem(empty)).toMatchObject({ status: 422, code: "empty" });
  const told = { "content-type": "image/png", "content-length": "0" };
  const sent = await host.request("/quality/v1/score", { method: "POST", body: new Uint8Array(0), headers: told });
  expect(await problem(sent)).toMatchObject({ status: 422, code: "empty" });
});

describe("bodies that do not come", () => {
  const idle = (announced: number) =>
    post("/v1/score", new ReadableStream({}), { "content-type": "image/png", "content-length": String(announced) });

  test("hold none of the bytes that they announce", async () => {
    await using own = await open({ maxHeldBytes: 100_000, maxBodyBytes: 100_000 });
    const waiting = Array.from({ length: 16 }, () => own.fetch(idle(99_999)));
    await sleep(10);
    expect(await figure(own, "acutance_held_bytes")).toBe(0);
    for (const picture of pictures) expect((await own.fetch(post("/v1/score", picture))).status).toBe(200);
    const statuses = await Promise.all(waiting.map(async (each) => (await each).status));
    expect(statuses).toEqual(Array(16).fill(408));
  });

  test("give their places and bytes to those that do, the oldest first, once they are a second old", async () => {
    await using own = await open({ maxQueue: 4, maxHeldBytes: 20_000, bodySeconds: 4 });
    // Warm, so that the first second is not spent on decoders that start.
    await own.fetch(post("/v1/score", pictures[0]!));
    const stalled = await promptly(900, async () => {
      const half = inPieces([new Uint8Array(16_000), new Promise<Uint8Array>(() => {})]).body;
      const waiting = [own.fetch(post("/v1/score", half)), ...[1, 2, 3].map(() => own.fetch(idle(1000)))];
      await sleep(20);
      expect((await own.fetch(post("/v1/score", pictures[0]!))).status).toBe(429);
      return waiting;
    });
    await sleep(1100);
    const start = performance.now();
    for (let i = 0; i < 5; i++) expect((await own.fetch(post("/v1/score", pictures[0]!))).status).toBe(200);
    const first = await problem(await stalled[0]!);
    expect(first).toMatchObject({ status: 408, code: "slow-body" });
    expect(first.detail).toContain("others were there sooner");
    expect(performance.now() - start).toBeLessThan(3000);
    const statuses = await Promise.all(stalled.map(async (each) => (await each).status));
    expect(statuses).toEqual([408, 408, 408, 408]);
    expect(await figure(own, "acutance_held_bytes")).toBe(0);
  });

  test("must come with a minimum rate", async () => {
    await using own = await open({ minBodyRate: 2000, bodySeconds: 60 });
    const start = performance.now();
    const drops = new ReadableStream({
      pull: async (controller) => {
        await sleep(100);
        controller.enqueue(new Uint8Array(10));
      },
    });
    const document = await problem(await own.fetch(post("/v1/score", drops)));
    expect(document).toMatchObject({ status: 408, code: "slow-body" });
    expect(document.detail).toContain("less than 2000 bytes a second");
    expect(performance.now() - start).toBeLessThan(12_000);
  });

  test("of one client leave as much for others", async () => {
    await using own = await open({ maxQueue: 8, bodySeconds: 3 });
    const mine = Array.from({ length: 6 }, () => own.answer(idle(1000), { client: "a" }));
    await sleep(10);
    expect(await figure(own, "acutance_queue_pictures")).toBe(4);
    const score = (client: string) => own.answer(post("/v1/score", pictures[0]!), { client });
    const refused = await problem(await score("a"));
    expect(refused).toMatchObject({ status: 429, code: "queue-full" });
    expect(refused.detail).toContain("4 pictures of this client wait");
    expect((await Promise.all(["b", "c", "d"].map(score))).map(({ status }) => status)).toEqual([200, 200, 200]);
    const statuses = await Promise.all(mine.map(async (each) => (await each).status));
    expect(statuses.sort()).toEqual([408, 408, 408, 408, 429, 429]);
    expect((await score("a")).status).toBe(200);
  });
});
