import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import sharp from "sharp";
import { openScorer } from "../../models/scoring/scorer.ts";
import { answerSchema, modelsSchema, problemSchema } from "../../models/service/index.ts";
import { sharedDevice } from "../engine/device.ts";
import { knownScores, smallModel } from "../models/scoring/fixtures.ts";
import { figure, formBytes } from "../models/service/requests.ts";
import { type Runtime, runtimesHere } from "../runtime/runtimes.ts";
import { type Serving, startServing } from "./serving.ts";

const main = new URL("../../cli/main.ts", import.meta.url).pathname;
const runtimes = runtimesHere("Bun", "Node");

let folder = "";
let model = "";
let pictures: Uint8Array<ArrayBuffer>[] = [];
let expected: number[] = [];
const running: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-serve-"));
  await writeFile(join(folder, "token"), "open sesame\n");
  ({ model, pictures, expected } = await knownScores(folder, 12));
});

afterAll(async () => {
  for (const child of running) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

async function serve({ command, run }: Pick<Runtime, "command" | "run">, ...words: string[]) {
  const serving = await startServing([...command, ...run], ["--model", model, ...words]);
  running.push(serving.child);
  return serving;
}

async function ended({ pid, exit }: Serving): Promise<void> {
  process.kill(pid, "SIGTERM");
  expect(await exit).toBe(0);
}

function post(url: string, body: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/v1/score`, { method: "POST", body, headers: { "content-type": "image/png", ...headers } });
}

async function scoreIn(response: Response): Promise<unknown> {
  const [row] = answerSchema.parse(await response.json()).pictures;
  return "score" in row! && row.score;
}

describe.each(runtimes)("under $name", (runtime) => {
  test("32 clients get the scores of their own pictures; SIGTERM under load answers all that was accepted", async () => {
    const service = await serve(runtime, "--batch", "4");
    const calls = Array.from({ length: 96 }, (_, i) => post(service.url, pictures[(i * 7) % 12]!));
    const first = await Promise.all(calls.slice(0, 32).map(async (call) => scoreIn(await call)));
    expect(first).toEqual(Array.from({ length: 32 }, (_, i) => expected[(i * 7) % 12]!));
    process.kill(service.pid, "SIGTERM");
    const rest = await Promise.allSettled(calls.slice(32));
    expect(await service.exit).toBe(0);
    const answered = service.lines.filter(({ event }) => event === "request");
    const statuses = await Promise.all(
      rest.map(async (call, i) => {
        // A connection that the process had not taken when it stopped listening is refused, and the client knows.
        if (call.status === "rejected") return "refused";
        if (call.value.status === 200) expect(await scoreIn(call.value)).toBe(expected[((i + 32) * 7) % 12]!);
        return call.value.status;
      }),
    );
    expect(statuses.filter((status) => status !== "refused")).toHaveLength(answered.length - 32);
    expect(statuses.every((status) => status === 200 || status === 503 || status === "refused")).toBe(true);
    expect(service.lines.at(-1)!.event).toBe("stopped");
  });

  test("a body that comes drop by drop is ended, and others are answered meanwhile", async () => {
    const service = await serve(runtime, "--body-seconds", "1", "--token-file", join(folder, "token"));
    const authorization = "Bearer open sesame";
    const { hostname, port } = new URL(service.url);
    const socket = connect(Number(port), hostname);
    const head = `POST /v1/score HTTP/1.1\r\nhost: localhost\r\nauthorization: ${authorization}\r\ncontent-type: image/png\r\ncontent-length: 5000\r\n\r\n`;
    socket.write(head);
    const dripping = setInterval(() => socket.write("x"), 100);
    socket.on("error", () => {}); // writing goes on until the other side has ended
    let answer = "";
    socket.on("data", (data) => (answer += data));
    const closed = once(socket, "close");
    expect(await scoreIn(await post(service.url, pictures[0]!, { authorization }))).toBe(expected[0]);
    await closed;
    clearInterval(dripping);
    expect(answer).toStartWith("HTTP/1.1 408");
    const refused = await post(service.url, pictures[0]!);
    expect(problemSchema.parse(await refused.json())).toMatchObject({ status: 401 });
    await ended(service);
  });
});

describe.each(runtimes)("a body under $name", (runtime) => {
  let service: Serving;

  beforeAll(async () => {
    service = await serve(runtime, "--max-body", "1GiB", "--max-pictures", "100000", "--batch", "2");
  });
  afterAll(() => ended(service));

  const figureOf = (name: string) =>
    figure({ fetch: ({ url }) => fetch(url.replace("http://localhost", service.url)) }, name);

  test("that is announced too long is refused before any of it is sent", async () => {
    const { hostname, port } = new URL(service.url);
    for (const length of [2 ** 30 + 1, 3 * 2 ** 30, 2 ** 50]) {
      const socket = connect(Number(port), hostname);
      let answer = "";
      socket.on("data", (data) => (answer += data));
      const head = `POST /v1/score HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\ncontent-length: ${length}\r\n\r\n`;
      socket.write(head);
      await once(socket, "close");
      expect(answer).toStartWith("HTTP/1.1 413");
      expect(answer).toContain('"code":"body-too-long"');
    }
  });

  test("waits at the client while its pictures are scored, and holds nothing once the client is gone", async () => {
    const noise = randomBytes(800 * 800 * 3);
    const raw = { width: 800, height: 800, channels: 3 } as const;
    const large = await sharp(noise, { raw }).png({ compressionLevel: 0 }).toBuffer();
    const { hostname, port } = new URL(service.url);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {});
    let scored = 0;
    const enough = Promise.withResolvers<void>();
    socket.on("data", (data) => {
      scored += data.toString("latin1").split('"score":').length - 1;
      if (scored >= 24) enough.resolve();
    });
    const head =
      "POST /v1/score/stream HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=x\r\n";
    socket.write(`${head}content-length: ${2 ** 30}\r\n\r\n`);
    let sent = 0;
    const more = () => {
      while (socket.writable) {
        const part = `--x\r\ncontent-disposition: form-data; name="a"; filename="${sent++}"\r\n\r\n`;
        if (!socket.write(Buffer.concat([Buffer.from(part), large, Buffer.from("\r\n")]))) break;
      }
    };
    socket.on("drain", more);
    more();
    await enough.promise;
    // Pictures that may be on their way through the network, and some megabytes in buffers of the system.
    expect(sent - scored).toBeLessThan(3 * 2 + 4 + 16);
    socket.destroy();
    for (let i = 0; i < 200 && (await figureOf("acutance_queue_pictures")) > 0; i++) await sleep(10);
    expect(await figureOf("acutance_queue_pictures")).toBe(0);
    expect(await figureOf("acutance_held_bytes")).toBe(0);
  });
});

describe.each(runtimes)("a stream under $name", (runtime) => {
  test("its first line comes before the last picture is sent; two models share a device", async () => {
    const other = await smallModel(folder, "other", { levels: 10 });
    const service = await serve(runtime, other);
    const { models } = (await (await fetch(`${service.url}/v1/models`)).json()) as { models: { name: string }[] };
    expect(models.map(({ name }) => name)).toEqual(["small", "other"]);
    const { type, bytes } = await formBytes(pictures);
    const cut = bytes.length - 100;
    const { hostname, port } = new URL(service.url);
    const socket = connect(Number(port), hostname);
    const first = Promise.withResolvers<void>();
    let answer = "";
    socket.on("data", (data) => {
      answer += data;
      if (answer.includes('"index":0')) first.resolve();
    });
    const closed = once(socket, "close");
    const head = [
      "POST /v1/score/stream?model=small HTTP/1.1",
      "host: localhost",
      `content-type: ${type}`,
      `content-length: ${bytes.length}`,
      "connection: close",
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n`);
    socket.write(bytes.subarray(0, cut));
    await first.promise;
    socket.write(bytes.subarray(cut));
    await closed;
    const scores = [...answer.matchAll(/"score":([\d.]+)/g)].map(([, score]) => Number(score));
    expect(scores).toEqual(expected);
  });

  test("a body that becomes too long ends it with a line, and the process goes on until its parent ends", async () => {
    const { type, bytes } = await formBytes([...pictures, ...pictures]);
    const service = await serve(runtime, "--max-body", String(Math.ceil(0.7 * bytes.length)));
    const { hostname, port } = new URL(service.url);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {});
    let answer = "";
    const last = Promise.withResolvers<void>();
    socket.on("data", (data) => {
      answer += data;
      if (answer.includes("body-too-long")) last.resolve();
    });
    const head = `POST /v1/score/stream HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${type}\r\ntransfer-encoding: chunked\r\n\r\n`;
    socket.write(head);
    for (let at = 0; at < bytes.length; at += 1000) {
      const piece = bytes.subarray(at, at + 1000);
      socket.write(`${piece.length.toString(16)}\r\n`);
      socket.write(piece);
      socket.write("\r\n");
      await sleep(2);
    }
    await last.promise;
    expect(answer).toStartWith("HTTP/1.1 200");
    expect(answer).toContain(`"score":${expected[0]}`);
    socket.destroy();
    expect(await scoreIn(await post(service.url, pictures[0]!))).toBe(expected[0]);
    // What is left when a test is killed: nothing, since a pipe of the process that started it is closed then.
    service.child.stdin!.destroy();
    await service.exit;
    expect(() => process.kill(service.pid, 0)).toThrow("ESRCH");
  });

  test("clients that stop in the middle of a request or an answer do not hold up the end", async () => {
    const service = await serve(runtime, "--body-seconds", "1");
    const { hostname, port } = new URL(service.url);
    const half = connect(Number(port), hostname);
    half.write("POST /v1/score HTTP/1.1\r\nhost: localhost\r\n");
    const deaf = connect(Number(port), hostname);
    deaf.pause();
    deaf.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(200));
    for (const socket of [half, deaf]) socket.on("error", () => {});
    await sleep(300);
    const start = performance.now();
    await ended(service);
    expect(performance.now() - start).toBeLessThan(10_000);
    for (const socket of [half, deaf]) socket.destroy();
  });
});

test("a signal is heard from the first moment on; a port that is taken ends it with 1", async () => {
  const own = { command: [process.execPath], run: [] };
  const services = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const service = await serve(own);
      process.kill(service.pid, "SIGTERM");
      return service;
    }),
  );
  for (const { exit, lines } of services) {
    expect(await exit).toBe(0);
    expect(lines.map(({ event }) => event)).toEqual(["listening", "draining", "stopped"]);
  }
  const first = await serve(own);
  const words = [main, "serve", "--model", model, "--port", new URL(first.url).port];
  for (const { command, run } of runtimes) {
    const [program, ...rest] = [...command, ...run, ...words];
    const { status, stderr } = spawnSync(program!, rest, { encoding: "utf8", timeout: 30_000 });
    expect(stderr).toMatch(/port|EADDRINUSE/);
    expect(status).toBe(1);
  }
  await ended(first);
});

test("--tiles scores by tiles and /v1/models says so", async () => {
  const bytes = new Uint8Array(await sharp(pictures[0]).resize(150, 90).png().toBuffer());
  const service = await serve({ command: [process.execPath], run: [] }, "--tiles", "6");
  const { models } = modelsSchema.parse(await (await fetch(`${service.url}/v1/models`)).json());
  expect(models).toMatchObject([{ name: "small", tiles: 6 }]);
  await using tiled = await openScorer({ model, device: await sharedDevice(), tiles: 6 });
  expect(await scoreIn(await post(service.url, bytes))).toBe((await tiled.score(bytes)).score);
  await ended(service);
  const words = [main, "serve", "--model", model, "--port", "0", "--tiles", "0"];
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
  expect(stderr).toContain("expected a whole number of at least 1");
  expect(status).toBe(2);
});

test("it does not listen where others reach it unless told, and then not without a token", async () => {
  const service = await serve({ command: [process.execPath], run: [] });
  const { hostname, port } = new URL(service.url);
  expect(hostname).toBe("127.0.0.1");
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  for (const { address } of addresses.filter(({ internal, family }) => !internal && family === "IPv4")) {
    await expect(fetch(`http://${address}:${port}/health`)).rejects.toThrow();
  }
  await ended(service);
  const words = [main, "serve", "--model", model, "--host", "0.0.0.0", "--port", "0"];
  for (const [token, complaint] of [
    [undefined, "give a bearer token with --token-file"],
    [" \n", "the bearer token is empty"],
  ]) {
    const env = { ...process.env, NO_COLOR: "1", ACUTANCE_TOKEN: token };
    const { status, stderr } = spawnSync(process.execPath, words, { encoding: "utf8", env, timeout: 20_000 });
    expect(stderr).toContain(complaint!);
    expect(status).toBe(1);
  }
});
