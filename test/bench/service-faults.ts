// `bun run bench:faults`: what a service answers to damage, and how soon it is ready again. Prints Markdown.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openScorer } from "../../models/scoring/scorer.ts";
import { openService } from "../../models/service/index.ts";
import { startServing } from "../cli/serving.ts";
import { devices, noisePictures, smallModel } from "../models/scoring/fixtures.ts";
import { fuzzService, loseUnderLoad, slowBodies } from "../models/service/faults.ts";
import { hostileRows } from "./service-hostile.ts";

const folder = await mkdtemp(join(tmpdir(), "acutance-faults-"));
const model = await smallModel(folder);
const [bytes = new Uint8Array()] = await noisePictures(1);
const source = devices();
const good = { bytes: new Uint8Array(bytes), score: 0 };
{
  await using scorer = await openScorer({ model, device: source.open });
  good.score = (await scorer.score(bytes)).score;
}
const rows: [string, string][] = [];
{
  await using service = await openService({
    models: [{ model, device: source.open }],
    limits: { maxPixels: 2_000_000 },
  });
  const { scored, refused, slowestMs } = await fuzzService(service, 1000, good);
  const statuses = Object.entries(refused).map(([status, count]) => `${count} x ${status}`);
  const answers = [`${scored} x 200`, ...statuses].join(", ");
  rows.push(["1,000 mutated files, a whole one after every tenth", `${answers}; slowest ${slowestMs.toFixed(0)} ms`]);
}
{
  await using service = await openService({ models: [{ model, device: source.open }], limits: { bodySeconds: 1 } });
  rows.push(["64 bodies drop by drop, 1 s allowed", counted(await slowBodies(service, 64, good))]);
}
{
  await using service = await openService({ models: [{ model, device: source.open, batch: 4 }] });
  for (let i = 1; i <= 3; i++) {
    const { statuses, readyMs } = await loseUnderLoad(service, good, source.lose);
    rows.push([
      `device destroyed under 64 requests, time ${i}`,
      `${counted(statuses)}; scores again after ${readyMs.toFixed(0)} ms`,
    ]);
  }
}
rows.push(...(await hostileRows(model, good)));
rows.push(["SIGTERM under 96 requests of a process", await terminated()]);
await rm(folder, { recursive: true });
console.log(["| fault | answers |", "| --- | --- |", ...rows.map((row) => `| ${row.join(" | ")} |`)].join("\n"));
process.exit(0);

async function terminated(): Promise<string> {
  const serving = await startServing([process.execPath], ["--model", model, "--batch", "4"]);
  const headers = { "content-type": "image/png" };
  const calls = Array.from({ length: 96 }, () =>
    fetch(`${serving.url}/v1/score`, { method: "POST", body: good.bytes, headers }).then(
      async (response) => {
        await response.arrayBuffer();
        return response.status;
      },
      () => "refused",
    ),
  );
  await calls[3];
  await sleep(5);
  process.kill(serving.pid, "SIGTERM");
  const statuses = await Promise.all(calls);
  const code = await serving.exit;
  const accepted = serving.lines.filter(({ event }) => event === "request").length;
  return `${counted(statuses)}; ${accepted} requests in its log; ended with ${code}`;
}

function counted(statuses: readonly (number | string)[]): string {
  const counts = new Map<number | string, number>();
  for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, count]) => `${count} x ${status}`).join(", ");
}
