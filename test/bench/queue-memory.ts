// `bun test/bench/queue-memory.ts [pictures]`: what a queue of so many waiting pictures takes of Redis' memory and of the sender's, and how long it takes to send
// them, once and again. Names are those of a camera in folders of a thousand. Needs redis-server.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openQueue } from "../../models/scale/index.ts";
import { startRedis } from "../models/scale/servers.ts";

const pictures = Number(process.argv[2] ?? 1_000_000);
const folder = mkdtempSync(join(tmpdir(), "acutance-queue-memory-"));
function* names(count: number): Generator<string> {
  for (let i = 0; i < count; i++)
    yield `/mnt/photos/2026/${String(Math.floor(i / 1000)).padStart(6, "0")}/DSC_${String(i).padStart(8, "0")}.jpg`;
}
try {
  await using redis = await startRedis(folder);
  await using queue = await openQueue(redis.url);
  const memory = async (field: string) =>
    Number(new RegExp(`^${field}:(\\d+)`, "m").exec(await queue.connection.redis.info("memory"))![1]) / 1e6;
  // What a sender has in memory before it has sent much.
  await queue.add(names(10_000));
  const [before, own] = [await memory("used_memory"), process.memoryUsage.rss() / 1e6];
  for (const round of ["sent", "sent again"]) {
    const start = performance.now();
    const sent = await queue.add(names(pictures));
    const { waiting, pictures: left } = await queue.status();
    console.log(round, {
      ...sent,
      seconds: Number(((performance.now() - start) / 1000).toFixed(1)),
      jobs: waiting,
      left,
      redisMB: Math.round(await memory("used_memory")),
      redisPeakMB: Math.round(await memory("used_memory_peak")),
      bytesAPicture: Math.round((((await memory("used_memory")) - before) * 1e6) / (pictures - 10_000)),
      senderMB: Math.round(process.memoryUsage.rss() / 1e6),
      senderBeforeMB: Math.round(own),
    });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
