// `bun test/bench/queue-experiment.ts [--seeds 4] [--workers 3] [--kills 3] [--pictures 25]`: a recipe of three variants and some seeds, trained by a single
// process and by workers of a queue of which some are killed while they train. Both stores must hold the same: every result, loss, prediction
// and pseudo-label to the bit. Needs redis-server.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compareExperiments } from "../models/scale/experiment-runs.ts";

const number = (text: string) => ({ type: "string", default: text }) as const;
const { values } = parseArgs({
  options: { seeds: number("4"), workers: number("3"), kills: number("3"), pictures: number("25") },
});
const folder = mkdtempSync(join(tmpdir(), "acutance-queue-experiment-"));
try {
  const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1);
  const variants = [
    { name: "5 neighbours" },
    { name: "3 neighbours", neighbours: 3 },
    { name: "2 neighbours", neighbours: 2 },
  ];
  const counts = { workers: Number(values.workers), kills: Number(values.kills), pictures: Number(values.pictures) };
  const { complaints, ...found } = await compareExperiments(folder, { seeds, variants, ...counts });
  console.log(found);
  if (found.different.length > 0 || found.begun !== found.trainings) {
    console.log(complaints);
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
