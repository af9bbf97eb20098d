import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openScorer } from "../../models/scorer.ts";
import { answerSchema, problemSchema } from "../../models/service/index.ts";
import { sharedDevice } from "../engine/device.ts";
import { noisePictures, smallModel } from "../models/scoring/fixtures.ts";
import { findRuntimes, type Runtime } from "../runtime/runtimes.ts";
import { startServing } from "./serving.ts";

const main = new URL("../../cli/main.ts", import.meta.url).pathname;
const runtimes = findRuntimes().filter(
  (runtime): runtime is Runtime => "command" in runtime && runtime.name !== "Deno",
);

let folder = "";
let model = "";
let pictures: Uint8Array<ArrayBuffer>[] = [];
const expected: number[] = [];
const running: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-serve-"));
  model = await smallModel(folder);
  await writeFile(join(folder, "token"), "open sesame\n");
  pictures = (await noisePictures(12)) as Uint8Array<ArrayBuffer>[];
  await using scorer = await openScorer({ model, device: await sharedDevice() });
  for (const picture of pictures) expected.push((await scorer.score(picture)).score);
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
    const head = `POST /v1/score HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\ncontent-type: image/png\r\ncontent-length: 5000\r\n\r\n`;
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
    process.kill(service.pid, "SIGTERM");
    expect(await service.exit).toBe(0);
  });
});

test("it does not listen where others reach it without a token", () => {
  const words = [main, "serve", "--model", model, "--host", "0.0.0.0", "--port", "0"];
  const { status, stderr } = spawnSync(process.execPath, words, {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  expect(stderr).toContain("give a bearer token with --token-file");
  expect(status).toBe(1);
});
