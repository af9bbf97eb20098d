import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { answerSchema } from "../../models/service/index.ts";
import { startServing } from "../cli/serving.ts";

interface Good {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly score: number;
}

/** Attacks over loopback on `acutance serve` in a process of its own, each with what was answered to it and to a good client meanwhile. */
export async function hostileRows(model: string, good: Good): Promise<[attack: string, answers: string][]> {
  const serving = await startServing([process.execPath], ["--model", model]);
  const { hostname, port } = new URL(serving.url);
  const host = "Host: localhost\r\n";
  const open = (text: string) => {
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {});
    socket.write(text);
    return socket;
  };
  const posted = (type: string, length: number) =>
    `POST /v1/score HTTP/1.1\r\n${host}Content-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`;
  const boundaries = Array.from({ length: 400 }, (_, i) => `multipart/form-data; boundary=${"b".repeat(i + 1)}`);
  const rows: [string, string][] = [];
  const during = async (attack: string, work: () => Promise<string>) => {
    const answers = await work();
    rows.push([attack, `${answers}; ${await goodScores(serving.url, good)}`]);
  };
  await during("forms that do not begin with their boundary, of 1 to 400 characters", async () =>
    counted(await Promise.all(boundaries.map((type) => statusOf(open(posted(type, 1000) + "x".repeat(1000)))))),
  );
  await during("names and origins of others", async () =>
    counted(
      await Promise.all(
        [
          "Host: evil.example\r\n",
          `${host}Origin: https://evil.example\r\n`,
          `${host}Sec-Fetch-Site: cross-site\r\n`,
        ].map((lines) => statusOf(open(`GET /v1/models HTTP/1.1\r\n${lines}\r\n`))),
      ),
    ),
  );
  const sockets: Socket[] = [];
  await during("16 requests that announce 64 MiB and send nothing", async () => {
    for (let i = 0; i < 16; i++) sockets.push(open(posted("image/png", 2 ** 26)).resume());
    await sleep(300);
    return "waiting";
  });
  await during("1,000 connections that send nothing, half a header, or one request", async () => {
    const kinds = ["", "GET /hea", `GET /health HTTP/1.1\r\n${host}\r\n`];
    for (let i = 0; i < 1000; i++) sockets.push(open(kinds[i % 3]!).resume());
    await sleep(300);
    return "waiting";
  });
  await sleep(16_000);
  const left = sockets.filter((socket) => !socket.closed).length;
  rows.push(["those connections after 16 s", `${left} of ${sockets.length} left`]);
  await during("the reader of the log goes away", async () => {
    serving.child.stdout?.destroy();
    return "no answer is lost";
  });
  for (const socket of sockets) socket.destroy();
  serving.child.kill("SIGKILL");
  return rows;
}

async function statusOf(socket: Socket): Promise<string> {
  const answer = new Promise<string>((resolve) => {
    socket.on("data", (data) => resolve(data.toString("latin1").slice(9, 12)));
    socket.on("close", () => resolve("closed"));
  });
  const status = await Promise.race([answer, sleep(10_000, "nothing")]);
  socket.destroy();
  return status;
}

/** The scores of ten pictures of a good client, and how long the slowest took. */
async function goodScores(url: string, { bytes, score }: Good): Promise<string> {
  let [right, slowestMs] = [0, 0];
  for (let i = 0; i < 10; i++) {
    const start = performance.now();
    const signal = AbortSignal.timeout(10_000);
    const init = { method: "POST", body: bytes, headers: { "content-type": "image/png" }, signal };
    const answer = await fetch(`${url}/v1/score`, init).then(
      (response) => response.json(),
      () => undefined,
    );
    const parsed = answerSchema.safeParse(answer);
    const row = parsed.success ? parsed.data.pictures[0] : undefined;
    if (row && "score" in row && row.score === score) right++;
    slowestMs = Math.max(slowestMs, performance.now() - start);
  }
  return `a good client: ${right} of 10 scores, slowest ${slowestMs.toFixed(0)} ms`;
}

function counted(statuses: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, count]) => `${count} x ${status}`).join(", ");
}
