import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { answerSchema } from "../../../models/service/index.ts";
import { writtenRequest } from "./request-grammar.ts";
import { figure } from "./requests.ts";

/** What the service and the servers of the runtimes may answer to a request, whatever it is. */
const statuses = [
  100, 200, 204, 400, 401, 403, 404, 405, 408, 411, 413, 414, 415, 417, 422, 426, 429, 431, 501, 503, 505,
];

export interface FuzzedRequests {
  /** By status; "closed" where the connection ended without one, "waits" where bytes were missing. */
  readonly answers: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  /** Whole pictures that got their scores in between. */
  readonly good: number;
}

/**
 * Sends requests by the grammar to a service, many at a time, and now and then a picture that must get its score.
 * @throws Error with the seed when an answer is not one that it may be, comes late or not at all, when a picture does not get its
 * score, or when something is held at the end
 */
export async function fuzzRequests(
  url: string,
  { bytes, score }: { bytes: Uint8Array<ArrayBuffer>; score: number },
  { count, seed = 1, concurrency = 128 }: { count: number; seed?: number; concurrency?: number },
): Promise<FuzzedRequests> {
  const { hostname, port } = new URL(url);
  const answers: Record<string, number> = {};
  let [next, slowestMs, good] = [0, 0, 0];
  const worker = async () => {
    while (next < count) {
      const at = seed + next++;
      const request = writtenRequest(at, bytes);
      const start = performance.now();
      const answer = await answerTo(request.bytes, hostname, Number(port));
      slowestMs = Math.max(slowestMs, performance.now() - start);
      answers[answer] = (answers[answer] ?? 0) + 1;
      if (typeof answer === "number" && !statuses.includes(answer))
        throw new Error(`seed ${at}: answered with ${answer}`);
      if (request.isWhole && answer === "waits") throw new Error(`seed ${at}: a whole request has no answer`);
      if (at % 100 === 0) {
        await expectScore(url, bytes, score, `after seed ${at}`);
        good++;
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const service = { fetch: ({ url: wanted }: Request) => fetch(wanted.replace("http://localhost", url)) };
  for (const name of ["acutance_queue_pictures", "acutance_held_bytes"]) {
    let held = await figure(service, name);
    for (let i = 0; i < 100 && held > 0; i++) {
      await sleep(100);
      held = await figure(service, name);
    }
    if (held > 0) throw new Error(`at the end ${name} is ${held}`);
  }
  return { answers, slowestMs, good };
}

/** Milliseconds in which an answer must come: those for a body, and the time of a busy machine. */
const boundMs = 60_000;
/** Milliseconds after which a request whose header does not end is given up. */
const headerMs = 50;

/** The status of the answer to some bytes, "closed" when the connection ends without one, "waits" when neither comes. */
async function answerTo(bytes: Buffer, hostname: string, port: number): Promise<number | "closed" | "waits"> {
  const socket = connect(port, hostname);
  socket.on("error", () => {});
  const answered = new Promise<number>((resolve) => {
    let text = "";
    socket.on("data", (data) => {
      text += data.toString("latin1").slice(0, 200);
      const [, status] = /HTTP\/1\.1 (?!100)(\d+)/.exec(text) ?? [];
      if (status) resolve(Number(status));
    });
  });
  const closed = once(socket, "close").then(() => "closed" as const);
  const third = Math.ceil(bytes.length / 3);
  if (bytes.length % 4 === 0) {
    socket.write(bytes.subarray(0, third));
    await sleep(1);
    socket.write(bytes.subarray(third));
  } else socket.write(bytes);
  const isHeader = bytes.includes("\r\n\r\n");
  const timer = new AbortController();
  const late = sleep(isHeader ? boundMs : headerMs, "waits" as const, { signal: timer.signal }).catch(
    () => "waits" as const,
  );
  try {
    const answer = await Promise.race([answered, closed, late]);
    // A header that goes on in the body of a damaged request is no header.
    return answer;
  } finally {
    timer.abort();
    socket.destroy();
  }
}

async function expectScore(url: string, body: Uint8Array<ArrayBuffer>, score: number, when: string): Promise<void> {
  const headers = { "content-type": "image/png" };
  const signal = AbortSignal.timeout(boundMs);
  const response = await fetch(`${url}/v1/score`, { method: "POST", body, headers, signal });
  const [row] = response.status === 200 ? answerSchema.parse(await response.json()).pictures : [];
  if (!row || !("score" in row) || row.score !== score)
    throw new Error(`${when}: ${response.status}, not the score ${score}`);
}
