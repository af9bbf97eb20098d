// `bun run fuzz:service`: requests by a grammar, right and wrong, to the service under each runtime. Prints Markdown; ends with 1 when
// an answer is not one that it may be. --count 100000 --seed 1 --runtime Bun
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { knownScores } from "../models/scoring/fixtures.ts";
import { fuzzRuntime } from "../models/service/fuzz-process.ts";
import { findRuntimes } from "../runtime/runtimes.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    runtime: { type: "string" },
  },
});
const [count, seed] = [Number(values.count), Number(values.seed)];
const folder = await mkdtemp(join(tmpdir(), "acutance-fuzz-"));
const { model, pictures, expected } = await knownScores(folder, 12);
const good = { bytes: pictures[11]!, score: expected[11]! };
let isBad = false;
console.log(
  "| runtime | requests | answers | slowest ms | pictures scored between | minutes |\n| --- | --- | --- | --- | --- | --- |",
);
for (const runtime of findRuntimes()) {
  if (values.runtime && values.runtime !== runtime.name) continue;
  if ("missing" in runtime) {
    console.log(`| ${runtime.name} | – | ${runtime.missing} | | | |`);
    continue;
  }
  const start = performance.now();
  try {
    const { answers, slowestMs, good: scored } = await fuzzRuntime(runtime, model, good, { count, seed });
    const told = Object.entries(answers).map(([status, times]) => `${times} x ${status}`);
    const minutes = ((performance.now() - start) / 60_000).toFixed(1);
    console.log(
      `| ${runtime.name} | ${count} | ${told.join(", ")} | ${slowestMs.toFixed(0)} | ${scored} | ${minutes} |`,
    );
  } catch (error) {
    isBad = true;
    console.log(`| ${runtime.name} | ${count} | ${(error as Error).message} | | | |`);
  }
}
await rm(folder, { recursive: true });
process.exit(isBad ? 1 : 0);
