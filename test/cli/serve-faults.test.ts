import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { answerSchema, type LogEntry } from "../../models/service/index.ts";
import { knownScores } from "../models/scoring/fixtures.ts";
import { type Runtime, runtimesHere } from "../runtime/runtimes.ts";
import { type Serving, startServing, withParent } from "./serving.ts";

const main = new URL("../../cli/main.ts", import.meta.url).pathname;
const runtimes = runtimesHere("Bun", "Node");

let folder = "";
let model = "";
let picture = new Uint8Array(0);
let score = 0;
const running: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-serve-faults-"));
  await writeFile(join(folder, "token"), "open sesame");
  const known = await knownScores(folder, 1);
  [model, picture, score] = [known.model, known.pictures[0]!, known.expected[0]!];
});

afterAll(async () => {
  for (const child of running) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

async function serve({ command, run }: Pick<Runtime, "command" | "run">, ...words: string[]): Promise<Serving> {
  const serving = await startServing([...command, ...run], ["--model", model, ...words]);
  running.push(serving.child);
  return serving;
}

async function ended({ pid, exit }: Serving): Promise<void> {
  process.kill(pid, "SIGTERM");
  expect(await exit).toBe(0);
}

async function scoreBy(url: string, headers: Record<string, string> = {}): Promise<unknown> {
  const init = { method: "POST", body: picture, headers: { "content-type": "image/png", ...headers } };
  const response = await fetch(`${url}/v1/score`, { ...init, signal: AbortSignal.timeout(20_000) });
  if (response.status !== 200) return response.status;
  const [row] = answerSchema.parse(await response.json()).pictures;
  return "score" in row! && row.score;
}

/** The statuses of the answers to some bytes, of which so many are waited for. */
async function ask(url: string, bytes: string | Uint8Array, count = 1) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let [answer, isClosed] = ["", false];
  const statuses = () => [...answer.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status));
  socket.on("error", () => {});
  socket.on("data", (data) => (answer += data.toString("latin1")));
  socket.on("close", () => {
    isClosed = true;
  });
  socket.write(bytes);
  for (let left = 300; left > 0 && !isClosed && statuses().length < count; left--) await sleep(100);
  // What else there is comes at once.
  await sleep(500);
  socket.destroy();
  return { statuses: statuses(), answer };
}

const host = "Host: localhost\r\n";
const posted = (headers: string) => `POST /v1/score HTTP/1.1\r\n${host}Content-Type: image/png\r\n${headers}\r\n`;

describe.each(runtimes)("under $name", (runtime) => {
  test("requests of every form are answered as users expect", async () => {
    const service = await serve(runtime);
    const { url } = service;
    const length = `Content-Length: ${picture.length}\r\n`;
    const body = Buffer.from(picture).toString("latin1");
    const chunked = (extension: string) => `${picture.length.toString(16)}${extension}\r\n${body}\r\n0\r\n\r\n`;
    const whole = posted(length) + body;
    const cases: [what: string, bytes: string, statuses: number[]][] = [
      ["HTTP/1.0 without Host", "GET /health HTTP/1.0\r\n\r\n", [200]],
      ["a picture by HTTP/1.0", `POST /v1/score?model=small HTTP/1.0\r\n${length}\r\n${body}`, [200]],
      ["HTTP/1.1 without Host", "GET /health HTTP/1.1\r\n\r\n", [400]],
      ["an absolute target", `GET http://localhost/health HTTP/1.1\r\n${host}\r\n`, [200]],
      ["two requests at once", `GET /health HTTP/1.1\r\n${host}\r\n`.repeat(2), [200, 200]],
      ["chunks", posted("Transfer-Encoding: chunked\r\n") + chunked(""), [200]],
      ["chunks with extensions", posted("Transfer-Encoding: chunked\r\n") + chunked(";a=b"), [200]],
      ["Expect: 100-continue", posted(`${length}Expect: 100-continue\r\n`) + body, [100, 200]],
      ["two lengths that differ", posted(`${length}Content-Length: 3\r\n`) + body, [400]],
      ["length and chunks", posted(`${length}Transfer-Encoding: chunked\r\n`) + chunked(""), [400]],
      ["a long target", `GET /${"a".repeat(40_000)} HTTP/1.1\r\n${host}\r\n`, [431]],
      ["a long header", `GET /health HTTP/1.1\r\n${host}X: ${"a".repeat(40_000)}\r\n\r\n`, [431]],
      ["HEAD", `HEAD /health HTTP/1.1\r\n${host}\r\n`, [200]],
      ["a wrong method", `DELETE /v1/score HTTP/1.1\r\n${host}\r\n`, [405]],
      ["no HTTP", "\x16\x03\x01\x02\x00\x01\r\n\r\n", [400]],
      ["a boundary of 254 characters", formed("b".repeat(254), "x".repeat(1000)), [400]],
      ["a foreign Host", `GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n`, [403]],
      ["a picture", whole, [200]],
    ];
    const found = await Promise.all(
      cases.map(async ([what, bytes, statuses]) => [
        what,
        (await ask(url, Buffer.from(bytes, "latin1"), statuses.length)).statuses,
      ]),
    );
    expect(found).toEqual(cases.map(([what, , statuses]) => [what, statuses]));
    const { answer } = await ask(url, `GET /v1/score HTTP/1.1\r\n${host}\r\n`);
    expect(answer.toLowerCase()).toContain("\r\nallow: post, options\r\n");
    const options = await ask(url, `OPTIONS /v1/models HTTP/1.1\r\n${host}\r\n`);
    expect(options.statuses).toEqual([204]);
    expect(options.answer.toLowerCase()).toContain("\r\nallow: get, head, options\r\n");
    expect(await scoreBy(url)).toBe(score);
    await ended(service);
  });

  test("1,000 connections that send nothing, little or the wrong token leave others their scores, and are closed", async () => {
    const service = await serve(runtime, "--token-file", join(folder, "token"));
    const authorization = "Bearer open sesame";
    const { hostname, port } = new URL(service.url);
    const given = `Authorization: ${authorization}\r\n`;
    const kinds = [
      "",
      "GET /hea",
      `GET /health HTTP/1.1\r\n${host}\r\n`,
      `GET /v1/models HTTP/1.1\r\n${host}\r\n`,
      `${posted(`Content-Length: ${2 ** 26}\r\n`)}abc`,
      `${posted(`${given}Content-Length: ${2 ** 26}\r\n`)}abc`,
    ];
    const open = new Set<Socket>();
    for (let i = 0; i < 1000; i++) {
      const socket = connect(Number(port), hostname);
      open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => open.delete(socket));
      socket.resume();
      socket.write(kinds[i % kinds.length]!);
      if (i % 50 === 0) await once(socket, "connect");
    }
    for (let i = 0; i < 5; i++) expect(await scoreBy(service.url, { authorization })).toBe(score);
    const start = performance.now();
    while (open.size > 0 && performance.now() - start < 40_000) await sleep(100);
    expect(open.size).toBe(0);
    expect(await scoreBy(service.url, { authorization })).toBe(score);
    await ended(service);
  });
});

function formed(boundary: string, body: string): string {
  const head = `POST /v1/score HTTP/1.1\r\n${host}Content-Type: multipart/form-data; boundary=${boundary}\r\n`;
  return `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
}

describe.each(runtimes)("the log under $name", ({ command, run }) => {
  /** Starts the service with its standard output as told; it listens on a port of its own choice, which a file tells. */
  async function logging(stdout: "pipe" | number) {
    const free = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { port } = free;
    free.stop(true);
    const [program, ...rest] = [
      ...command,
      ...run,
      ...withParent,
      main,
      "serve",
      "--model",
      model,
      "--port",
      String(port),
    ];
    const child = spawn(program!, rest, { stdio: ["pipe", stdout, "ignore"] });
    running.push(child);
    const url = `http://127.0.0.1:${port}`;
    for (let i = 0; i < 600; i++) {
      if (
        await fetch(`${url}/health`).then(
          ({ ok }) => ok,
          () => false,
        )
      )
        break;
      await sleep(50);
    }
    return { child, url, exit: once(child, "exit") };
  }

  test("neither ends nor holds up the service when its reader goes away or its disk is full", async () => {
    for (const stdout of ["pipe", openSync("/dev/full", "w")] as const) {
      const { child, url, exit } = await logging(stdout);
      child.stdout?.destroy();
      for (let i = 0; i < 20; i++) expect((await fetch(`${url}/health`)).status).toBe(200);
      expect(await scoreBy(url)).toBe(score);
      expect(child.exitCode).toBeNull();
      child.stdin!.destroy();
      await exit;
    }
  });

  test("goes on when nobody reads it for a while, and says how many lines are missing", async () => {
    const { child, url, exit } = await logging("pipe");
    // Nobody listens for data: the pipe fills up, then the lines that wait, 1 MiB of them.
    const health = async () => (await fetch(`${url}/health`)).status;
    for (let i = 0; i < 250; i++) {
      const statuses = await Promise.all(Array.from({ length: 32 }, health));
      expect(statuses.every((status) => status === 200)).toBe(true);
    }
    let text = "";
    child.stdout!.on("data", (data) => (text += data));
    for (let i = 0; i < 200 && !text.includes("log-dropped"); i++) {
      await sleep(50);
      await health();
    }
    const lines = text.slice(0, text.lastIndexOf("\n")).split("\n");
    const entries = lines.map((line) => JSON.parse(line) as LogEntry);
    const requests = entries.filter(({ event }) => event === "request").length;
    const dropped = entries.find(({ event }) => event === "log-dropped")!["lines"] as number;
    expect(requests + dropped).toBeGreaterThanOrEqual(8000);
    expect(await scoreBy(url)).toBe(score);
    child.stdin!.destroy();
    await exit;
  });
});

test("wrong origins and stalls are told at the start", async () => {
  for (const [words, complaint] of [
    [["--cors-origin", "https://example.org/page"], "https://example.org is"],
    [["--stall-seconds", "-1"], "expected a whole number"],
  ] as const) {
    const child = spawn(process.execPath, [main, "serve", "--model", model, "--port", "0", ...words], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (data) => (said += data));
    const [code] = await once(child, "exit");
    expect(code).toBeGreaterThan(0);
    expect(said).toContain(complaint);
  }
});
