// `bun run bench:costly`: a good client's waiting while eight others send, in a loop, pictures that take much to decode. Prints Markdown.
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { Random } from "../../engine/random.ts";
import { startServing } from "../cli/serving.ts";
import { costlyPictures } from "../models/service/costly.ts";
import { quantile } from "./service-load.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    seconds: { type: "string", default: "30" },
    clients: { type: "string", default: "8" },
    match: { type: "string", default: "" },
  },
});
const [seconds, clients] = [Number(values.seconds), Number(values.clients)];

interface Answered {
  readonly status: number;
  readonly milliseconds: number;
}

/** One request on a connection of its own, from one of this machine's own addresses, so that clients can be told apart. */
function send(port: number, address: string, picture: Uint8Array): Promise<Answered> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, localAddress: address });
    let text = "";
    socket.on("error", reject);
    socket.setEncoding("latin1").on("data", (chunk) => (text += chunk));
    socket.on("close", () => {
      const [, status = "0"] = /^HTTP\/1\.1 (\d+)/.exec(text) ?? [];
      resolve({ status: Number(status), milliseconds: performance.now() - start });
    });
    const head = `POST /v1/score HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\nContent-Type: application/octet-stream\r\nContent-Length: ${picture.byteLength}\r\n\r\n`;
    socket.write(head);
    socket.write(picture);
  });
}

async function goodPicture(): Promise<Uint8Array> {
  const random = new Random(3, "good");
  const pixels = Uint8Array.from({ length: 500 * 500 * 3 }, () => random.integer(256));
  return sharp(pixels, { raw: { width: 500, height: 500, channels: 3 } })
    .blur(2)
    .jpeg()
    .toBuffer();
}

/** Sends the same picture again and again, one after another. */
async function loop(port: number, address: string, picture: Uint8Array, until: number): Promise<Answered[]> {
  const answers: Answered[] = [];
  while (performance.now() < until) answers.push(await send(port, address, picture));
  return answers;
}

/** Memory of a process and all that it started, bytes: what is shared counts once (Linux). */
function treeBytes(root: number): number {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc").filter((text) => /^\d+$/.test(text))) {
    try {
      const [, parent = "0"] = /\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, "utf8")) ?? [];
      parents.set(Number(name), Number(parent));
    } catch {} // it has ended
  }
  const isOurs = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (pid === root || isOurs(parents.get(pid)));
  let bytes = 0;
  for (const pid of parents.keys()) {
    if (!isOurs(pid)) continue;
    try {
      const [, kibibytes = "0"] = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")) ?? [];
      bytes += 1024 * Number(kibibytes);
    } catch {} // it has ended
  }
  return bytes;
}

const serving = await startServing([process.execPath], values.model ? ["--model", values.model] : []);
const port = Number(new URL(serving.url).port);
const good = await goodPicture();
const first = await send(port, "127.0.0.1", good);
if (first.status !== 200) throw new Error(`a good picture is answered with ${first.status}`);

const measure = (until: number) => loop(port, "127.0.0.1", good, until);
const p95 = (answers: readonly Answered[]) =>
  quantile(
    answers.map(({ milliseconds }) => milliseconds),
    0.95,
  );
const counted = (answers: readonly Answered[]) => {
  const counts = new Map<number, number>();
  for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, count]) => `${count} x ${status}`).join(", ");
};

console.log(
  "| what eight clients send | good 95th percentile alone, ms | meanwhile, ms | ratio | good answers | bad answers | slowest bad, s | memory, MiB |",
);
console.log("| --- | --- | --- | --- | --- | --- | --- | --- |");
for (const [name, make] of Object.entries(costlyPictures)) {
  if (!name.includes(values.match)) continue;
  const picture = await make();
  const before = await measure(performance.now() + (1000 * seconds) / 2);
  let peak = 0;
  const until = performance.now() + 1000 * seconds;
  const attacks = Array.from({ length: clients }, (_, i) => loop(port, `127.0.0.${2 + i}`, picture, until));
  const watch = setInterval(() => {
    peak = Math.max(peak, treeBytes(serving.pid));
  }, 500);
  await sleep(1000);
  const during = await measure(until);
  const bad = (await Promise.all(attacks)).flat();
  clearInterval(watch);
  const [alone, meanwhile] = [p95(before), p95(during)];
  const slowest = Math.max(...bad.map(({ milliseconds }) => milliseconds)) / 1000;
  const cells = [
    name,
    alone.toFixed(0),
    meanwhile.toFixed(0),
    (meanwhile / alone).toFixed(2),
    counted(during),
    counted(bad),
  ];
  console.log(`| ${[...cells, slowest.toFixed(1), (peak / 2 ** 20).toFixed(0)].join(" | ")} |`);
}
serving.child.kill("SIGTERM");
await serving.exit;
process.exit(0);
